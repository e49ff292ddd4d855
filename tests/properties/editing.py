"""What an edit makes of a programme of the reference, or why it is refused: from the rules alone (domain.md 7)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.properties.programme import Cycle, Programme, Refusal, StaleInstant
from tests.properties.reference import Reference

INVALID, IMPOSSIBLE = 300004, 310033
FIXED = "FIXED_CALENDAR_WINDOW"


@dataclass(frozen=True)
class Edit:
    """One thing to change: the `value` of a cycle, its end by so many `days`, or a new cycle that is a day longer."""

    what: str  # value, end, append
    cycle: int
    value: Decimal
    days: int

    def cycle_of(self, programme: Programme, at: datetime) -> Cycle:
        """So many cycles after the one that runs or is the next."""
        ended = sum(1 for each in programme.cycles if each.ends_at <= at)
        return programme.cycles[(ended + self.cycle) % len(programme.cycles)]


def edited(programme: Programme, edit: Edit, customers: Sequence[Reference], at: datetime) -> Programme:
    """The programme afterwards. `customers`: all of it, as the reference knows them."""
    _refuse_stale(programme, customers, at)
    if programme.window != FIXED:
        raise Refusal(IMPOSSIBLE)
    if edit.what == "append":
        return replace(programme, cycles=(*programme.cycles, _new_cycle(programme, edit, at)))
    cycle = edit.cycle_of(programme, at)
    after = _with_value(cycle, edit, customers, at) if edit.what == "value" else _with_end(programme, cycle, edit, at)
    return replace(programme, cycles=tuple(after if each is cycle else each for each in programme.cycles))


def _refuse_stale(programme: Programme, customers: Sequence[Reference], at: datetime) -> None:
    """Not back into what somebody has done, nor into a cycle that was closed (domain.md 3)."""
    if any(each.changed_at is not None and each.changed_at > at for each in customers):
        raise StaleInstant
    ahead = [cycle.number for cycle in programme.cycles if programme.window == FIXED and cycle.ends_at > at]
    if any(each.has_barred(number) for each in customers for number in ahead):
        raise StaleInstant


def _with_value(cycle: Cycle, edit: Edit, customers: Sequence[Reference], at: datetime) -> Cycle:
    """Only of a cycle not begun, and above every balance that was set in it."""
    if edit.value == cycle.target_value:
        return cycle
    is_begun = cycle.starts_at <= at
    is_reached = any(each.value_in(cycle.number) >= edit.value for each in customers)
    if is_begun or (is_reached and edit.value < cycle.target_value):
        raise Refusal(INVALID)
    return replace(cycle, target_value=edit.value)


def _with_end(programme: Programme, cycle: Cycle, edit: Edit, at: datetime) -> Cycle:
    """Of the running cycle and of those not begun: to a local midnight to come, not past the next start."""
    ends_at = cycle.ends_at + timedelta(days=edit.days)
    if ends_at == cycle.ends_at:
        return cycle
    following = programme.cycles[cycle.number : cycle.number + 1]
    is_in_order = cycle.starts_at < ends_at and all(ends_at <= each.starts_at for each in following)
    if cycle.ends_at <= at or not is_in_order or not _may_be_a_boundary(programme, ends_at, at):
        raise Refusal(INVALID)
    return replace(cycle, ends_at=ends_at, closes_at=ends_at + timedelta(days=programme.late_days))


def _new_cycle(programme: Programme, edit: Edit, at: datetime) -> Cycle:
    """After the last one, and still to come; its days are the next whole days in UTC."""
    last = programme.cycles[-1]
    ends_at = last.ends_at + timedelta(days=abs(edit.days) + 1)
    if not _may_be_a_boundary(programme, last.ends_at, at) or not _may_be_a_boundary(programme, ends_at, at):
        raise Refusal(INVALID)
    return Cycle(last.number + 1, last.ends_at, ends_at, ends_at + timedelta(days=programme.late_days), edit.value)


def _may_be_a_boundary(programme: Programme, instant: datetime, at: datetime) -> bool:
    local = instant.astimezone(ZoneInfo(programme.time_zone))
    return instant > at and (local.hour, local.minute) == (0, 0)
