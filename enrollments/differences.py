"""What differs between two states of a programme, in words a person understands: the preview and history of an edit."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from enrollments.editing import ProgrammeState
from targets.enums import Allocation
from targets.models import Cycle, Target
from targets.operations import Change

INSTANT = timedelta(microseconds=1)


def differences(before: ProgrammeState, after: ProgrammeState) -> list[Change]:
    """In the order of a form: the programme, its cycles, its targets, what is appended."""
    return [
        *_texts(before.group, after.group, "of the programme"),
        *_differs("late days of new cycles", before.group.late_days, after.group.late_days),
        *(change for old, new in zip(before.cycles, after.cycles, strict=False) for change in _cycle(old, new, after)),
        *(
            change
            for old, new in zip(before.targets, after.targets, strict=True)
            for change in _target(old, new, before, after)
        ),
        *(change for cycle in after.cycles[len(before.cycles) :] for change in _appended(cycle, after)),
    ]


def first_day(cycle: Cycle, zone: ZoneInfo) -> date:
    return _day(cycle.bounds[0], zone)


def last_day(cycle: Cycle, zone: ZoneInfo) -> date:
    """The day in which the cycle ends, as people say it: the last one that belongs to it."""
    return _day(cycle.bounds[1] - INSTANT, zone)


def plain(value: Decimal) -> str:
    """Without the zeros that only fill up: 5, 2.5."""
    return f"{value:f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def _day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def _differs(what: str, before: object, after: object) -> Iterator[Change]:
    if before != after:
        yield Change(what, str(before), str(after))


def _texts(before: Any, after: Any, of: str) -> Iterator[Change]:
    yield from _differs(f"name {of}", before.name, after.name)
    yield from _differs(f"description {of}", before.description, after.description)


def _cycle(before: Cycle, after: Cycle, state: ProgrammeState) -> Iterator[Change]:
    name, zone = before.ref_code, state.zone
    yield from _differs(f"description of {name}", before.description, after.description)
    if not state.group.has_own_calendars:
        yield from _differs(f"first day of {name}", first_day(before, zone), first_day(after, zone))
        yield from _differs(f"last day of {name}", last_day(before, zone), last_day(after, zone))
    yield from _differs(f"late days of {name}", before.late_days, after.late_days)


def _target(old: Target, new: Target, before: ProgrammeState, after: ProgrammeState) -> Iterator[Change]:
    yield from _texts(old, new, f"of target {old.name}")
    yield from _differs(f"target {old.name}", _state(old), _state(new))
    for cycle in before.cycles:
        value, new_value = before.values[old.pk, cycle.number], after.values[old.pk, cycle.number]
        of = f"of {old.name} in {cycle.ref_code}"
        yield from _differs(f"value {of}", plain(value.value), plain(new_value.value))
        yield from _differs(f"reward {of}", _moment(value.allocation), _moment(new_value.allocation))


def _appended(cycle: Cycle, state: ProgrammeState) -> Iterator[Change]:
    days = f"{first_day(cycle, state.zone)} to {last_day(cycle, state.zone)}"
    yield Change(f"new cycle {cycle.ref_code}", None, days)
    for target in state.targets:
        value = state.values[target.pk, cycle.number]
        said = f"{plain(value.value)}, reward {_moment(value.allocation)}"
        yield Change(f"value of {target.name} in {cycle.ref_code}", None, said)


def _state(target: Target) -> str:
    return "active" if target.is_active else "inactive"


def _moment(allocation: str) -> str:
    return Allocation(allocation).label.lower()
