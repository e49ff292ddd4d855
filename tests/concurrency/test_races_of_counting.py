"""Two activities of the same customer at once (domain.md 6 and 8)."""

from datetime import timedelta

from django.utils import timezone

from targets.enums import Kpi
from tests.concurrency.racing import ROUNDS, ROW_LOCK, UNGUARDED_ROUNDS, Race, without_constraints
from tests.concurrency.scenes import (
    BEFORE_COUNTING,
    Outcome,
    a_purchase,
    buys,
    counted,
    enrolled,
    outcome,
    running_programme,
)

STAYS = ((1, None),)
RECEIPTS = (("ENROLLED", "member", 0),)


def test_same_event_delivered_twice_counts_once(race: Race) -> None:
    target = running_programme()

    def one_round() -> Outcome:
        customer = enrolled(target)
        counted(customer, timezone.now())
        purchase = a_purchase(customer, timezone.now())
        return outcome(customer, race.run(buys(customer, purchase), buys(customer, purchase)))

    with without_constraints("enrollments_activity", "activity_event_once"):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_COUNTING, BEFORE_COUNTING), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_COUNTING, BEFORE_COUNTING))

    once = Outcome(("counted", "duplicate"), STAYS, RECEIPTS, progress=((1, 2),))
    assert unguarded == {once._replace(answers=("counted", "counted"), progress=((1, 3),), grants=(1,))}
    assert guarded == {once, once._replace(answers=("duplicate", "counted"))}


def test_two_events_both_count_and_achieve_once(race: Race) -> None:
    target = running_programme()

    def one_round() -> Outcome:
        customer = enrolled(target)
        counted(customer, timezone.now())
        return outcome(customer, race.run(buys(customer), buys(customer)))

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_COUNTING, ""), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_COUNTING, BEFORE_COUNTING))

    both = Outcome(("counted", "counted"), STAYS, RECEIPTS, progress=((1, 3),), grants=(1,))
    assert unguarded == {both._replace(progress=((1, 2),), grants=(), flaws=("value is not what was counted",))}
    assert guarded == {both}


def test_two_events_of_one_day_are_one_visit(race: Race) -> None:
    target = running_programme(kpi=Kpi.VISIT, target_value=2)

    def one_round() -> Outcome:
        customer = enrolled(target)
        now = timezone.now()
        counted(customer, now, occurred_at=now - timedelta(days=1))
        visits = [a_purchase(customer, now) for _ in range(2)]
        return outcome(customer, race.run(*(buys(customer, each) for each in visits)))

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_COUNTING, ""), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_COUNTING, BEFORE_COUNTING))

    once = Outcome(("counted", "counted"), STAYS, RECEIPTS, progress=((1, 2),), grants=(1,))
    assert unguarded == {once._replace(answers=("outcome_visit_once", "counted"))}
    assert guarded == {once}
