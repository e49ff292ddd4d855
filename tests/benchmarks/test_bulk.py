"""`make bench`: what unenrolling a whole programme costs, beside plain SQL that writes the same rows.

BULK_CUSTOMERS sets how many customers (100,000), BULK_ROUNDS how often each contender is timed (3).
"""

import os
import statistics
import time
from array import array
from functools import partial
from io import StringIO
from uuid import uuid4

import pytest
from django.db import connection, transaction

from enrollments.batch import CUSTOMERS_AT_ONCE, Batch, leave_each
from enrollments.enums import Source
from enrollments.models import Receipt, Stay
from targets.models import Brand, Target
from tests.benchmarks.test_benchmarks import NOW, publish
from tests.factories import START, BrandFactory, make_programme

CUSTOMERS = int(os.environ.get("BULK_CUSTOMERS", "100000"))
ROUNDS = int(os.environ.get("BULK_ROUNDS", "3"))

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]

REGISTER = """
INSERT INTO targets_customer (brand_id, customer_id, external_id, email, mobile, first_name, last_name, created_at)
SELECT %(brand)s, number, '', '', '', '', '', %(at)s FROM generate_series(1, %(count)s) number
"""
ENROL = (
    """
INSERT INTO enrollments_participation (brand_id, customer_id, target_id, run_number, first_enrolled_at, changed_at,
                                       closed_through)
SELECT %(brand)s, id, %(target)s, 1, %(at)s, %(at)s, 0 FROM targets_customer WHERE brand_id = %(brand)s ORDER BY id
""",
    """
INSERT INTO enrollments_run (participation_id, number, started_at)
SELECT id, 1, %(at)s FROM enrollments_participation WHERE target_id = %(target)s
""",
    """
INSERT INTO enrollments_stay (participation_id, run_number, first_cycle, enrolled_at)
SELECT id, 1, 1, %(at)s FROM enrollments_participation WHERE target_id = %(target)s ORDER BY id
""",
    """
INSERT INTO enrollments_progress (participation_id, run_number, cycle_number, value, adjustment)
SELECT id, 1, 1, 1, 0 FROM enrollments_participation WHERE target_id = %(target)s ORDER BY id
""",
    "ANALYZE",  # as autovacuum does in a database that has grown by itself
)
# The least that writes the same rows; it looks up nothing, and refuses nobody.
PLAIN = """
WITH leaving AS (
  SELECT participation.id AS participation_id, participation.brand_id, stay.id AS stay_id
    FROM floor_asked asked
    JOIN targets_customer customer ON customer.brand_id = %(brand)s AND customer.customer_id = asked.number
    JOIN enrollments_participation participation
      ON participation.customer_id = customer.id AND participation.target_id = %(target)s
    JOIN enrollments_stay stay ON stay.participation_id = participation.id AND stay.end_cycle IS NULL
   ORDER BY participation.id FOR NO KEY UPDATE OF participation
), written AS (
  INSERT INTO enrollments_receipt (brand_id, participation_id, stay_id, kind, batch_id, effective_at, recorded_at,
      source, actor, reason, request_id, run_number, streak_count, cycle_count, from_cycle, first_cycle, end_cycle,
      running_cycle, running_value, running_verdict, ignored_fields)
  SELECT brand_id, participation_id, stay_id, 'UNENROLLED', %(batch)s, %(at)s, %(at)s, 'COMMAND', 'bench', '', '', 1, 0,
         5, 1, 1, 1, 1, 1, 'left', '{}' FROM leaving
  RETURNING id, stay_id, participation_id
), stay AS (
  UPDATE enrollments_stay stay SET end_cycle = 1, left_at = %(at)s, leave_receipt_id = written.id
    FROM written WHERE stay.id = written.stay_id
)
UPDATE enrollments_participation participation SET changed_at = %(at)s
  FROM written WHERE participation.id = written.participation_id
"""


def plain_sql(target: Target, numbers: array, at_once: int) -> None:
    names = {"brand": target.brand_id, "target": target.pk, "at": NOW, "batch": uuid4()}
    for start in range(0, len(numbers), at_once):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE floor_asked (number bigint) ON COMMIT DROP")
            lines = StringIO("".join(f"{number}\n" for number in numbers[start : start + at_once]))
            cursor.copy_expert("COPY floor_asked FROM STDIN", lines)
            cursor.execute(PLAIN, names)


def unenrolling(target: Target, numbers: array) -> None:
    batch = Batch(brand=target.brand, target=target, by="bench", source=Source.COMMAND, batch_id=uuid4())
    for _ in leave_each(batch, numbers):
        pass


def test_bulk() -> None:
    brand = BrandFactory(sandbox=True, clock_at=NOW)
    execute(REGISTER, {"brand": brand.pk, "at": START, "count": CUSTOMERS})
    numbers = array("q", range(1, CUSTOMERS + 1))
    contenders = {
        "unenrolled, as the command does": partial(unenrolling, numbers=numbers),
        "floor: the same rows by plain SQL, in the same chunks": partial(
            plain_sql, numbers=numbers, at_once=CUSTOMERS_AT_ONCE
        ),
        "the same rows by plain SQL at once": partial(plain_sql, numbers=numbers, at_once=CUSTOMERS),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            target = enrolled_by_all(brand)

            start = time.perf_counter()
            run(target)
            seconds[name].append(time.perf_counter() - start)

            assert Stay.objects.filter(participation__target=target, left_at=NOW).count() == CUSTOMERS
            assert Receipt.objects.filter(participation__target=target).count() == CUSTOMERS
    floor = statistics.median(list(seconds.values())[1])
    rows = [["", "seconds", "customers a second", "x floor"]]
    for name, each in seconds.items():
        median = statistics.median(each)
        rows.append([f"{CUSTOMERS:,} {name}", f"{median:.2f}", f"{CUSTOMERS / median:,.0f}", f"{median / floor:.2f}"])
    publish("Bulk", rows)


def enrolled_by_all(brand: Brand) -> Target:
    target = make_programme(brand=brand)
    for statement in ENROL:
        execute(statement, {"brand": brand.pk, "target": target.pk, "at": START})
    return target


def execute(statement: str, names: dict[str, object]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, names)
