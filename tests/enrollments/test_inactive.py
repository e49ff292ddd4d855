"""Inactive groups and targets are frozen; cycles that end meanwhile break no streak (domain.md 6 and 7)."""

from datetime import timedelta

import pytest

from enrollments.enums import Source
from enrollments.integrity import all_violations
from enrollments.models import Participation, Stay
from enrollments.operations import (
    ActivityData,
    cancel_leave,
    close_cycles,
    enroll,
    record_activity,
    set_group_active,
    set_target_active,
    unenroll,
    unenroll_together,
)
from enrollments.standing import standings
from rewards.models import Grant
from targets.enums import Allocation, EvaluationType, TrackingType
from targets.errors import StaleInstant, TargetGroupNotFound, TargetNotFound
from targets.models import Inactivity, TargetGroup
from tests.factories import START, CustomerFactory, make_programme
from tests.journeys.programme import Programme

pytestmark = pytest.mark.django_db

ACT = {"by": "test", "source": Source.API}
DAY = timedelta(days=1)


def member(target, at=START):
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=at, **ACT)
    return customer


def buy(customer, at):
    activity = ActivityData(f"{customer.pk} at {at}", "purchase", customer.customer_id, at)
    return record_activity(brand=customer.brand, activity=activity, at=at)


def freeze(target, at):
    return set_group_active(target_group=target.target_group, is_active=False, at=at, by="Ann")


def thaw(target, at):
    return set_group_active(target_group=target.target_group, is_active=True, at=at, by="Ben")


def in_cycle(number, day=5):
    return START + (number - 1) * 30 * DAY + day * DAY


def streak_count(customer, target, at):
    (standing,) = standings([Participation.objects.get(customer=customer, target=target)], at)
    return standing.streak_count


def test_frozen_group_refuses_everybody_who_looked_before_it_froze():
    target = make_programme()
    inside, outside = member(target), CustomerFactory(brand=target.brand)
    unenroll(customer=member(target), target=target, at=START, **ACT)
    scheduled = member(target)
    unenroll(customer=scheduled, target=target, at=START, effective="endOfCycle", **ACT)
    before = list(Stay.objects.values())
    freeze(target, START + DAY)

    for operation, customer in ((enroll, outside), (unenroll, inside), (cancel_leave, scheduled)):
        with pytest.raises(
            TargetGroupNotFound, match=f"Target group {target.target_group_id} is not found or inactive"
        ):
            operation(customer=customer, target=target, at=START + DAY, **ACT)
    outcome = buy(inside, START + DAY).outcomes[0]

    assert outcome.reason == "target_inactive"
    assert list(Stay.objects.values()) == before


def test_frozen_target_is_refused_by_name_and_its_neighbours_go_on():
    target = make_programme()
    customer = member(target)

    changed = [set_target_active(target=target, is_active=False, at=START, by="Ann") for _ in range(2)]

    with pytest.raises(TargetNotFound):
        unenroll(customer=customer, target=target, at=START + DAY, **ACT)
    assert changed == [True, False]
    assert TargetGroup.objects.get().is_active
    assert not Inactivity.objects.exists()


@pytest.mark.parametrize("window", [EvaluationType.FIXED_CALENDAR_WINDOW, EvaluationType.CYCLIC_WINDOW])
def test_frozen_group_is_what_everybody_is_told_whose_enrolment_has_changed_since_too(window):
    """To be told "try again" would send him to find out that it is frozen."""
    target = make_programme(window=window)
    inside = member(target, at=START + DAY)
    freeze(target, START + 2 * DAY)
    before = list(Stay.objects.values())

    for operation in (enroll, unenroll, cancel_leave):
        with pytest.raises(TargetGroupNotFound):
            operation(customer=inside, target=target, at=START, **ACT)
    if window == EvaluationType.FIXED_CALENDAR_WINDOW:
        with pytest.raises(TargetGroupNotFound):
            unenroll_together(customer_ids=[inside.customer_id], target=target, at=START, **ACT)
    with pytest.raises(StaleInstant):
        unenroll(customer=inside, target=target, at=START, even_if_inactive=True, **ACT)

    assert list(Stay.objects.values()) == before


