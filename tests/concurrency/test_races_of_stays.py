"""Two stays of one participation, written by nobody who locks it: the trigger of migration 0030 keeps them apart."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from enrollments.models import Participation, Stay
from enrollments.operations import unenroll
from tests.concurrency.racing import FEWER_ROUNDS, UNGUARDED_ROUNDS, Race
from tests.concurrency.scenes import ACT, answer, customer_of, enrolled, running_programme
from tests.factories import participation_without_stay

WRITTEN = "SELECT 'written'"
LOCK = " FOR NO KEY UPDATE"
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


REPLACE = """
DELETE FROM enrollments_run WHERE participation_id = %(pk)s;
DELETE FROM enrollments_participation WHERE id = %(pk)s;
INSERT INTO enrollments_participation (id, brand_id, customer_id, target_id, run_number, first_enrolled_at, changed_at,
                                       closed_through)
SELECT %(pk)s, brand_id, %(customer)s, id, 1, now(), now(), 0 FROM targets_target WHERE id = %(target)s;
INSERT INTO enrollments_run (participation_id, number, started_at) VALUES (%(pk)s, 1, now())
"""


def test_stay_of_a_participation_that_went_and_came_meanwhile_is_refused(race: Race) -> None:
    """The lock that the trigger takes would be on nothing."""
    target = running_programme()

    def replace(participation: Participation) -> str:
        names = {"pk": participation.pk, "customer": participation.customer_id, "target": target.pk}
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(REPLACE, names)
            cursor.execute(WRITTEN)
        return "replaced"

    def one_round() -> tuple[object, ...]:
        participation = participation_without_stay(customer_of(target), target)
        answers = race.run(partial(replace, participation), writes(ADD, participation))
        return *(answer(each) for each in answers), ends(participation)

    seen = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(WRITTEN, ""), ahead=0)

    assert seen == {("replaced", "There is no such participation any more.", ())}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statement", [ADD, MAKE_LONGER], ids=["added", "made longer"])
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_older_snapshot_may_not_add_to_stays_as_it_could_overlook_one(level: str, statement: str) -> None:
    participation = who_has_left()

    with (
        pytest.raises(DatabaseError, match="under READ COMMITTED only"),
        transaction.atomic(),
        connection.cursor() as one,
    ):
        one.execute(f"SET TRANSACTION ISOLATION LEVEL {level}; {statement}", [participation.pk])

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
