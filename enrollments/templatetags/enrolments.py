"""How the admin writes instants, days, amounts and cycles: in the programme's time zone, for people."""

from collections.abc import Sequence
from datetime import timedelta

from django import template

from enrollments.receipts import CycleLine
from targets.models import Cycle
from targets.wording import amount, day, instant

register = template.Library()


register.filter(instant)
register.filter(day)
register.filter(amount)


@register.filter
def days(cycle: Cycle, zone: str) -> str:
    """From the first day of a cycle to the last day inside it."""
    last = cycle.ends_at - timedelta(microseconds=1)
    first_day, last_day = day(cycle.starts_at, zone), day(last, zone)
    return first_day if first_day == last_day else f"{first_day} – {last_day}"


@register.filter
def of(lines: Sequence[CycleLine], verdicts: str) -> list[CycleLine]:
    """The cycles with one of the verdicts, written with spaces between."""
    return [line for line in lines if line.verdict.value in verdicts.split()]


@register.filter
def spans(lines: Sequence[CycleLine]) -> str:
    """The names of cycles, neighbours drawn together: c1, c3 to c7."""
    groups: list[list[CycleLine]] = []
    for line in lines:
        if groups and line.cycle.number == groups[-1][-1].cycle.number + 1:
            groups[-1].append(line)
        else:
            groups.append([line])
    return ", ".join(_span(group) for group in groups)


def _span(group: list[CycleLine]) -> str:
    names = [line.cycle.ref_code for line in group]
    return ", ".join(names) if len(names) < 3 else f"{names[0]} to {names[-1]}"