def test_staff_may_unenrol_from_a_frozen_group_when_they_say_so():
    target = make_programme()
    customer = member(target)
    freeze(target, START + DAY)

    unenroll(customer=customer, target=target, at=START + DAY, even_if_inactive=True, **ACT)

    assert Stay.objects.get().end_cycle == 1


def test_closes_and_scheduled_leaves_take_effect_in_a_frozen_group():
    target = make_programme(allocation=Allocation.PERIOD_END, target_value=1)
    customer = member(target)
    buy(customer, START + DAY)
    unenroll(customer=customer, target=target, at=START + 2 * DAY, effective="endOfCycle", **ACT)
    freeze(target, START + 3 * DAY)

    closed = list(close_cycles(brand=target.brand, at=in_cycle(2)))
    (standing,) = standings([Participation.objects.get()], in_cycle(2))

    assert [each.granted for each in closed] == [1]
    assert Grant.objects.get().customer == customer
    assert standing.is_enrolled is False


@pytest.mark.parametrize(
    ("frozen_at", "thawed_at", "count"),
    [
        (in_cycle(2), in_cycle(3), 3),  # c2 ended while inactive
        (in_cycle(2), in_cycle(2, 6), 1),  # it was active again when c2 ended
        (in_cycle(2, 30), in_cycle(3), 1),  # frozen at the very instant at which c2 ended: it was over by then
        (in_cycle(2), in_cycle(2, 30), 3),  # active again at that instant: until then nobody could do anything
    ],
)
def test_cycle_that_ends_while_inactive_breaks_no_chain(frozen_at, thawed_at, count):
    target = make_programme(tracking_type=TrackingType.STREAKS, levels=(3,), target_value=1)
    customer = member(target)
    buy(customer, in_cycle(1))
    freeze(target, frozen_at)
    thaw(target, thawed_at)
    buy(customer, in_cycle(3))
    buy(customer, in_cycle(4))

    assert streak_count(customer, target, in_cycle(4)) == count + (count == 1)
    assert Grant.objects.count() == (count == 3)
    assert list(all_violations()) == []


def test_freezing_at_the_instant_at_which_a_cycle_ended_changes_nothing_that_was_counted_then():
    target = make_programme(tracking_type=TrackingType.STREAKS, levels=(2,), target_value=1)
    customer = member(target)
    buy(customer, in_cycle(1))
    buy(customer, in_cycle(3, 0))  # c2 was missed, and this is the first instant of c3

    freeze(target, in_cycle(3, 0))

    assert streak_count(customer, target, in_cycle(3, 0)) == 1
    assert list(all_violations()) == []


def test_group_is_frozen_no_earlier_than_the_last_change_of_somebody_in_it():
    target = make_programme(tracking_type=TrackingType.STREAKS, levels=(2,), target_value=1)
    customer = member(target)
    buy(customer, in_cycle(1))
    buy(customer, in_cycle(3))  # c2 broke the chain

    freeze(target, in_cycle(2))

    assert Inactivity.objects.get().began_at == in_cycle(3)
    assert list(all_violations()) == []


def test_when_it_was_inactive_and_who_made_it_so_is_on_record():
    target = make_programme()

    changes = [
        freeze(target, in_cycle(1)),
        freeze(target, in_cycle(2)),
        thaw(target, in_cycle(3)),
        thaw(target, in_cycle(4)),
    ]

    assert changes == [True, False, True, False]
    assert list(Inactivity.objects.values_list("began_at", "ended_at", "began_by", "ended_by")) == [
        (in_cycle(1), in_cycle(3), "Ann", "Ben")
    ]


def test_inactivity_never_begins_before_the_last_one_ended():
    target = make_programme()
    freeze(target, in_cycle(1))
    thaw(target, in_cycle(3))

    freeze(target, in_cycle(2))

    assert [each.began_at for each in Inactivity.objects.order_by("pk")] == [in_cycle(1), in_cycle(3)]


def test_group_made_inactive_is_on_record_from_the_beginning(site):
    abc = Programme.milestone(site, active=False)

    assert abc.enroll()[1]["errors"][0]["code"] == 310017
    assert Inactivity.objects.get().ended_at is None
