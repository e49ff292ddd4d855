"""A brand that has grown since the statistics were made: the planner expects a handful of customers in it."""

import re

import pytest
from django.db import connection

from enrollments.operations import leaving_statements as sql
from targets.models import Brand
from tests.factories import BrandFactory, make_programme

pytestmark = pytest.mark.django_db

KNOWN, ASKED = 2_000, 500
CUSTOMERS = """
INSERT INTO targets_customer (brand_id, customer_id, external_id, first_name, last_name, email, mobile, created_at)
SELECT %s, n, '', '', '', '', '', now() FROM generate_series(1, %s) n
"""
ENROLMENTS = """
INSERT INTO enrollments_participation (brand_id, customer_id, target_id, first_enrolled_at, changed_at, run_number,
                                       closed_through)
SELECT brand_id, id, %s, now(), now(), 1, 0 FROM targets_customer WHERE brand_id = %s
"""


def populate(brand: Brand) -> int:
    target = make_programme(brand=brand)
    with connection.cursor() as cursor:
        cursor.execute(CUSTOMERS, [brand.pk, KNOWN])
        cursor.execute(ENROLMENTS, [target.pk, brand.pk])
    return target.pk


@pytest.mark.parametrize(
    "statement",
    [sql.LOCK.format(waiting=""), sql.TELL_OTHERS],
    ids=["who is locked", "who is not"],
)
def test_leaving_together_looks_each_customer_up_whatever_is_known_of_the_brand(statement):
    populate(BrandFactory())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE targets_customer, enrollments_participation")
    brand = BrandFactory()
    target = populate(brand)
    names = {"brand": brand.pk, "target": target, "others": list(range(1, ASKED + 1))}

    with connection.cursor() as cursor:
        cursor.execute(f"{sql.BY_INDEX}; {sql.STAGE}")
        cursor.execute("INSERT INTO leaving_asked SELECT n, '' FROM generate_series(1, %s) n", [ASKED])
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING off) {statement}", names)
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute(sql.AS_EVER)

    removed = re.findall(r"Rows Removed by (?:Join )?Filter: (\d+)", plan)
    assert [int(each) for each in removed if int(each) > 0] == [], plan
    assert re.search(rf"rows={ASKED} loops=1", plan.splitlines()[0]), plan


@pytest.mark.parametrize("table", ["targets_customer", "enrollments_participation", "rewards_grant"])
def test_statistics_know_a_brand_or_programme_as_soon_as_it_is_a_hundredth(table):
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE oid = %s::regclass", [table])
        (options,) = cursor.fetchone()

    assert "autovacuum_analyze_scale_factor=0.01" in options
