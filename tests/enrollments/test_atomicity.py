"""All of an operation or nothing of it, whichever of its writes fails and however (domain.md 8)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import Error

from enrollments.enums import Effective, Source
from enrollments.models import Participation
from enrollments.operations import (
    ActivityData,
    archive_activities,
    cancel_leave,
    change_reward,
    close_cycles,
    closing,
    enroll,
    erase_customer,
    record_activity,
    restore_activities,
    unenroll,
    unenroll_together,
)
from rewards.enums import RewardKind
from rewards.models import Grant
from rewards.operations import RewardData, define_programme
from targets.enums import Allocation, Kpi, SecretForm, TrackingType
from targets.models import Cycle, Target
from targets.operations import GroupData, LevelData, PeriodData, TargetData, create_brand, create_target_group
from tests.factories import START, BrandFactory, CustomerFactory, make_programme
from tests.faults import Fault, everything, fails, fault_at_write, is_killed

pytestmark = pytest.mark.django_db(transaction=True)

ACT = {"by": "test", "source": Source.API}
DAY = timedelta(days=1)
LENGTH = 30 * DAY
END = START + LENGTH

Act = Callable[[], object]
faults = pytest.mark.parametrize("fault", [fails, is_killed])


# Operations: each makes what it needs, and answers the call that is to be done wholly or not at all.


def first_enrolment() -> Act:
    target = make_programme()
    customer = CustomerFactory(brand=target.brand)
    return lambda: enroll(customer=customer, target=target, at=START, **ACT)


def enrolment_with_balance_that_achieves() -> Act:
    target = make_programme()
    customer = CustomerFactory(brand=target.brand)
    return lambda: enroll(customer=customer, target=target, at=START, initial_balance=Decimal(3), **ACT)


def enrolment_again_with_reset() -> Act:
    target, customer = a_streak_with_one_cycle_achieved()
    unenroll(customer=customer, target=target, at=START + DAY, **ACT)
    return lambda: enroll(customer=customer, target=target, at=START + 2 * DAY, reset_streak=True, **ACT)


def unenrolment() -> Act:
    target, customer = a_streak_with_one_cycle_achieved()
    return lambda: unenroll(customer=customer, target=target, at=START + DAY, **ACT)


def unenrolment_at_the_end_of_the_cycle() -> Act:
    target, customer = a_streak_with_one_cycle_achieved()
    return lambda: unenroll(customer=customer, target=target, at=START + DAY, effective=Effective.END_OF_CYCLE, **ACT)


def unenrolment_of_two_together() -> Act:
    target, customer = a_streak_with_one_cycle_achieved()
    other = CustomerFactory(brand=target.brand)
    enroll(customer=other, target=target, at=START, **ACT)
    numbers = [customer.customer_id, other.customer_id]
    return lambda: unenroll_together(target=target, customer_ids=numbers, at=START + DAY, **ACT)


def leave_cancelled() -> Act:
    target, customer = a_streak_with_one_cycle_achieved()
    unenroll(customer=customer, target=target, at=START + DAY, effective=Effective.END_OF_CYCLE, **ACT)
    return lambda: cancel_leave(customer=customer, target=target, at=START + 2 * DAY, **ACT)


def activity_that_achieves_a_milestone() -> Act:
    target = make_programme(target_value=1)
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=START, **ACT)
    return lambda: buy(customer, START + DAY)


def activity_that_reaches_two_levels() -> Act:
    target = make_programme(tracking_type=TrackingType.STREAKS, levels=(1, 2), target_value=1, late_days=30)
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=START, **ACT)
    buy(customer, END)
    Grant.objects.get(level__target_count=1)
    return lambda: buy(customer, END, occurred_at=START)


def activity_that_counts_in_two_targets() -> Act:
    first = make_programme(target_value=1)
    second = make_programme(brand=first.brand, target_value=1)
    customer = CustomerFactory(brand=first.brand)
    for target in (first, second):
        enroll(customer=customer, target=target, at=START, **ACT)
    return lambda: buy(customer, START + DAY)


def activity_that_counts_for_nothing() -> Act:
    target = make_programme()
    customer = CustomerFactory(brand=target.brand)
    return lambda: buy(customer, START + DAY)


def activity_archived() -> Act:
    target, _ = a_streak_with_one_cycle_achieved()
    list(close_cycles(brand=target.brand, at=END))
    return lambda: list(archive_activities(before=END))


def activity_restored() -> Act:
    activity_archived()()
    return lambda: list(restore_activities())


def target_group_created() -> Act:
    brand = BrandFactory()
    return lambda: create_target_group(brand=brand, data=a_streak_group(), at=START, by="test")


def programme_defined() -> Act:
    brand = BrandFactory()
    points = RewardData("100 points", RewardKind.POINTS, Decimal(100))
    return lambda: define_programme(
        brand=brand, group=a_streak_group(), rewards=[None], level_rewards=[points, points], at=START, by="test"
    )


def reward_changed() -> Act:
    target = make_programme()
    coffee = RewardData("Coffee", RewardKind.COUPON)
    return lambda: change_reward(target=target, reward=coffee, at=START, by="test")


def brand_created() -> Act:
    return lambda: create_brand(
        name="ABC", time_zone="UTC", sandbox=False, username="abc-api", secret_form=SecretForm.PLAIN, at=START
    )


def customer_erased() -> Act:
    target, customer = a_streak_with_one_cycle_achieved()
    other = make_programme(brand=target.brand)
    enroll(customer=customer, target=other, at=START, reason="by phone", **ACT)
    return lambda: erase_customer(customer=customer, at=START + DAY, **ACT)


OPERATIONS = [
    first_enrolment,
    enrolment_with_balance_that_achieves,
    enrolment_again_with_reset,
    unenrolment,
    unenrolment_at_the_end_of_the_cycle,
    unenrolment_of_two_together,
    leave_cancelled,
    activity_that_achieves_a_milestone,
    activity_that_reaches_two_levels,
    activity_that_counts_in_two_targets,
    activity_that_counts_for_nothing,
    activity_archived,
    activity_restored,
    target_group_created,
    programme_defined,
    reward_changed,
    brand_created,
    customer_erased,
]


def buy(customer, at, *, occurred_at=None):
    activity = ActivityData(f"at {at}, of {occurred_at}", "purchase", customer.customer_id, occurred_at or at)
    return record_activity(brand=customer.brand, activity=activity, at=at)


def a_streak_with_one_cycle_achieved():
    target = make_programme(tracking_type=TrackingType.STREAKS, levels=(1, 2), target_value=1)
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=START, **ACT)
    buy(customer, START)
    return target, customer


def a_streak_group() -> GroupData:
    return GroupData(
        name="XYZ",
        tracking_type=TrackingType.STREAKS,
        time_zone="UTC",
        periods=[PeriodData("c1", START, END), PeriodData("c2", END, END + LENGTH)],
        targets=[TargetData("XYZ", Kpi.COUNT, [Decimal(1)])],
        levels=[LevelData("one", 1), LevelData("two", 2)],
    )


BY_ONE_STATEMENT = (unenrolment, unenrolment_at_the_end_of_the_cycle, activity_archived)


@faults
@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_that_breaks_at_any_write_leaves_nothing_and_can_be_repeated(
    operation: Callable[[], Act], fault: Fault
) -> None:
    act = operation()
    before = everything()

    for number in count(1):
        try:
            with fault_at_write(number, fault):
                act()
        except Error:
            assert everything() == before
        else:
            break

    writes = number - 1
    assert writes >= (1 if operation in BY_ONE_STATEMENT else 2)
    assert everything() != before


# Closing is done in steps: barring, then payments in chunks. Each step is done wholly or not at all.

CUSTOMERS = 5
CHUNK = 2
STEPS_WRITE = 1 + 3 * 2 + 1  # barring; three chunks, each the grants and how far it came; that all is paid


@faults
@pytest.mark.parametrize("number", range(1, STEPS_WRITE + 1))
def test_close_that_breaks_at_any_write_keeps_whole_chunks_and_pays_the_rest_once(
    number: int, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "CHUNK", CHUNK)
    target = make_programme(cycles=2, allocation=Allocation.PERIOD_END, target_value=1)
    customers = [CustomerFactory(brand=target.brand) for _ in range(CUSTOMERS)]
    for customer in customers:
        enroll(customer=customer, target=target, at=START, initial_balance=Decimal(1), **ACT)

    with pytest.raises(Error), fault_at_write(number, fault):
        list(close_cycles(brand=target.brand, at=END))
    paid_before = Grant.objects.count()
    paid_through = Cycle.objects.get(target_group=target.target_group, number=1).paid_through
    paid_up_to_there = who_are_paid() == participants(target, up_to=paid_through)
    closed = list(close_cycles(brand=target.brand, at=END))
    again = list(close_cycles(brand=target.brand, at=END))

    chunks_paid = max(0, number - 2) // 2
    assert paid_before == min(CUSTOMERS, chunks_paid * CHUNK)
    assert paid_up_to_there
    assert [(each.cycle.number, each.granted) for each in closed] == [(1, CUSTOMERS - paid_before)]
    assert who_are_paid() == sorted(customer.pk for customer in customers)
    assert again == []


def who_are_paid() -> list[int]:
    return sorted(Grant.objects.values_list("customer", flat=True))


def participants(target: Target, *, up_to: int) -> list[int]:
    return sorted(Participation.objects.filter(target=target, pk__lte=up_to).values_list("customer", flat=True))
