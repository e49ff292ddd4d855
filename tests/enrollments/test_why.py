"""“Why?” in states that last a moment, or that take more than the published cases."""

from datetime import timedelta
from decimal import Decimal

import pytest

from enrollments.enums import Effective
from enrollments.models import Participation
from enrollments.operations import ActivityData, change_reward, close_cycles, closing, record_activity, unenroll
from enrollments.standing import standings
from enrollments.why import known_of, why_cycle
from targets.enums import Allocation, EvaluationType, TrackingType
from targets.models import Cycle
from tests.enrollments.admin_scene import ACT, buy, enrolled, programme
from tests.factories import START

pytestmark = pytest.mark.django_db


def sentence(participation, number, at):
    (standing,) = standings([participation], at)
    (known,) = known_of([standing], at)
    return next(why_cycle(standing, line, known).text for line in standing.cycles if line.cycle.number == number)


def test_what_was_promised_when_the_cycle_closed_will_be_granted_whatever_is_changed_while_it_is_paid():
    target = programme(allocation=Allocation.PERIOD_END)
    participation = enrolled(target, achieved=True)
    cycle = Cycle.objects.get(target_group=target.target_group, number=1)
    closing._bar(cycle, cycle.closes_at)
    later = cycle.closes_at + timedelta(minutes=1)
    change_reward(target=target, reward=None, at=later, by="marketing")

    before = sentence(participation, 1, later)
    list(close_cycles(brand=target.brand, at=later))

    assert before == "Will be granted: 1 of 1 reached, and the rewards of the cycle are being given."
    assert sentence(participation, 1, later).startswith("Granted on ")


@pytest.mark.parametrize(
    ("window", "on"),
    [
        (EvaluationType.FIXED_CALENDAR_WINDOW, "30 Jan"),
        (EvaluationType.CYCLIC_WINDOW, "31 Jan"),  # begins with the purchase of 2 Jan, at midnight
        (EvaluationType.PERIOD_AGNOSTIC_WINDOW, "2 Jan"),  # ends with it
    ],
)
def test_leave_at_the_end_of_a_cycle_is_of_its_last_day(window, on):
    target = programme(window=window)
    participation = enrolled(target)
    unenroll(customer=participation.customer, target=target, at=START, effective=Effective.END_OF_CYCLE, **ACT)
    buy(target, participation.customer, START + timedelta(days=1))
    participation = Participation.objects.get(pk=participation.pk)

    found = [sentence(participation, number, START + timedelta(days=90)) for number in (2, 5)]

    assert found == [f"Not a member: the enrolment ended with c1, on {on} 2026."] * 2


@pytest.mark.parametrize(
    ("details", "ending"),
    [
        ({"tracking_type": TrackingType.STREAKS, "levels": (2,)}, ": it counts for the streak."),
        ({"rewarded": False}, ", when no reward was promised for it."),
    ],
)
def test_what_was_achieved_stays_so_though_a_return_has_lowered_the_value(details, ending):
    target = programme(**details)
    participation = enrolled(target, achieved=True)
    number = participation.customer.customer_id
    returned = ActivityData("returned", "purchase", number, START, amount=Decimal(-5))
    record_activity(brand=target.brand, activity=returned, at=START + timedelta(days=1))

    assert sentence(participation, 1, START + timedelta(days=1)) == (
        f"Achieved on 1 Jan 2026{ending} It stands at 0 of 1 now, which takes nothing away."
    )
