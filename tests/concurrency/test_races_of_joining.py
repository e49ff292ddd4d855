"""Enrolling while somebody else enrols or unenrols the same customer (domain.md 4 and 8)."""

from django.utils import timezone

from enrollments.operations import unenroll
from targets.models import Customer, Target
from tests.concurrency.racing import ROUNDS, ROW_LOCK, UNGUARDED_ROUNDS, Race, without_constraints
from tests.concurrency.scenes import (
    ACT,
    BEFORE_JOINING,
    BEFORE_LEAVING,
    BEFORE_LOOKING,
    Outcome,
    customer_of,
    enrolled,
    joins,
    leaves,
    outcome,
    running_programme,
)

JOINED = ("ENROLLED", "member", 0)
LEFT = ("UNENROLLED", "left", 0)
REJOINED = ("REENROLLED", "member", 0)


def who_has_left(target: Target) -> Customer:
    customer = enrolled(target)
    unenroll(customer=customer, target=target, at=timezone.now(), **ACT)
    return customer


def test_two_first_enrolments_one_succeeds_and_the_other_is_refused(race: Race) -> None:
    """There is no row to lock yet: the constraint holds it."""
    target = running_programme()

    def one_round() -> Outcome:
        customer = customer_of(target)
        return outcome(customer, race.run(joins(customer, target), joins(customer, target)))

    with without_constraints("enrollments_participation", "participation_unique"):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_JOINING, ""), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_JOINING, BEFORE_JOINING))

    both_joined = Outcome(
        ("ENROLLED", "ENROLLED"), ((1, None), (1, None)), (JOINED, JOINED), flaws=("two participations",)
    )
    assert unguarded == {both_joined}
    assert guarded == {
        Outcome(("ENROLLED", 310119), ((1, None),), (JOINED,)),
        Outcome((310119, "ENROLLED"), ((1, None),), (JOINED,)),
    }


def test_two_enrolments_of_one_who_left_one_succeeds_and_the_other_is_refused(race: Race) -> None:
    """Two guards: the lock answers, and behind it the trigger of the stay never lets a second one in."""
    target = running_programme()

    def one_round() -> Outcome:
        customer = who_has_left(target)
        return outcome(customer, race.run(joins(customer, target), joins(customer, target)))

    with race.without(ROW_LOCK):
        unlocked = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_JOINING, ""), ahead=0)
    with (
        without_constraints("enrollments_stay", "check_stays_apart_when_added", "check_stays_apart_when_longer"),
        race.without(ROW_LOCK),
    ):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_JOINING, ""), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_JOINING, BEFORE_JOINING))

    once = Outcome(("REENROLLED", 310119), ((1, 1), (1, None)), (JOINED, LEFT, REJOINED))
    both_joined = Outcome(
        ("REENROLLED", "REENROLLED"),
        ((1, 1), (1, None), (1, None)),
        (JOINED, LEFT, REJOINED, REJOINED),
        flaws=("instants go backwards", "last change forgotten"),
    )
    assert unlocked == {once._replace(answers=("stays_never_overlap", "REENROLLED"))}
    assert unguarded == {both_joined}
    assert guarded == {once, once._replace(answers=(310119, "REENROLLED"))}


def test_enrolment_and_unenrolment_of_one_enrolled_are_one_after_the_other(race: Race) -> None:
    """What could go wrong without the lock is time: he would be back before he left."""
    target = running_programme()

    def one_round() -> Outcome:
        customer = enrolled(target)
        return outcome(customer, race.run(joins(customer, target), leaves(customer, target)))

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_LOOKING, ""), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_LOOKING, BEFORE_LEAVING))

    comes_back = Outcome(("REENROLLED", "UNENROLLED"), ((1, 1), (1, None)), (JOINED, LEFT, REJOINED))
    assert unguarded == {comes_back._replace(flaws=("instants go backwards", "last change forgotten"))}
    assert guarded == {comes_back, Outcome((310119, "UNENROLLED"), ((1, 1),), (JOINED, LEFT))}


def test_enrolment_and_unenrolment_of_one_who_left_are_one_after_the_other(race: Race) -> None:
    """Nothing is shown without the lock: who leaves locks and looks by one statement, so there is no moment between."""
    target = running_programme()

    def one_round() -> Outcome:
        customer = who_has_left(target)
        return outcome(customer, race.run(joins(customer, target), leaves(customer, target)))

    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_JOINING, BEFORE_LEAVING))

    leaves_again = Outcome(("REENROLLED", "UNENROLLED"), ((1, 1), (1, 1)), (JOINED, LEFT, REJOINED, LEFT))
    stays = Outcome(("REENROLLED", 310126), ((1, 1), (1, None)), (JOINED, LEFT, REJOINED))
    assert guarded == {leaves_again, stays}
