"""When periods begin and end: days of the target group's time zone, as sent or counted from a start (api.md 6)."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, groupby, islice, pairwise
from zoneinfo import ZoneInfo

from targets.enums import FrequencyType
from targets.errors import InvalidInput

LAST_SECOND = time(23, 59, 59)
LENGTH_OF_DATE = len("2026-01-31")
EARLIEST_YEAR, LATEST_YEAR = 1970, 2200
LAST_END = date(LATEST_YEAR + 1, 1, 1)

# How long one unit is; CUSTOM counts days.
DAYS = {FrequencyType.DAILY: 1, FrequencyType.WEEKLY: 7, FrequencyType.CUSTOM: 1}
MONTHS = {
    FrequencyType.MONTHLY: 1,
    FrequencyType.QUARTERLY: 3,
    FrequencyType.HALF_YEARLY: 6,
    FrequencyType.YEARLY: 12,
}


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of `day`: midnight, the first of two, or what follows where the clocks skip midnight.

    A day that the zone has left out (Samoa had no 30 December 2011) begins when the next one does.
    """
    return datetime.combine(day, time(), zone).astimezone(UTC)


def regular_cycles(
    start: date, frequency_type: FrequencyType, frequency: int, total: int, zone: ZoneInfo
) -> list[tuple[datetime, datetime]]:
    """`total` cycles from `start` on, each `frequency` units long and beginning where the one before ends.

    Every boundary is counted from `start`: monthly from 31 January they are 28 or 29 February, then 31 March. A cycle
    of nothing but days that the zone has left out is none, and does not count. Raises `InvalidInput` for an end that is
    too late.
    """
    instants = (start_of_day(day, zone) for day in _days(start, frequency_type, frequency))
    boundaries = (instant for instant, _ in groupby(instants))
    return list(pairwise(islice(boundaries, total + 1)))


def _days(start: date, frequency_type: FrequencyType, frequency: int) -> Iterator[date]:
    for number in count():
        try:
            day = _later(start, frequency_type, number * frequency)
        except (OverflowError, ValueError):  # later than Python can say
            day = date.max
        if day > LAST_END:
            raise InvalidInput(
                f"The last cycle would end after the year {LATEST_YEAR}: send fewer or shorter ones.",
                field="totalPeriods",
            )
        yield day


def _later(start: date, frequency_type: FrequencyType, units: int) -> date:
    if frequency_type in DAYS:
        return date.fromordinal(start.toordinal() + units * DAYS[frequency_type])
    months = start.year * 12 + start.month - 1 + units * MONTHS[frequency_type]
    year, month = months // 12, months % 12 + 1
    return date(year, month, min(start.day, monthrange(year, month)[1]))


def own_boundary(
    anchor: datetime, frequency_type: FrequencyType, frequency: int, number: int, zone: ZoneInfo
) -> datetime:
    """Where cycle `number` + 1 of a calendar begun at `anchor` starts: the same local wall time, that much later.

    Counted from the anchor, as `regular_cycles` counts from its start. A wall time that the clocks skip is read with
    the offset before it, of one that comes twice the first is meant.
    """
    if number == 0:
        return anchor
    local = anchor.astimezone(zone)
    day = _later(local.date(), frequency_type, number * frequency)
    return datetime.combine(day, local.time().replace(fold=0), zone).astimezone(UTC)


def boundary(text: str, zone: ZoneInfo, *, is_end: bool, field: str) -> tuple[datetime, bool]:
    """The instant of a period's start or end, and whether another offset was written than the zone has then.

    The wall clock counts, whatever offset is written. An end of 23:59:59 means the next midnight. Raises
    `InvalidInput` naming `field` for anything that is not the first instant of a local day.
    """
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no date and time such as 2026-01-01T00:00:00.", field=field) from None
    if len(text.strip()) <= LENGTH_OF_DATE:
        raise InvalidInput(
            f"{text!r} says no time: send {text.strip()}T{LAST_SECOND if is_end else time()}.", field=field
        )
    if not EARLIEST_YEAR <= written.year <= LATEST_YEAR:
        raise InvalidInput(f"The year is from {EARLIEST_YEAR} to {LATEST_YEAR}.", field=field)
    wall = written.replace(tzinfo=None)
    if is_end and wall.time().replace(microsecond=0) == LAST_SECOND:
        wall = datetime.combine(wall.date(), time()) + timedelta(days=1)
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant != start_of_day(wall.date(), zone):
        allowed = "a midnight, or 23:59:59 for the end of the day" if is_end else "a midnight"
        raise InvalidInput(f"A period begins and ends at {allowed}, not at {wall:%H:%M:%S}.", field=field)
    differs = written.utcoffset() not in (None, written.replace(tzinfo=zone).utcoffset())
    return instant, differs


def closing_instant(ends_at: datetime, late_days: int, zone: ZoneInfo) -> datetime:
    """From when on a cycle accepts no activity: the same local time so many days later.

    A day of 23 or 25 hours is one day, and what ends with a day closes with a day, also where midnight is skipped.
    """
    local = ends_at.astimezone(zone)
    if start_of_day(local.date(), zone) == ends_at:
        return start_of_day(local.date() + timedelta(days=late_days), zone)
    return (local + timedelta(days=late_days)).astimezone(UTC)


def last_second(ends_at: datetime) -> datetime:
    """The last second inside a period, as the published calls show its end."""
    return ends_at - timedelta(seconds=1)
