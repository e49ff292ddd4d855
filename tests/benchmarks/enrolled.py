"""Customers who are all enrolled in one programme, by a few statements."""

from typing import Any

from django.db import connection

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
    # Else the foreign keys of the next are looked up by the plan that is best for the empty table they were.
    "ANALYZE targets_customer, enrollments_participation",
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


def execute(statement: str, names: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, names)
