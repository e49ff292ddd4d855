"""How the admin writes instants, days, amounts and cycles: in the programme's time zone, for people."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

from django import template
from django.utils.dateformat import format as date_format
from django.utils.timezone import localtime

from enrollments.receipts import CycleLine
from enrollments.standing import CycleStanding
from targets.models import Cycle

Line = TypeVar("Line", CycleLine, CycleStanding)

register = template.Library()


@register.filter
def instant(at: datetime | None, zone: str) -> str:
    """3 Jan 2026, 14:30 on the wall clock of the zone; the page names the zone."""
    return date_format(localtime(at, ZoneInfo(zone)), "j M Y, H:i") if at else ""


@register.filter
def day(at: datetime, zone: str) -> str:
    """3 Jan 2026 on the calendar of the zone."""
    return date_format(localtime(at, ZoneInfo(zone)), "j M Y")


@register.filter
def days(cycle: Cycle, zone: str) -> str:
    """From the first day of a cycle to the last day inside it, as far as they are known."""
    if cycle.starts_at is None:
        return "not begun"
    first_day = day(cycle.starts_at, zone)
    if cycle.ends_at is None:
        return f"from {first_day}"
    last_day = day(cycle.ends_at - timedelta(microseconds=1), zone)
    return first_day if first_day == last_day else f"{first_day} – {last_day}"


@register.filter
def amount(value: Decimal | None) -> str:
    """Without zeros that say nothing: 2, 2.5, 1,000,000."""
    if value is None:
        return ""
    text = f"{value:,.3f}"
    return text.rstrip("0").rstrip(".")


@register.filter
def of(lines: Sequence[CycleLine], verdicts: str) -> list[CycleLine]:
    """The cycles with one of the verdicts, written with spaces between."""
    return [line for line in lines if line.verdict.value in verdicts.split()]


@register.filter
def allocations(lines: Sequence[CycleStanding]) -> str:
    """When the cycles are rewarded; where they differ, which of them when."""
    named = {line.allocation: [each for each in lines if each.allocation == line.allocation] for line in lines}
    if len(named) == 1:
        return "".join(allocation.label for allocation in named)
    return "; ".join(f"{spans(cycles)}: {allocation.label.lower()}" for allocation, cycles in named.items())


@register.filter
def spans(lines: Sequence[Line]) -> str:
    """The names of cycles, neighbours drawn together: c1, c3 to c7."""
    groups: list[list[Line]] = []
    for line in lines:
        if groups and line.cycle.number == groups[-1][-1].cycle.number + 1:
            groups[-1].append(line)
        else:
            groups.append([line])
    return ", ".join(_span(group) for group in groups)


def _span(group: Sequence[Line]) -> str:
    names = [line.cycle.ref_code for line in group]
    return ", ".join(names) if len(names) < 3 else f"{names[0]} to {names[-1]}"
