"""Closing a customer's own calendar while he acts (domain.md 8 and 10): the lock of the participation is the guard."""

import re
from collections.abc import Callable
from datetime import datetime

from enrollments.operations import close_own_cycles
from rewards.models import Grant
from targets.enums import Allocation, EvaluationType
from targets.models import Brand, Target
from tests.concurrency.racing import FEWER_ROUNDS, ROW_LOCK, UNGUARDED_ROUNDS, Guard, Race, without_constraints
from tests.concurrency.scenes import (
    BEFORE_COUNTING,
    BEFORE_LEAVING,
    BEFORE_PAYING,
    END,
    JUST_BEFORE_END,
    START,
    Outcome,
    buys,
    counted,
    enrolled,
    leaves,
    outcome,
    sandbox_at,
)
from tests.concurrency.test_races_of_erasing import erases
from tests.factories import make_programme

JOINED = ("ENROLLED", "member", 0)


def own_programme(brand: Brand, target_value: int) -> Target:
    """Cycles of 30 days: begun at START the first one ends at END."""
    return make_programme(
        brand=brand,
        cycles=3,
        window=EvaluationType.CYCLIC_WINDOW,
        allocation=Allocation.PERIOD_END,
        target_value=target_value,
    )


def closes_own(brand: Brand, at: datetime) -> Callable[[], object]:
    return lambda: sum(closed.granted for closed in close_own_cycles(brand=brand, at=at))


def test_unenrolment_and_close_of_his_own_cycle_forfeit_or_pay(race: Race) -> None:
    brand = sandbox_at(END)

    def one_round() -> Outcome:
        target = own_programme(brand, 1)
        customer = enrolled(target, at=START)
        counted(customer, START)
        leaving = leaves(customer, target, opened_at=JUST_BEFORE_END)
        return outcome(customer, race.run(leaving, closes_own(brand, END)))

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_LEAVING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_LEAVING, BEFORE_PAYING))

    forfeits = Outcome(
        ("UNENROLLED", 0), ((1, 1),), (JOINED, ("UNENROLLED", "left_reward_forfeited", 1)), progress=((1, 1),)
    )
    assert unguarded == {forfeits._replace(answers=("UNENROLLED", 1), grants=(1,))}
    assert guarded == {
        forfeits,
        Outcome(("UNENROLLED", 1), ((1, 2),), (JOINED, ("UNENROLLED", "left", 0)), progress=((1, 1),), grants=(1,)),
    }


def test_activity_and_close_of_his_own_cycle_count_and_pay_or_neither(race: Race) -> None:
    brand = sandbox_at(END)

    def one_round() -> Outcome:
        target = own_programme(brand, 2)
        customer = enrolled(target, at=START)
        counted(customer, START)
        return outcome(customer, race.run(buys(customer, opened_at=JUST_BEFORE_END), closes_own(brand, END)))

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_COUNTING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_COUNTING, BEFORE_PAYING))

    pays = Outcome(("counted", 1), ((1, None),), (JOINED,), progress=((1, 2),), grants=(1,))
    assert unguarded == {pays._replace(answers=("counted", 0), grants=())}
    assert guarded == {pays, Outcome(("cycle_closed", 0), ((1, None),), (JOINED,), progress=((1, 1),))}


def test_two_closes_of_his_own_cycle_pay_once(race: Race) -> None:
    brand = sandbox_at(END)

    def one_round() -> Outcome:
        target = own_programme(brand, 1)
        customer = enrolled(target, at=START)
        counted(customer, START)
        return outcome(customer, race.run(closes_own(brand, END), closes_own(brand, END)))

    with without_constraints("rewards_grant", "grant_once_per_cycle"), race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_PAYING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_PAYING, BEFORE_PAYING))

    once = Outcome((1, 0), ((1, None),), (JOINED,), progress=((1, 1),), grants=(1,))
    assert guarded == {once, once._replace(answers=(0, 1))}
    assert unguarded == {once._replace(answers=(1, 1), grants=(1, 1))}


CUSTOMER_LOCK = Guard(re.compile(r" FOR KEY SHARE( OF customer SKIP LOCKED)?"), "")


def test_close_of_his_own_cycle_and_erasure_never_wait_for_each_other_in_a_ring(race: Race) -> None:
    """A grant refers to the customer, whom the eraser has locked before he waits for the participation."""
    brand = sandbox_at(END)

    def one_round() -> tuple[bool, int]:
        target = own_programme(brand, 1)
        customer = enrolled(target, at=START)
        counted(customer, START)
        results = race.run(closes_own(brand, END), erases(customer))
        is_ring = any("deadlock" in str(each) for each in results)
        return is_ring, Grant.objects.filter(customer=customer).count()

    stops = ("UPDATE enrollments_participation", 'SELECT "enrollments_participation"')
    with race.without(CUSTOMER_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=stops, ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=stops)

    assert {is_ring for is_ring, _ in unguarded} == {True}
    assert guarded == {(False, 1)}
