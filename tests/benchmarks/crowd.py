"""Tens of thousands of enrolled customers, by a few statements."""

from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from tests.factories import BrandFactory, make_programme

STATEMENTS = (
    """
    INSERT INTO targets_customer (
      brand_id, customer_id, external_id, first_name, last_name, email, mobile, created_at)
    SELECT %(brand)s, number, '', '', '', '', '', %(at)s FROM generate_series(%(first)s, %(last)s) number
    """,
    """
    INSERT INTO enrollments_participation (
      brand_id, customer_id, target_id, run_number, first_enrolled_at, changed_at, closed_through)
    SELECT %(brand)s, id, %(target)s, 1, %(at)s, %(at)s, 0 FROM targets_customer
     WHERE brand_id = %(brand)s AND customer_id BETWEEN %(first)s AND %(last)s ORDER BY customer_id
    """,
    *(
        f"""
        INSERT INTO {table} ({columns})
        SELECT {values} FROM enrollments_participation participation
          JOIN targets_customer customer ON customer.id = participation.customer_id
         WHERE participation.target_id = %(target)s AND customer.customer_id BETWEEN %(first)s AND %(last)s
         ORDER BY participation.id
        """
        for table, columns, values in (
            ("enrollments_run", "participation_id, number, started_at", "participation.id, 1, %(at)s"),
            (
                "enrollments_stay",
                "participation_id, run_number, first_cycle, enrolled_at",
                "participation.id, 1, 1, %(at)s",
            ),
            (
                "enrollments_progress",
                "participation_id, run_number, cycle_number, value, adjustment, balance_at",
                "participation.id, 1, 1, 1, 1, %(at)s",
            ),
        )
    ),
)


class Crowd:
    """Customers 1, 2, ... of a brand that lives in real time, all in the running first cycle of one milestone."""

    def __init__(self, **details: object) -> None:
        self.brand = BrandFactory()
        self.enrolled_at = datetime.now(UTC) - timedelta(days=1)
        starts_at = self.enrolled_at - timedelta(days=1)
        self.target = make_programme(brand=self.brand, starts_at=starts_at, **details)
        self.customers = 0

    def enrol(self, count: int) -> int:
        """Register and enrol so many more, each with a balance of 1 of 3; the number of the first of them."""
        first, self.customers = self.customers + 1, self.customers + count
        numbers = {"first": first, "last": self.customers, "at": self.enrolled_at}
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in STATEMENTS:
                cursor.execute(statement, {"brand": self.brand.pk, "target": self.target.pk, **numbers})
                # Autovacuum may look while none of these rows is committed, and find the tables empty.
                cursor.execute("ANALYZE targets_customer, enrollments_participation")
        return first

    def analyze(self) -> None:
        """As autovacuum does in a database that has grown by itself."""
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
