"""Undoing an unenrolment while somebody else changes the same participation (domain.md 5 and 8)."""

from collections.abc import Callable
from uuid import uuid4

from django.utils import timezone

from enrollments.enums import Source
from enrollments.models import Receipt
from enrollments.operations import unenroll
from enrollments.undoing import Undoing, leaves_of_batch, undo_each
from targets.enums import Allocation
from targets.models import Brand, Customer, Target
from tests.concurrency.racing import CALENDAR_LOCK, FEWER_ROUNDS, ROW_LOCK, UNGUARDED_ROUNDS, Race, without_constraints
from tests.concurrency.scenes import (
    ACT,
    BEFORE_BARRING,
    BEFORE_JOINING,
    BEFORE_OUTCOME,
    BEFORE_UNDOING,
    END,
    JUST_BEFORE_END,
    LENGTH,
    START,
    Outcome,
    buys,
    closes,
    counted,
    enrolled,
    joins,
    outcome,
    running_programme,
    sandbox_at,
    undoes,
)
from tests.factories import make_programme

ROUNDS = FEWER_ROUNDS // 4
JOINED, LEFT, UNDONE = ("ENROLLED", "member", 0), ("UNENROLLED", "left", 0), ("UNENROLMENT_UNDONE", "member", 0)


def left(customer: Customer, target: Target, **details: object) -> Receipt:
    return unenroll(customer=customer, target=target, at=timezone.now(), **ACT, **details)


def test_two_undo_the_same_leave_one_succeeds_and_the_other_is_refused(race: Race) -> None:
    target = running_programme()

    def one_round() -> Outcome:
        customer = enrolled(target)
        undoing = undoes(left(customer, target), target.brand)
        return outcome(customer, race.run(undoing, undoing))

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_UNDOING, ""), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_UNDOING, BEFORE_UNDOING))

    once = Outcome(("UNENROLMENT_UNDONE", 300014), ((1, None),), (JOINED, LEFT, UNDONE))
    assert unguarded == {once._replace(answers=("UNENROLMENT_UNDONE", "enrollments_receipt_undoes_id_key"))}
    assert guarded == {once, once._replace(answers=(300014, "UNENROLMENT_UNDONE"))}


def test_activity_beside_undoing_is_counted_once_be_it_by_itself_or_afterwards(race: Race) -> None:
    target = running_programme()

    def one_round() -> Outcome:
        customer = enrolled(target)
        undoing = undoes(left(customer, target), target.brand)
        return outcome(customer, race.run(undoing, buys(customer)))

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=("", BEFORE_OUTCOME), ahead=1)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_UNDOING, BEFORE_OUTCOME))

    forgotten = Outcome(("UNENROLMENT_UNDONE", "not_enrolled"), ((1, None),), (JOINED, LEFT, UNDONE))
    assert unguarded == {forgotten}
    assert guarded == {
        forgotten._replace(receipts=(JOINED, LEFT, ("UNENROLMENT_UNDONE", "member", 1)), progress=((1, 1),)),
        forgotten._replace(answers=("UNENROLMENT_UNDONE", "counted"), progress=((1, 1),)),
    }


def test_undoing_and_close_of_the_cycle_left_bring_him_back_in_time_or_not_at_all(race: Race) -> None:
    brand = sandbox_at(END)

    def one_round() -> Outcome:
        target = make_programme(
            brand=brand,
            starts_at=START,
            cycles=3,
            cycle_length=LENGTH,
            allocation=Allocation.PERIOD_END,
            target_value=1,
        )
        customer = enrolled(target, at=START)
        counted(customer, START)
        leave = unenroll(customer=customer, target=target, at=JUST_BEFORE_END, **ACT)
        return outcome(customer, race.run(undoes(leave, brand, JUST_BEFORE_END), closes(brand, END)))

    with race.without(CALENDAR_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_UNDOING, ""), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_UNDOING, BEFORE_BARRING))

    left_it = (JOINED, ("UNENROLLED", "left_reward_forfeited", 1))
    undone = ("UNENROLMENT_UNDONE", "member", 1)
    unpaid = Outcome(("UNENROLMENT_UNDONE", 0), ((1, None),), (*left_it, undone), progress=((1, 1),))
    assert unguarded == {unpaid}
    assert guarded == {
        unpaid._replace(answers=("UNENROLMENT_UNDONE", 1), grants=(1,)),
        Outcome((300016, 0), ((1, 1),), left_it, progress=((1, 1),)),
    }


def test_undoing_and_enrolling_again_open_one_stay(race: Race) -> None:
    target = running_programme()

    def one_round() -> Outcome:
        customer = enrolled(target)
        undoing = undoes(left(customer, target), target.brand)
        return outcome(customer, race.run(undoing, joins(customer, target)))

    with (
        race.without(ROW_LOCK),
        without_constraints("enrollments_stay", "check_stays_apart_when_added", "check_stays_apart_when_longer"),
    ):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_UNDOING, ""), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_UNDOING, BEFORE_JOINING))

    again = ("REENROLLED", "member", 0)
    assert {len(each.stays) for each in unguarded} == {2}
    assert guarded == {
        Outcome(("UNENROLMENT_UNDONE", 310119), ((1, None),), (JOINED, LEFT, UNDONE)),
        Outcome((300015, "REENROLLED"), ((1, 1), (1, None)), (JOINED, LEFT, again)),
    }


def undo_batch(brand: Brand, target: Target, customers: list[Customer]) -> Callable[[], str]:
    """Answers the outcomes in the order of the customers, whom it unenrols at once."""
    batch_id = uuid4()
    for each in customers:
        left(each, target, batch_id=batch_id)
    undoing = Undoing(brand, "test", Source.API)
    return lambda: " ".join(each.outcome.value for each in undo_each(undoing, leaves_of_batch(brand, batch_id)))


def test_activity_beside_the_undoing_of_a_batch_is_counted_once_too(race: Race) -> None:
    target = running_programme()

    def one_round() -> Outcome:
        customers = [enrolled(target), enrolled(target)]
        undoing = undo_batch(target.brand, target, customers)
        return outcome(customers[0], race.run(undoing, buys(customers[0])))

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=("", BEFORE_OUTCOME), ahead=1)
    guarded = race.rounds(ROUNDS, one_round, stops=("INSERT INTO enrollments_receipt", BEFORE_OUTCOME))

    forgotten = Outcome(("undone undone", "not_enrolled"), ((1, None),), (JOINED, LEFT, UNDONE))
    assert unguarded == {forgotten}
    assert guarded == {
        forgotten._replace(receipts=(JOINED, LEFT, ("UNENROLMENT_UNDONE", "member", 1)), progress=((1, 1),)),
        forgotten._replace(answers=("undone undone", "counted"), progress=((1, 1),)),
    }
