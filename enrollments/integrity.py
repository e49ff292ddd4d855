"""The invariants of domain.md 9, checked over the whole database: for operators, and after every random history.

Most are held by constraints as well; a restored backup, a repair by hand or a bug of ours may still break them. Each
check is one statement, so each sees the database at one instant and can run beside everybody else. Nothing is locked
and nothing is written. It takes a few seconds for each million of stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from enrollments import integrity_own_calendars
from enrollments.integrity_statements import CHAINS, STATEMENTS
from targets.models import Brand

# Each table is read once, and joined by hashing, as written. Looking rows up one by one is quick only where few are
# looked up, and of broken promises the planner expects few, however many rows have to be looked at to find none.
SETTINGS = {"enable_nestloop": "off", "join_collapse_limit": "1", "jit": "off", "work_mem": "'64MB'"}
ONE_PASS = "; ".join(f"SET LOCAL {name} = {value}" for name, value in SETTINGS.items())
AS_EVER = "; ".join(f"SET LOCAL {name} TO DEFAULT" for name in SETTINGS)

WHO_AND_WHERE = """
SELECT brand.name, customer.customer_id, customer.id, target.target_group_id, target.id, found.detail
  FROM found
  JOIN targets_customer customer ON customer.id = found.customer_id
  JOIN targets_target target ON target.id = found.target_id
  JOIN targets_brand brand ON brand.id = customer.brand_id
 WHERE %(brand)s IS NULL OR %(brand)s IN (customer.brand_id, target.brand_id)
 ORDER BY brand.id, customer.customer_id, customer.id, target.id, found.detail
"""


@dataclass(frozen=True)
class Check:
    """`name` is for machines, `promise` says what must hold. `statement` selects customer_id, target_id, detail."""

    name: str
    promise: str
    statement: str

    @property
    def whole_statement(self) -> str:
        """With the parameter `brand`, NULL for all brands."""
        return f"WITH {CHAINS}, found AS ({self.statement}) {WHO_AND_WHERE}"


@dataclass(frozen=True)
class Violation:
    """One place where a promise is broken; `customer_id` is the brand's number, None of an erased customer.

    `customer_key` is his row, which is all that is left of one who was erased.
    """

    check: Check
    brand: str
    customer_id: int | None
    customer_key: int
    target_group_id: int
    target_id: int
    detail: str


CHECKS = tuple(
    Check(name, promise, statement)
    for name, (promise, statement) in (STATEMENTS | integrity_own_calendars.STATEMENTS).items()
)


def violations(check: Check, brand: Brand | None = None) -> list[Violation]:
    """Where the promise of `check` is broken, in the order of brands, customers and targets."""
    parameters: dict[str, Any] = {"brand": brand.pk if brand else None}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{ONE_PASS}; {check.whole_statement}", parameters)
        found = [Violation(check, *row) for row in cursor.fetchall()]
        cursor.execute(AS_EVER)
        return found


def all_violations(brand: Brand | None = None) -> Iterator[Violation]:
    for check in CHECKS:
        yield from violations(check, brand)
