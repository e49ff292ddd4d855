"""The trigger of migration 0030, by SQL alone: stays of a participation never overlap, however they are written.

What two transactions do at once is in tests/concurrency/test_races_of_stays.py.
"""

from collections.abc import Iterator

import pytest
from django.db import IntegrityError, connection, transaction

from enrollments.models import Participation, Stay
from tests.factories import CustomerFactory, make_programme, participation_without_stay

ADD = """
INSERT INTO enrollments_stay (participation_id, run_number, first_cycle, end_cycle, leaves_after, leave_receipt_id,
                              enrolled_at)
SELECT %s, 1, first, nullif(ends, 0), CASE WHEN ends > 0 THEN 1 END, CASE WHEN ends > 0 THEN 0 END, now()
  FROM unnest(%s::int[], %s::int[]) stay (first, ends)
"""
OPENED = "end_cycle = NULL, leaves_after = NULL, leave_receipt_id = NULL"
Ends = tuple[int, int | None]


@pytest.fixture
def participations() -> Iterator[list[Participation]]:
    """Two without a stay. Undone at the end, before anybody asks for the receipts that their stays name."""
    target = make_programme(cycles=12)
    customers = CustomerFactory.create_batch(2, brand=target.brand)
    with transaction.atomic():
        yield [participation_without_stay(each, target) for each in customers]
        transaction.set_rollback(True)


def add(participation: Participation, *stays: Ends) -> None:
    """By one statement."""
    with connection.cursor() as cursor:
        firsts, ends = [first for first, _ in stays], [end or 0 for _, end in stays]
        cursor.execute(ADD, [participation.pk, firsts, ends])


def change(change: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE enrollments_stay SET {change}")


def stays(participation: Participation) -> list[Ends]:
    return list(Stay.objects.filter(participation=participation).order_by("pk").values_list("first_cycle", "end_cycle"))


def refused() -> pytest.RaisesExc[IntegrityError]:
    return pytest.raises(IntegrityError, match="never cover the same period")


OVERLAPPING = {
    "two open": ((1, None), (1, None)),
    "two open later": ((1, None), (5, None)),
    "an end in an open one": ((3, None), (1, 4)),
    "one within another": ((1, 9), (3, 4)),
    "a shared cycle": ((1, 4), (3, 6)),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", OVERLAPPING)
def test_overlapping_stays_are_not_added(participations, name):
    one, other = OVERLAPPING[name]

    with refused(), transaction.atomic():
        add(participations[0], one, other)
    add(participations[0], one)
    with refused(), transaction.atomic():
        add(participations[0], other)

    assert stays(participations[0]) == [one]


APART = {
    "one after the other": ((1, 3), (3, None)),
    "a gap": ((1, 3), (5, 7)),
    "empty within an open one": ((1, None), (4, 4)),
    "two empty": ((2, 2), (2, 2)),
    "open after empty": ((1, 1), (1, None)),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", APART)
def test_stays_apart_are_added(participations, name):
    add(participations[0], *APART[name])
    for each in APART[name]:
        add(participations[1], each)

    assert stays(participations[0]) == stays(participations[1]) == list(APART[name])


GROWN = {
    "begins earlier": "first_cycle = 2 WHERE first_cycle = 3",
    "ends later": "end_cycle = 4 WHERE first_cycle = 1",
    "is opened": f"{OPENED} WHERE first_cycle = 1",
    "was empty": "end_cycle = 5 WHERE end_cycle = first_cycle",
    "both grow": "first_cycle = 1, end_cycle = 6 WHERE end_cycle > first_cycle",
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", GROWN)
def test_stay_does_not_grow_into_another(participations, name):
    add(participations[0], (1, 3), (3, 6), (4, 4))

    with refused(), transaction.atomic():
        change(GROWN[name])

    assert stays(participations[0]) == [(1, 3), (3, 6), (4, 4)]


@pytest.mark.django_db
def test_stay_does_not_move_into_another(participations):
    one, other = participations
    add(one, (1, 3))
    add(other, (2, 4))

    with refused(), transaction.atomic():
        change(f"participation_id = {one.pk} WHERE participation_id = {other.pk}")

    assert (stays(one), stays(other)) == ([(1, 3)], [(2, 4)])


ALLOWED = {
    "grows up to the next": ("end_cycle = 4 WHERE first_cycle = 1", [(1, 4), (4, 6)]),
    "the last is opened": (f"{OPENED} WHERE first_cycle = 4", [(1, 3), (4, None)]),
    "shrinks": ("end_cycle = 5 WHERE first_cycle = 4", [(1, 3), (4, 5)]),
    "one grows as the other shrinks": (
        "first_cycle = CASE first_cycle WHEN 4 THEN 5 ELSE 1 END, end_cycle = CASE end_cycle WHEN 6 THEN 6 ELSE 5 END",
        [(1, 5), (5, 6)],
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ALLOWED)
def test_stay_changes_where_it_meets_nobody(participations, name):
    statement, becomes = ALLOWED[name]
    add(participations[0], (1, 3), (4, 6))

    change(statement)

    assert stays(participations[0]) == becomes


@pytest.mark.django_db
def test_look_for_others_is_by_index_though_the_plan_was_made_when_there_was_one_page(participations):
    """Without that, each stay added reads all that were added before: in one transaction no plan is made anew."""
    add(participations[0], (1, 1))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE enrollments_stay")
    before = scanned()

    add(participations[0], *[(2, 2)] * 40)

    assert scanned() == before


def scanned() -> int:
    """From end to end, in this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_get_xact_numscans('enrollments_stay'::regclass)")
        (count,) = cursor.fetchone()
    return int(count)
