"""Many who are unenrolled together while one of them is changed by somebody else (domain.md 8)."""

from collections.abc import Callable
from uuid import uuid4

from enrollments.batch import Batch, leave_each
from enrollments.enums import Source
from enrollments.models import Stay
from targets.models import Customer, Target
from tests.concurrency.racing import FEWER_ROUNDS, ROW_LOCK, UNGUARDED_ROUNDS, Race
from tests.concurrency.scenes import BEFORE_LEAVING, Outcome, enrolled, leaves, outcome, running_programme

BEFORE_ACCOUNTING = "INSERT INTO enrollments_receipt"


def leave_together(target: Target, customers: list[Customer]) -> Callable[[], str]:
    """Answers the outcomes in the order of the customers."""
    batch = Batch(brand=target.brand, target=target, by="test", source=Source.API, batch_id=uuid4())
    numbers = [each.customer_id or 0 for each in customers]
    return lambda: " ".join(left.outcome.value for left in leave_each(batch, numbers))


def test_who_leaves_together_and_alone_leaves_once_and_keeps_nobody_else(race: Race) -> None:
    target = running_programme()

    def one_round() -> tuple[Outcome, int]:
        one, other = enrolled(target), enrolled(target)
        answers = race.run(leaves(one, target), leave_together(target, [one, other]))
        return outcome(one, answers), Stay.objects.filter(participation__customer=other, end_cycle=None).count()

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=("", BEFORE_ACCOUNTING), ahead=1)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_LEAVING, BEFORE_ACCOUNTING))

    joined, left = ("ENROLLED", "member", 0), ("UNENROLLED", "left", 0)
    both_left = Outcome(
        ("UNENROLLED", "unenrolled unenrolled"),
        ((1, 1),),
        (joined, left, left),
        flaws=("last change forgotten", "receipt without its end"),
    )
    assert unguarded == {(both_left, 0)}
    assert guarded == {
        (Outcome(("UNENROLLED", "already_left unenrolled"), ((1, 1),), (joined, left)), 0),
        (Outcome((310126, "unenrolled unenrolled"), ((1, 1),), (joined, left)), 0),
    }


def test_two_who_unenrol_the_same_many_never_wait_in_a_ring(race: Race) -> None:
    """Whoever the other one has locked is passed over, and told when the other one is done."""
    target = running_programme()

    def one_round() -> frozenset[tuple[str, ...]]:
        """What each of the customers was answered by the two."""
        customers = [enrolled(target) for _ in range(3)]
        answers = race.run(leave_together(target, customers), leave_together(target, customers))
        return frozenset(tuple(sorted(pair)) for pair in zip(*(str(each).split() for each in answers), strict=True))

    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_ACCOUNTING, BEFORE_ACCOUNTING))

    assert guarded == {frozenset({("already_left", "unenrolled")})}
