"""The closing job at work while customers act (domain.md 3 and 8).

The doors have taken their instant just before the cycle ends; the clock has gone on to its end when they act.
"""

import pytest

from enrollments.decisions import Leave, decide_leave
from targets.enums import Allocation
from targets.models import Brand, Target
from tests.concurrency.racing import CALENDAR_LOCK, ROUNDS, ROW_LOCK, UNGUARDED_ROUNDS, Race, without_constraints
from tests.concurrency.scenes import (
    BEFORE_BARRING,
    BEFORE_COUNTING_FIRST,
    BEFORE_JOINING,
    BEFORE_LEAVING,
    BEFORE_PAYING,
    END,
    JUST_BEFORE_END,
    LENGTH,
    START,
    Outcome,
    buys,
    closes,
    counted,
    customer_of,
    enrolled,
    joins,
    leaves,
    outcome,
    sandbox_at,
)
from tests.factories import make_programme

JOINED = ("ENROLLED", "member", 0)


def due_programme(brand: Brand, **details: object) -> Target:
    """A programme of the round's own: its first cycle has ended and is to be closed."""
    settings = {"cycles": 3, "cycle_length": LENGTH, "allocation": Allocation.PERIOD_END, "target_value": 1}
    return make_programme(brand=brand, starts_at=START, **settings | details)


def test_unenrolment_and_close_of_the_cycle_left_forfeit_or_pay(race: Race) -> None:
    brand = sandbox_at(END)

    def one_round() -> Outcome:
        target = due_programme(brand)
        customer = enrolled(target, at=START)
        counted(customer, START)
        leaving = leaves(customer, target, opened_at=JUST_BEFORE_END)
        return outcome(customer, race.run(leaving, closes(brand, END)))

    with race.without(CALENDAR_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_LEAVING, ""), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_LEAVING, BEFORE_BARRING))

    forfeits = Outcome(
        ("UNENROLLED", 0), ((1, 1),), (JOINED, ("UNENROLLED", "left_reward_forfeited", 1)), progress=((1, 1),)
    )
    assert unguarded == {forfeits._replace(answers=("UNENROLLED", 1), grants=(1,))}
    assert guarded == {
        forfeits,
        Outcome(("UNENROLLED", 1), ((1, 2),), (JOINED, ("UNENROLLED", "left", 0)), progress=((1, 1),), grants=(1,)),
    }


def test_unenrolment_and_close_of_the_cycle_before_pay_it(race: Race, monkeypatch: pytest.MonkeyPatch) -> None:
    """No lock holds this one: that a stay is a range does. Taken away, leaving takes finished cycles along."""
    closing = END + LENGTH / 3
    brand = sandbox_at(closing)

    def one_round() -> Outcome:
        target = due_programme(brand, late_days=10)
        customer = enrolled(target, at=START)
        counted(customer, START)
        return outcome(customer, race.run(leaves(customer, target), closes(brand, closing)))

    def leave_everything(**known: object) -> Leave:
        return decide_leave(**known)._replace(end_cycle=known["first_cycle"])

    with monkeypatch.context() as patch:
        patch.setattr("enrollments.operations.leaving.decide_leave", leave_everything)
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_LEAVING, BEFORE_BARRING))

    pays = Outcome(("UNENROLLED", 1), ((1, 2),), (JOINED, ("UNENROLLED", "left", 0)), progress=((1, 1),), grants=(1,))
    assert unguarded == {pays._replace(answers=("UNENROLLED", 0), stays=((1, 1),), grants=())}
    assert guarded == {pays}


def test_activity_and_close_count_and_pay_or_neither(race: Race) -> None:
    brand = sandbox_at(END)

    def one_round() -> Outcome:
        target = due_programme(brand)
        customer = enrolled(target, at=START)
        return outcome(customer, race.run(buys(customer, opened_at=JUST_BEFORE_END), closes(brand, END)))

    with race.without(CALENDAR_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_COUNTING_FIRST, ""), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_COUNTING_FIRST, BEFORE_BARRING))

    pays = Outcome(("counted", 1), ((1, None),), (JOINED,), progress=((1, 1),), grants=(1,))
    assert unguarded == {pays._replace(answers=("counted", 0), grants=())}
    assert guarded == {pays, Outcome(("cycle_closed", 0), ((1, None),), (JOINED,))}


def test_enrolment_with_balance_and_close_join_and_pay_or_join_the_next(race: Race) -> None:
    brand = sandbox_at(END)

    def one_round() -> Outcome:
        target = due_programme(brand)
        customer = customer_of(target)
        joining = joins(customer, target, opened_at=JUST_BEFORE_END, initial_balance=1)
        return outcome(customer, race.run(joining, closes(brand, END)))

    with race.without(CALENDAR_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_JOINING, ""), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_JOINING, BEFORE_BARRING))

    joined = ("ENROLLED", "member", 1)
    pays = Outcome(("ENROLLED", 1), ((1, None),), (joined,), progress=((1, 1),), grants=(1,))
    assert unguarded == {pays._replace(answers=("ENROLLED", 0), grants=())}
    assert guarded == {pays, Outcome(("ENROLLED", 0), ((2, None),), (joined,), progress=((2, 1),))}


def test_two_closes_pay_once(race: Race) -> None:
    """Two guards: workers take turns on the row of the cycle, and a cycle pays a customer once."""
    brand = sandbox_at(END)

    def one_round() -> Outcome:
        target = due_programme(brand)
        customer = enrolled(target, at=START)
        counted(customer, START)
        return outcome(customer, race.run(closes(brand, END), closes(brand, END)))

    with without_constraints("rewards_grant", "grant_once_per_cycle"), race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_PAYING, ""), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_PAYING, BEFORE_PAYING))

    once = Outcome((1, 0), ((1, None),), (JOINED,), progress=((1, 1),), grants=(1,))
    assert unguarded == {once._replace(answers=(1, 1), grants=(1, 1))}
    assert guarded == {once, once._replace(answers=(0, 1))}
