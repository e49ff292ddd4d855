"""Many who are unenrolled together while one of them is changed by somebody else (domain.md 8)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from enrollments.batch import Batch, leave_each
from enrollments.enums import Source
from enrollments.foreseen import Foreseen
from enrollments.locks import CALENDAR
from enrollments.models import Participation, Receipt, Stay
from enrollments.planned import Planned, carry_out
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
    guarded = race.rounds(FEWER_ROUNDS // 2, one_round, stops=(BEFORE_LEAVING, BEFORE_ACCOUNTING))

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

    guarded = race.rounds(FEWER_ROUNDS // 2, one_round, stops=(BEFORE_ACCOUNTING, BEFORE_ACCOUNTING))

    assert guarded == {frozenset({("already_left", "unenrolled")})}


def test_two_who_carry_out_the_same_plan_write_it_once_and_tell_the_same(race: Race) -> None:
    """Else the later one would say of each that he had changed since the plan."""
    target = running_programme()
    batch = Batch(brand=target.brand, target=target, by="test", source=Source.COMMAND, is_resumed=True)

    def carrying_out(batch: Batch, plan: list[Planned]) -> Callable[[], str]:
        return lambda: " ".join(f"{left.outcome.value} {left.receipt_id}" for left in carry_out(batch, plan))

    def one_round() -> tuple[int, frozenset[str], int]:
        numbers = [enrolled(target).customer_id or 0 for _ in range(3)]
        looked = leave_each(replace(batch, is_resumed=False, dry_run=True), numbers)
        plan = [Planned(each.customer_id or 0, each.outcome, Foreseen.read(each.facts)) for each in looked]
        same = replace(batch, batch_id=uuid4())
        answers = race.run(carrying_out(same, plan), carrying_out(same, plan))
        outcomes = {word for word in " ".join(map(str, answers)).split() if not word.isdigit()}
        return len(set(answers)), frozenset(outcomes), Receipt.objects.filter(batch_id=same.batch_id).count()

    guarded = race.rounds(FEWER_ROUNDS // 5, one_round, stops=(BEFORE_ACCOUNTING, BEFORE_ACCOUNTING))

    assert guarded == {(1, frozenset({"unenrolled"}), 3)}


@pytest.fixture
def impatient(transactional_db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    yield
    connection.close()  # the next one has the time-out of the settings


@contextmanager
def held_by_another(customers: list[Customer]) -> Iterator[None]:
    """Somebody else is amid changing these enrolments."""
    other = connection.copy()
    try:
        with transaction_of(other), other.cursor() as cursor:
            numbers = [each.pk for each in customers]
            cursor.execute("SELECT FROM enrollments_participation WHERE customer_id = ANY(%s) FOR UPDATE", [numbers])
            yield
    finally:
        other.close()


@contextmanager
def transaction_of(other: BaseDatabaseWrapper) -> Iterator[None]:
    other.set_autocommit(False)
    yield
    other.rollback()


def test_customer_who_is_locked_for_long_keeps_nobody_else_from_leaving(impatient: None) -> None:
    target = running_programme()
    customers = [enrolled(target) for _ in range(3)]
    changed_at = Participation.objects.values_list("changed_at", flat=True).get(customer=customers[1])

    with held_by_another(customers[1:2]):
        outcomes = leave_together(target, customers)()

    assert outcomes == "unenrolled try_again unenrolled"
    assert Receipt.objects.filter(participation__customer=customers[1]).count() == 1
    assert Participation.objects.get(customer=customers[1]).changed_at == changed_at


def test_many_who_are_locked_for_long_are_not_waited_for_one_after_the_other(
    impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enrollments.batch.MOST_TIMEOUTS", 1)
    target = running_programme()
    customers = [enrolled(target) for _ in range(4)]
    batch = Batch(brand=target.brand, target=target, by="test", source=Source.API, batch_id=uuid4())

    with held_by_another(customers[:3]):
        lefts = list(leave_each(batch, [each.customer_id or 0 for each in customers]))

    assert [left.outcome.value for left in lefts] == ["try_again", "try_again", "try_again", "unenrolled"]
    assert [left.has_timed_out for left in lefts] == [True, True, False, False]
    assert lefts[2].message == "Others took too long."


def test_calendar_that_is_barred_for_long_is_told_to_each(impatient: None) -> None:
    target = running_programme()
    customers = [enrolled(target) for _ in range(2)]
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [CALENDAR, target.target_group_id % 2**31])

        outcomes = leave_together(target, customers)()
    finally:
        other.close()

    assert outcomes == "try_again try_again"
    assert Stay.objects.filter(end_cycle=None).count() == 2
