"""Reading the dates of periods: wall-clock times in the time zone of the target group (api.md 6)."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from targets.errors import InvalidInput

LAST_SECOND = time(23, 59, 59)
LENGTH_OF_DATE = len("2026-01-31")
EARLIEST_YEAR, LATEST_YEAR = 1970, 2200


def boundary(text: str, zone: ZoneInfo, *, is_end: bool, field: str) -> tuple[datetime, bool]:
    """The instant of a period's start or end, and whether another offset was written than the zone has then.

    The wall clock counts, whatever offset is written. An end of 23:59:59 means the next midnight. Raises
    `InvalidInput` naming `field` for anything that is not a local midnight.
    """
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{field}: {text!r} is no date and time such as 2026-01-01T00:00:00.", field=field) from None
    if len(text.strip()) <= LENGTH_OF_DATE:
        raise InvalidInput(
            f"{field}: {text!r} says no time: send {text.strip()}T{LAST_SECOND if is_end else time()}.", field=field
        )
    if not EARLIEST_YEAR <= written.year <= LATEST_YEAR:
        raise InvalidInput(f"{field}: the year is from {EARLIEST_YEAR} to {LATEST_YEAR}.", field=field)
    wall = written.replace(tzinfo=None)
    if is_end and wall.time().replace(microsecond=0) == LAST_SECOND:
        wall = datetime.combine(wall.date(), time()) + timedelta(days=1)
    if wall.time() != time():
        allowed = "a midnight, or 23:59:59 for the end of the day" if is_end else "a midnight"
        raise InvalidInput(f"{field}: a period begins and ends at {allowed}, not at {wall:%H:%M:%S}.", field=field)
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    differs = written.utcoffset() not in (None, written.replace(tzinfo=zone).utcoffset())
    return instant, differs


def closing_instant(ends_at: datetime, late_days: int, zone: ZoneInfo) -> datetime:
    """From when on a cycle accepts no activity (domain.md 3): a day of 23 or 25 hours is one day."""
    return (ends_at.astimezone(zone) + timedelta(days=late_days)).astimezone(UTC)


def last_second(ends_at: datetime) -> datetime:
    """The last second inside a period, as the published calls show its end."""
    return ends_at - timedelta(seconds=1)
