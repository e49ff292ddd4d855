"""Two stays of one participation, written by nobody who locks it: the trigger of migration 0030 keeps them apart."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from enrollments.models import Participation, Stay
from enrollments.operations import unenroll
from tests.concurrency.racing import FEWER_ROUNDS, UNGUARDED_ROUNDS, Race
from tests.concurrency.scenes import ACT, answer, enrolled, running_programme

WRITTEN = "SELECT 'written'"
LOCK = "PERFORM FROM enrollments_participation WHERE id = NEW.participation_id FOR NO KEY UPDATE;"
ADD = "INSERT INTO enrollments_stay (participation_id, run_number, first_cycle, enrolled_at) VALUES (%s, 1, 1, now())"
MAKE_LONGER = (
    "UPDATE enrollments_stay SET end_cycle = NULL, left_at = NULL, leave_receipt_id = NULL WHERE participation_id = %s"
)

SCHEDULE = "UPDATE enrollments_stay SET end_cycle = 3, leaves_after = 2, leave_receipt_id = 0 WHERE id = %s"


def who_has_left() -> Participation:
    target = running_programme()
    receipt = unenroll(customer=enrolled(target), target=target, at=timezone.now(), **ACT)
    return receipt.participation


def writes(statement: str, participation: Participation) -> Callable[[], str]:
    """By itself, as a program that knows nothing of Milestreak could."""

    def act() -> str:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, [participation.pk])
            cursor.execute(WRITTEN)
        return "written"

    return act


@contextmanager
def without_lock() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('check_stays_apart'::regproc)")
        (definition,) = cursor.fetchone()
        assert LOCK in definition
        cursor.execute(definition.replace(LOCK, ""))
        try:
            yield
        finally:
            cursor.execute(definition)


def ends(participation: Participation) -> tuple[tuple[int, int | None], ...]:
    return tuple(Stay.objects.filter(participation=participation).values_list("first_cycle", "end_cycle"))


@pytest.mark.parametrize("second", [ADD, MAKE_LONGER], ids=["added", "made longer"])
def test_of_two_stays_that_would_overlap_the_first_is_written(race: Race, second: str) -> None:
    def one_round() -> tuple[object, ...]:
        participation = who_has_left()
        answers = race.run(writes(ADD, participation), writes(second, participation))
        return *(answer(each) for each in answers), ends(participation)

    with without_lock():
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(WRITTEN, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(WRITTEN, ""), ahead=0)

    both = ((1, None), (1, None)) if second is MAKE_LONGER else ((1, 1), (1, None), (1, None))
    assert unguarded == {("written", "written", both)}
    assert guarded == {("written", "stays_never_overlap", ((1, 1), (1, None)))}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_older_snapshot_may_not_add_a_stay_as_it_could_overlook_one(level: str) -> None:
    participation = who_has_left()

    with (
        pytest.raises(DatabaseError, match="under READ COMMITTED only"),
        transaction.atomic(),
        connection.cursor() as one,
    ):
        one.execute(f"SET TRANSACTION ISOLATION LEVEL {level}; {ADD}", [participation.pk])

    assert ends(participation) == ((1, 1),)


@pytest.mark.django_db(transaction=True)
def test_shorter_stay_is_written_under_any_snapshot() -> None:
    """It cannot come to overlap."""
    target = running_programme()
    stay = Stay.objects.get(participation__customer=enrolled(target))

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(SCHEDULE, [stay.pk])
        end = Stay.objects.get(pk=stay.pk).end_cycle
        transaction.set_rollback(True)  # it has no receipt

    assert end == 3
