"""When periods begin, end and close: wall-clock times of the group's zone."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from targets.calendar import boundary, closing_instant, regular_cycles, start_of_day
from targets.enums import FrequencyType
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


@pytest.mark.parametrize(
    ("zone", "text", "instant"),
    [
        ("America/Sao_Paulo", "2018-11-04T00:00:00", "2018-11-04T03:00:00+00:00"),
        ("America/Sao_Paulo", "2018-11-04T01:00:00-02:00", "2018-11-04T03:00:00+00:00"),
        ("America/Havana", "2026-11-01T00:00:00", "2026-11-01T04:00:00+00:00"),  # midnight comes twice
    ],
)
def test_boundary_is_the_first_instant_of_a_day_whose_midnight_is_skipped_or_comes_twice(zone, text, instant):
    assert boundary(text, ZoneInfo(zone), is_end=False, field="x") == (datetime.fromisoformat(instant), False)


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
        ("1969-12-31T00:00:00", False, "The year is from"),
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


def test_late_day_without_midnight_ends_at_the_midnight_after_it():
    zone = ZoneInfo("Africa/Cairo")
    ends_at = start_of_day(date(2023, 4, 28), zone)

    instant = closing_instant(ends_at, 1, zone)

    assert ends_at.astimezone(zone).isoformat() == "2023-04-28T01:00:00+03:00"
    assert instant.astimezone(zone).isoformat() == "2023-04-29T00:00:00+03:00"


def starts(zone, start, frequency_type, frequency, total):
    """The start of each cycle and the end of the last, as the wall clock of the zone shows them."""
    zone = ZoneInfo(zone)
    cycles = regular_cycles(date.fromisoformat(start), FrequencyType(frequency_type), frequency, total, zone)
    instants = [starts_at for starts_at, _ in cycles] + [cycles[-1][1]]
    return [instant.astimezone(zone).isoformat() for instant in instants]


@pytest.mark.parametrize(
    ("frequency_type", "frequency", "start", "days"),
    [
        ("DAILY", 1, "2026-02-27", ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]),
        ("DAILY", 10, "2026-01-01", ["2026-01-01", "2026-01-11", "2026-01-21", "2026-01-31"]),
        ("CUSTOM", 45, "2024-01-01", ["2024-01-01", "2024-02-15", "2024-03-31", "2024-05-15"]),
        ("WEEKLY", 2, "2026-12-21", ["2026-12-21", "2027-01-04", "2027-01-18", "2027-02-01"]),
        ("MONTHLY", 1, "2026-01-31", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
        ("MONTHLY", 1, "2024-01-31", ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
        ("MONTHLY", 2, "2025-12-31", ["2025-12-31", "2026-02-28", "2026-04-30", "2026-06-30"]),
        ("QUARTERLY", 1, "2025-11-30", ["2025-11-30", "2026-02-28", "2026-05-30", "2026-08-30"]),
        ("HALF_YEARLY", 1, "2026-08-31", ["2026-08-31", "2027-02-28", "2027-08-31", "2028-02-29"]),
        ("YEARLY", 1, "2024-02-29", ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28"]),
        ("YEARLY", 2, "2024-02-29", ["2024-02-29", "2026-02-28", "2028-02-29", "2030-02-28"]),
    ],
)
def test_regular_cycles_are_counted_from_the_start_and_come_back_to_its_day(frequency_type, frequency, start, days):
    found = starts("Asia/Kolkata", start, frequency_type, frequency, 3)

    assert found == [f"{day}T00:00:00+05:30" for day in days]


@pytest.mark.parametrize(
    ("zone", "start", "walls"),
    [
        # A day of 23 hours and one of 25.
        ("Europe/Berlin", "2026-03-29", ["2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"]),
        ("Europe/Berlin", "2026-10-25", ["2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"]),
        ("America/New_York", "2026-03-08", ["2026-03-08T00:00:00-05:00", "2026-03-09T00:00:00-04:00"]),
        ("America/New_York", "2026-11-01", ["2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00"]),
        # Half an hour, and zones off by it or by 45 minutes.
        ("Australia/Lord_Howe", "2026-04-05", ["2026-04-05T00:00:00+11:00", "2026-04-06T00:00:00+10:30"]),
        ("Australia/Adelaide", "2026-10-04", ["2026-10-04T00:00:00+09:30", "2026-10-05T00:00:00+10:30"]),
        ("Pacific/Chatham", "2026-04-05", ["2026-04-05T00:00:00+13:45", "2026-04-06T00:00:00+12:45"]),
        # No midnight: the day begins at one.
        ("America/Sao_Paulo", "2018-11-04", ["2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"]),
        ("Africa/Cairo", "2023-04-28", ["2023-04-28T01:00:00+03:00", "2023-04-29T00:00:00+03:00"]),
        ("Asia/Beirut", "2022-03-27", ["2022-03-27T01:00:00+03:00", "2022-03-28T00:00:00+03:00"]),
        # Two midnights: the day begins at the first.
        ("America/Havana", "2026-11-01", ["2026-11-01T00:00:00-04:00", "2026-11-02T00:00:00-05:00"]),
    ],
)
def test_day_on_which_the_clocks_change_is_one_cycle(zone, start, walls):
    assert starts(zone, start, "DAILY", 1, 1) == walls


def test_day_that_the_zone_left_out_is_no_cycle():
    assert starts("Pacific/Apia", "2011-12-29", "DAILY", 1, 3) == [
        "2011-12-29T00:00:00-10:00",
        "2011-12-31T00:00:00+14:00",
        "2012-01-01T00:00:00+14:00",
        "2012-01-02T00:00:00+14:00",
    ]


def test_week_with_a_day_left_out_is_a_week():
    assert starts("Pacific/Apia", "2011-12-26", "WEEKLY", 1, 1) == [
        "2011-12-26T00:00:00-10:00",
        "2012-01-02T00:00:00+14:00",
    ]


def test_last_cycle_may_end_with_the_last_year():
    assert starts("UTC", "2200-01-01", "YEARLY", 1, 1)[-1] == "2201-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("start", "frequency_type", "frequency"),
    [
        ("2200-01-02", "YEARLY", 1),
        ("2200-12-31", "DAILY", 2),
        ("2026-01-01", "YEARLY", 9_000),  # beyond Python's calendar
        ("2026-01-01", "YEARLY", 2**31 - 1),
        ("2026-01-01", "DAILY", 2**31 - 1),
    ],
)
def test_cycle_that_ends_after_the_last_year_is_refused(start, frequency_type, frequency):
    with pytest.raises(InvalidInput, match="after the year 2200") as refused:
        starts("UTC", start, frequency_type, frequency, 1)

    assert refused.value.field == "totalPeriods"


def test_cycle_that_ends_within_a_day_closes_at_the_same_time_of_a_later_day():
    ends_at = datetime(2026, 3, 28, 12, tzinfo=UTC)  # 13:00; the clocks go forward in the night that follows

    instants = [closing_instant(ends_at, days, BERLIN) for days in (0, 1)]

    assert instants == [ends_at, datetime(2026, 3, 29, 11, tzinfo=UTC)]
