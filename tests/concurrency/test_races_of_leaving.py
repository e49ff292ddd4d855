"""Unenrolling while somebody else changes the same participation (domain.md 8)."""

from datetime import timedelta

from django.utils import timezone

from targets.enums import TrackingType
from tests.concurrency.racing import ROUNDS, ROW_LOCK, UNGUARDED_ROUNDS, Race
from tests.concurrency.scenes import (
    BEFORE_COUNTING,
    BEFORE_LEAVING,
    LENGTH,
    Outcome,
    buys,
    counted,
    enrolled,
    leaves,
    outcome,
    running_programme,
)


def test_two_unenrolments_one_succeeds_and_the_other_is_refused(race: Race) -> None:
    target = running_programme()

    def one_round() -> Outcome:
        customer = enrolled(target)
        return outcome(customer, race.run(leaves(customer, target), leaves(customer, target)))

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_LEAVING, ""), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_LEAVING, BEFORE_LEAVING))

    joined, left = ("ENROLLED", "member", 0), ("UNENROLLED", "left", 0)
    both_left = Outcome(
        ("UNENROLLED", "UNENROLLED"),
        ((1, 1),),
        (joined, left, left),
        flaws=("last change forgotten", "receipt without its end"),
    )
    assert unguarded == {both_left}
    assert guarded == {
        Outcome(("UNENROLLED", 310126), ((1, 1),), (joined, left)),
        Outcome((310126, "UNENROLLED"), ((1, 1),), (joined, left)),
    }


def test_unenrolment_and_achieving_activity_keep_the_grant_or_do_not_count(race: Race) -> None:
    target = running_programme(target_value=2)

    def one_round() -> Outcome:
        customer = enrolled(target)
        counted(customer, timezone.now())
        return outcome(customer, race.run(leaves(customer, target), buys(customer)))

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=("", BEFORE_COUNTING), ahead=1)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_LEAVING, BEFORE_COUNTING))

    joined = ("ENROLLED", "member", 0)
    left_unachieved = ("UNENROLLED", "left", 1)
    left_and_achieved = Outcome(
        ("UNENROLLED", "counted"), ((1, 1),), (joined, left_unachieved), progress=((1, 2),), grants=(1,)
    )
    assert unguarded == {left_and_achieved._replace(flaws=("last change forgotten",))}
    assert guarded == {
        Outcome(("UNENROLLED", "not_enrolled"), ((1, 1),), (joined, left_unachieved), progress=((1, 1),)),
        left_and_achieved._replace(receipts=(joined, ("UNENROLLED", "left_reward_kept", 2))),
    }


def test_unenrolment_and_activity_that_reaches_a_level_keep_the_grant_or_do_not_count(race: Race) -> None:
    starts_at = timezone.now() - LENGTH - timedelta(days=5)
    target = running_programme(
        starts_at=starts_at, tracking_type=TrackingType.STREAKS, levels=(2,), target_value=[1, 2, 1, 1, 1]
    )

    def one_round() -> Outcome:
        customer = enrolled(target, at=starts_at)
        counted(customer, starts_at)
        counted(customer, timezone.now())
        return outcome(customer, race.run(leaves(customer, target), buys(customer)))

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=("", BEFORE_COUNTING), ahead=1)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_LEAVING, BEFORE_COUNTING))

    joined = ("ENROLLED", "member", 0)
    left_unachieved = ("UNENROLLED", "left", 1)
    left_and_reached = Outcome(
        ("UNENROLLED", "counted"), ((1, 2),), (joined, left_unachieved), progress=((1, 1), (2, 2)), grants=(2,)
    )
    assert unguarded == {left_and_reached._replace(flaws=("last change forgotten",))}
    assert guarded == {
        Outcome(("UNENROLLED", "not_enrolled"), ((1, 2),), (joined, left_unachieved), progress=((1, 1), (2, 1))),
        left_and_reached._replace(receipts=(joined, ("UNENROLLED", "left", 2))),
    }
