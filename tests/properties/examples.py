"""One customer of a programme with personal calendars, for the worked examples of `test_reference_*.py`."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.properties.programme import AGNOSTIC, CYCLIC, Counted, NotCounted, Programme, cycles_without_instants
from tests.properties.reference import Reference

TEN = Decimal(10)
MINUTE = timedelta(minutes=1)
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)

WEEKS = Programme(
    "DEFAULT",
    "SALES",
    "IMMEDIATE",
    cycles_without_instants([TEN] * 4),
    window=CYCLIC,
    frequency_type="WEEKLY",
)
WEEKS_PAID_AT_THEIR_END = replace(WEEKS, allocation="PERIOD_END", late_days=2)
OPEN = Programme("DEFAULT", "SALES", "IMMEDIATE", cycles_without_instants([TEN] * 3), window=AGNOSTIC)


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2026, 1, number, hour, tzinfo=UTC)


def enrolled(programme: Programme, at: datetime = BEGINNING, balance: int | None = None) -> Reference:
    customer = Reference(programme)
    customer.enroll(at=at, balance=None if balance is None else Decimal(balance))
    return customer


def spend(
    customer: Reference, occurred_at: datetime, amount: int = 1, at: datetime | None = None
) -> Counted | NotCounted:
    return customer.record(at=at or occurred_at, occurred_at=occurred_at, amount=Decimal(amount))


def starts(customer: Reference) -> list[datetime]:
    return [each.starts_at for each in customer.calendar.cycles]
