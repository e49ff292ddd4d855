"""How instants, days and amounts are written for people."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.dateformat import format as date_format
from django.utils.timezone import localtime


def instant(at: datetime | None, zone: str) -> str:
    """3 Jan 2026, 14:30 on the wall clock of the zone."""
    return date_format(localtime(at, ZoneInfo(zone)), "j M Y, H:i") if at else ""


def when_missed() -> str:
    """When a caller misses what is taken from him now: a process that has just answered him remembers him."""
    return f"within {settings.CALLER_SECONDS} seconds" if settings.CALLER_SECONDS else "from now on"


def day(at: datetime, zone: str) -> str:
    """3 Jan 2026 on the calendar of the zone."""
    return date_format(localtime(at, ZoneInfo(zone)), "j M Y")


def amount(value: Decimal | None) -> str:
    """Without zeros that say nothing: 2, 2.5, 1,000,000."""
    if value is None:
        return ""
    text = f"{value:,.3f}"
    return text.rstrip("0").rstrip(".")
