"""A batch of activities at once with another, with a leave, and with a close (domain.md 6 and 8)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from enrollments.operations import ActivityData, record_activities
from targets.enums import Allocation
from tests.concurrency.racing import CALENDAR_LOCK, FEWER_ROUNDS, ROW_LOCK, UNGUARDED_ROUNDS, Race
from tests.concurrency.scenes import (
    BEFORE_BARRING,
    BEFORE_LEAVING,
    END,
    JUST_BEFORE_END,
    a_purchase,
    answer,
    at_door,
    closes,
    counted,
    enrolled,
    flaws,
    leaves,
    outcome,
    running_programme,
    sandbox_at,
)
from tests.factories import START, make_programme

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE_REACHING = "WITH reached AS"
BEFORE_LOADING = "SELECT (stay)"  # all is locked, nothing is read yet


def buy_together(*activities: ActivityData, brand, opened_at=None) -> Callable[[], object]:
    """Answers what became of each."""

    def record(at):
        return tuple(answer(each) for each in record_activities(brand=brand, activities=activities, at=at))

    return lambda: at_door(brand, record, opened_at)


def test_batches_that_name_the_same_customers_in_any_order_take_turns(race: Race) -> None:
    target = running_programme()

    def one_round() -> tuple[object, ...]:
        one, other = enrolled(target), enrolled(target)
        there, back = ([a_purchase(each, timezone.now()) for each in who] for who in ((one, other), (other, one)))
        answers = race.run(buy_together(*there, brand=target.brand), buy_together(*back, brand=target.brand))
        return (
            answers,
            *(outcome(each, (None, None)).progress for each in (one, other)),
            flaws(one) + flaws(other) != [],
        )

    stops = (BEFORE_REACHING, BEFORE_REACHING)
    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=stops, ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=stops)

    both = (("counted", "counted"), ("counted", "counted"))
    assert unguarded.isdisjoint(guarded)
    assert guarded == {(both, ((1, 2),), ((1, 2),), False)}


def test_batches_of_the_same_events_in_any_order_count_each_once(race: Race) -> None:
    """Nobody waits in a ring: events are stored in the order of their ids."""
    target = running_programme()

    def one_round() -> tuple[object, ...]:
        customer = enrolled(target)
        first, second = (a_purchase(customer, timezone.now()) for _ in range(2))
        answers = race.run(
            buy_together(first, second, brand=target.brand), buy_together(second, first, brand=target.brand)
        )
        return frozenset(map(str, answers)), outcome(customer, (None, None)).progress, tuple(flaws(customer))

    seen = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_LOADING, BEFORE_LOADING))

    answers = frozenset({str(("counted", "counted")), str(("duplicate", "duplicate"))})
    assert seen == {(answers, ((1, 2),), ())}


def test_batch_that_achieves_and_unenrolment_keep_the_grant_or_do_not_count(race: Race) -> None:
    target = running_programme(target_value=1)

    def one_round() -> tuple[object, ...]:
        customer, other = enrolled(target), enrolled(target)
        events = [a_purchase(each, timezone.now()) for each in (other, customer)]
        left = outcome(customer, race.run(buy_together(*events, brand=target.brand), leaves(customer, target)))
        return left.grants, left.receipts, left.progress, left.flaws

    stops = (BEFORE_REACHING, BEFORE_LEAVING)
    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=stops, ahead=1)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=stops)

    assert unguarded != guarded
    assert {(grants, receipts[-1][1]) for grants, receipts, _, _ in guarded} == {
        ((1,), "left_reward_kept"),
        ((), "left"),
    }
    assert {flaw for *_, flaw in guarded} == {()}


def test_batch_and_close_count_and_pay_or_neither(race: Race) -> None:
    def one_round() -> tuple[object, ...]:
        brand = sandbox_at(END)
        target = make_programme(brand=brand, allocation=Allocation.PERIOD_END, target_value=2)
        customer = enrolled(target, START)
        counted(customer, START + timedelta(days=1))
        events = [a_purchase(customer, JUST_BEFORE_END - timedelta(seconds=each)) for each in (1, 2)]
        first, second = race.run(buy_together(*events, brand=brand, opened_at=JUST_BEFORE_END), closes(brand, at=END))
        left = outcome(customer, (None, None))
        return first, second, left.progress, left.grants

    with race.without(CALENDAR_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_REACHING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_REACHING, BEFORE_BARRING))

    paid = (("counted", "counted"), 1, ((1, 3),), (1,))
    late = (("cycle_closed", "cycle_closed"), 0, ((1, 1),), ())
    assert unguarded == {(("counted", "counted"), 0, ((1, 3),), ())}
    assert guarded == {paid, late}
