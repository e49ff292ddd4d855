"""Worked examples of the boundaries of a personal calendar: months, leap days and clocks (domain.md 10)."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.properties.examples import WEEKS, WEEKS_PAID_AT_THEIR_END, day, enrolled, spend, starts
from tests.properties.programme import Programme

BERLIN = ZoneInfo("Europe/Berlin")


def local_boundaries(programme: Programme, anchor: datetime) -> list[str]:
    """Of one who enrols and acts at `anchor`: the start of each cycle and the end of the last, on the wall."""
    customer = enrolled(programme, anchor)
    spend(customer, anchor)
    cycles = customer.calendar.cycles
    zone = ZoneInfo(programme.time_zone)
    return [f"{each.astimezone(zone):%d.%m. %H:%M %z}" for each in (*starts(customer), cycles[-1].ends_at)]


def test_months_are_counted_from_the_anchor_and_end_with_the_month_where_it_is_short():
    monthly = replace(WEEKS, frequency_type="MONTHLY")

    assert local_boundaries(monthly, day(31, 9)) == [
        "31.01. 09:00 +0000",
        "28.02. 09:00 +0000",
        "31.03. 09:00 +0000",
        "30.04. 09:00 +0000",
        "31.05. 09:00 +0000",
    ]


@pytest.mark.parametrize(
    ("frequency_type", "frequency", "second"),
    [
        ("DAILY", 3, datetime(2028, 3, 3, tzinfo=UTC)),
        ("CUSTOM", 30, datetime(2028, 3, 30, tzinfo=UTC)),
        ("WEEKLY", 2, datetime(2028, 3, 14, tzinfo=UTC)),
        ("QUARTERLY", 1, datetime(2028, 5, 29, tzinfo=UTC)),
        ("HALF_YEARLY", 1, datetime(2028, 8, 29, tzinfo=UTC)),
        ("YEARLY", 1, datetime(2029, 2, 28, tzinfo=UTC)),
        ("YEARLY", 4, datetime(2032, 2, 29, tzinfo=UTC)),
    ],
)
def test_length_is_the_unit_so_many_times(frequency_type, frequency, second):
    leap_day = datetime(2028, 2, 29, tzinfo=UTC)
    customer = enrolled(replace(WEEKS, frequency_type=frequency_type, frequency=frequency), leap_day)

    spend(customer, leap_day)

    assert starts(customer)[1] == second


def test_boundary_in_a_gap_of_the_clock_is_read_with_the_offset_before_it():
    daily = replace(WEEKS, frequency_type="DAILY", time_zone="Europe/Berlin")

    assert local_boundaries(daily, datetime(2026, 3, 27, 2, 30, tzinfo=BERLIN)) == [
        "27.03. 02:30 +0100",
        "28.03. 02:30 +0100",
        "29.03. 03:30 +0200",
        "30.03. 02:30 +0200",
        "31.03. 02:30 +0200",
    ]


def test_boundary_at_a_time_that_exists_twice_is_the_first():
    daily = replace(WEEKS, frequency_type="DAILY", time_zone="Europe/Berlin")

    assert local_boundaries(daily, datetime(2026, 10, 24, 2, 30, tzinfo=BERLIN))[:3] == [
        "24.10. 02:30 +0200",
        "25.10. 02:30 +0200",
        "26.10. 02:30 +0100",
    ]


def test_anchor_in_the_second_of_two_equal_hours_stays_where_it_is():
    daily = replace(WEEKS, frequency_type="DAILY", time_zone="Europe/Berlin")

    assert local_boundaries(daily, datetime(2026, 10, 25, 1, 30, tzinfo=UTC))[:2] == [
        "25.10. 02:30 +0100",
        "26.10. 02:30 +0100",
    ]


def test_personal_cycle_closes_at_the_local_time_at_which_it_ended():
    programme = replace(WEEKS_PAID_AT_THEIR_END, time_zone="Europe/Berlin")
    anchor = datetime(2026, 3, 21, 8, tzinfo=BERLIN)
    customer = enrolled(programme, anchor)

    spend(customer, anchor)

    first = customer.calendar.cycles[0]
    assert first.ends_at == datetime(2026, 3, 28, 7, tzinfo=UTC)
    assert first.closes_at == datetime(2026, 3, 30, 6, tzinfo=UTC)


def test_what_ends_as_a_day_begins_closes_as_a_day_begins_also_where_midnight_is_skipped():
    beirut = ZoneInfo("Asia/Beirut")
    programme = replace(WEEKS, frequency_type="DAILY", late_days=1, time_zone="Asia/Beirut")
    anchor = datetime(2026, 3, 27, tzinfo=beirut)
    customer = enrolled(programme, anchor)

    spend(customer, anchor)

    first, second, *_ = customer.calendar.cycles
    assert (first.ends_at, first.closes_at) == (
        datetime(2026, 3, 28, tzinfo=beirut),
        datetime(2026, 3, 29, 1, tzinfo=beirut),
    )
    assert (second.ends_at, second.closes_at) == (
        datetime(2026, 3, 29, 1, tzinfo=beirut),
        datetime(2026, 3, 30, tzinfo=beirut),
    )
