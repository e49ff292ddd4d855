"""Generated calendars, for any start, length, number and zone."""

from calendar import monthrange
from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from targets.calendar import DAYS, MONTHS, regular_cycles

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
]
LEFT_OUT = {"Pacific/Apia": date(2011, 12, 30), "Pacific/Kiritimati": date(1994, 12, 31)}
SECOND = timedelta(seconds=1)

days = st.dates(date(1970, 1, 1), date(2100, 12, 31))
frequencies = st.integers(1, 20)
totals = st.integers(1, 40)
zones = st.sampled_from(ZONES).map(ZoneInfo)


@given(days, st.sampled_from([*DAYS, *MONTHS]), frequencies, st.integers(1, 4), zones)
def test_cycles_follow_each_other_and_begin_with_a_day(start, frequency_type, frequency, total, zone):
    cycles = regular_cycles(start, frequency_type, frequency, total, zone)

    assert len(cycles) == total
    assert all(starts_at < ends_at for starts_at, ends_at in cycles)
    assert all(ends_at == next_starts_at for (_, ends_at), (next_starts_at, _) in pairwise(cycles))
    assert cycles[0][0].astimezone(zone).date() == start
    assert all(begins_its_day(instant, zone) for cycle in cycles for instant in cycle)


@given(days, st.sampled_from(list(DAYS)), frequencies, totals, zones)
def test_cycle_of_days_has_so_many_days_of_the_zone(start, frequency_type, frequency, total, zone):
    length = timedelta(days=frequency * DAYS[frequency_type])

    cycles = regular_cycles(start, frequency_type, frequency, total, zone)

    assert ends(cycles, zone) == [start + number * length for number in range(1, total + 1)]


@given(days, st.sampled_from(list(MONTHS)), st.integers(1, 3), st.integers(1, 30), zones)
def test_cycle_of_months_ends_on_the_day_of_the_start_or_the_last_of_a_shorter_month(
    start, frequency_type, frequency, total, zone
):
    cycles = regular_cycles(start, frequency_type, frequency, total, zone)

    found = ends(cycles, zone)
    months = [(day.year - start.year) * 12 + day.month - start.month for day in found]
    assert months == [number * frequency * MONTHS[frequency_type] for number in range(1, total + 1)]
    assert [day.day for day in found] == [min(start.day, monthrange(day.year, day.month)[1]) for day in found]


@given(st.sampled_from(list(LEFT_OUT)), st.integers(0, 30), st.sampled_from(list(DAYS)), st.integers(1, 9), totals)
def test_day_left_out_of_the_zone_neither_begins_nor_fills_a_cycle(name, days_before, frequency_type, frequency, total):
    zone, left_out = ZoneInfo(name), LEFT_OUT[name]

    cycles = regular_cycles(left_out - timedelta(days=days_before), frequency_type, frequency, total, zone)

    assert len(cycles) == total
    assert all(starts_at < ends_at for starts_at, ends_at in cycles)
    assert all(ends_at == next_starts_at for (_, ends_at), (next_starts_at, _) in pairwise(cycles))
    assert all(begins_its_day(instant, zone) for cycle in cycles for instant in cycle)
    assert left_out not in ends(cycles, zone)


def begins_its_day(instant, zone):
    return (instant - SECOND).astimezone(zone).date() < instant.astimezone(zone).date()


def ends(cycles, zone):
    return [ends_at.astimezone(zone).date() for _, ends_at in cycles]
