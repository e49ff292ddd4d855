"""What one activity adds, KPI by KPI: pure functions (domain.md 6)."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from enrollments.measuring import Measure, measure
from enrollments.models import Activity
from targets.enums import Kpi
from targets.models import Target, TargetGroup

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
FIRST_VISIT = Measure(Decimal(1), date(2026, 3, 29))


def measured(kpi, *, visited=(), occurred_at=NOON, time_zone="UTC", **details):
    target = Target(target_group=TargetGroup(time_zone=time_zone), kpi=kpi, attribute_name="steps")
    return measure(target, Activity(occurred_at=occurred_at, **details), lambda day: day in visited)


@pytest.mark.parametrize(
    ("kpi", "details", "delta"),
    [
        (Kpi.COUNT, {}, 1),
        (Kpi.COUNT, {"amount": Decimal(0)}, 1),
        (Kpi.COUNT, {"amount": Decimal(-5)}, -1),
        (Kpi.COUNT, {"quantity": Decimal(-1)}, -1),
        (Kpi.SALES, {"amount": Decimal("3.563"), "quantity": Decimal(9)}, "3.563"),
        (Kpi.SALES, {"amount": Decimal("-2.5")}, "-2.5"),
        (Kpi.SALES, {}, 0),
        (Kpi.GROSS_SALES, {"amount": Decimal("3.563")}, "3.563"),
        (Kpi.GROSS_SALES, {"amount": Decimal("-2.5")}, "-2.5"),
        (Kpi.QUANTITY, {"amount": Decimal(100), "quantity": Decimal("0.125")}, "0.125"),
        (Kpi.QUANTITY, {"quantity": Decimal(-3)}, -3),
        (Kpi.QUANTITY, {"amount": Decimal(100)}, 0),
        (Kpi.EVENT_ATTRIBUTE, {"attributes": {"steps": 5000}}, 5000),
        (Kpi.EVENT_ATTRIBUTE, {"attributes": {"steps": Decimal("0.125")}}, "0.125"),
        (Kpi.EVENT_ATTRIBUTE, {"attributes": {"steps": -20}, "amount": Decimal(7)}, -20),
    ],
)
def test_activity_adds_what_its_kpi_measures(kpi, details, delta):
    assert measured(kpi, **details) == Measure(Decimal(delta))


@pytest.mark.parametrize("attributes", [{}, {"steps": "5000"}, {"steps": None}, {"steps": Decimal("0.1234")}])
def test_attribute_that_is_missing_or_no_amount_cannot_be_added_up(attributes):
    assert measured(Kpi.EVENT_ATTRIBUTE, attributes=attributes) is None


@pytest.mark.parametrize(
    ("details", "visited", "expected"),
    [
        ({}, [], FIRST_VISIT),
        ({}, [date(2026, 3, 28)], FIRST_VISIT),
        ({}, [date(2026, 3, 29)], Measure(Decimal(0))),
        ({"amount": Decimal(-5)}, [], Measure(Decimal(0))),
        ({"quantity": Decimal(-1)}, [], Measure(Decimal(0))),
    ],
)
def test_first_activity_of_a_day_is_its_visit_and_a_return_is_none(details, visited, expected):
    assert measured(Kpi.VISIT, visited=visited, **details) == expected


@pytest.mark.parametrize(
    ("time_zone", "occurred_at", "day"),
    [
        ("Asia/Kolkata", datetime(2026, 3, 28, 18, 29, 59, 999999, UTC), date(2026, 3, 28)),
        ("Asia/Kolkata", datetime(2026, 3, 28, 18, 30, tzinfo=UTC), date(2026, 3, 29)),
        # 23 hours long in Berlin, and 25.
        ("Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC), date(2026, 3, 29)),
        ("Europe/Berlin", datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC), date(2026, 3, 29)),
        ("Europe/Berlin", datetime(2026, 3, 29, 22, tzinfo=UTC), date(2026, 3, 30)),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), date(2026, 10, 25)),
        ("Europe/Berlin", datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC), date(2026, 10, 25)),
        ("Europe/Berlin", datetime(2026, 10, 25, 23, tzinfo=UTC), date(2026, 10, 26)),
        ("America/Los_Angeles", datetime(2026, 1, 1, 7, 59, tzinfo=UTC), date(2025, 12, 31)),
    ],
)
def test_day_of_a_visit_is_of_the_groups_zone(time_zone, occurred_at, day):
    assert measured(Kpi.VISIT, time_zone=time_zone, occurred_at=occurred_at) == Measure(Decimal(1), day)
