"""How the admin writes instants, days, amounts and cycles: in the programme's time zone, for people."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from django import template

from enrollments.receipts import CycleLine
from enrollments.standing import CycleStanding
from targets.models import Cycle
from targets.operations import Change
from targets.wording import amount, day, instant

Line = TypeVar("Line", CycleLine, CycleStanding)

register = template.Library()


register.filter(instant)
register.filter(day)
register.filter(amount)


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
def change_words(change: dict[str, Any]) -> str:
    """One line of a programme's history: what, and from what to what."""
    return str(Change(**change))


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
