"""When periods begin, end and close: wall-clock times of the group's zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from targets.calendar import boundary, closing_instant
from targets.errors import InvalidInput

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "is_end", "instant"),
    [
        ("2026-01-01T00:00:00", False, "2025-12-31T23:00:00+00:00"),
        ("2026-03-29T00:00:00", False, "2026-03-28T23:00:00+00:00"),
        ("2026-03-29T23:59:59", True, "2026-03-29T22:00:00+00:00"),
        ("2026-10-25T23:59:59.999", True, "2026-10-25T23:00:00+00:00"),
        ("2026-02-01T00:00:00", True, "2026-01-31T23:00:00+00:00"),
    ],
)
def test_boundary_is_a_midnight_of_the_zone(text, is_end, instant):
    assert boundary(text, BERLIN, is_end=is_end, field="x") == (datetime.fromisoformat(instant), False)


def test_offset_that_is_not_the_zones_is_ignored_and_noticed():
    assert boundary("2026-01-01T00:00:00+05:30", BERLIN, is_end=False, field="x") == (
        datetime(2025, 12, 31, 23, tzinfo=UTC),
        True,
    )


@pytest.mark.parametrize(
    ("text", "is_end", "message"),
    [
        ("2026-01-31", True, "send 2026-01-31T23:59:59"),
        ("2026-01-31", False, "send 2026-01-31T00:00:00"),
        ("2026-01-31T12:00:00", True, "begins and ends at a midnight"),
        ("2026-01-31T23:59:59", False, "begins and ends at a midnight"),
        ("31.1.2026", False, "is no date"),
        ("1969-12-31T00:00:00", False, "the year is from"),
    ],
)
def test_boundary_that_is_no_midnight_is_refused_with_the_remedy(text, is_end, message):
    with pytest.raises(InvalidInput, match=message) as refused:
        boundary(text, BERLIN, is_end=is_end, field="periods[0].endDate")

    assert refused.value.field == "periods[0].endDate"


@pytest.mark.parametrize(
    ("ends_at", "closes_at"),
    [
        ("2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),  # a day of 23 hours
        ("2026-10-24T22:00:00+00:00", "2026-10-25T23:00:00+00:00"),  # a day of 25 hours
        ("2026-06-30T22:00:00+00:00", "2026-07-01T22:00:00+00:00"),
    ],
)
def test_late_day_is_a_day_of_the_zone_however_long(ends_at, closes_at):
    instant = closing_instant(datetime.fromisoformat(ends_at), 1, BERLIN)

    assert instant == datetime.fromisoformat(closes_at)
