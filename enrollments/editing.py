"""What an edit of a live programme may change, and what it makes of it: pure functions over loaded rows (domain.md 7).

Preview and commit both ask here; nothing in this module reads a clock or the database.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from django.conf import settings

from targets.calendar import LAST_END, closing_instant, start_of_day
from targets.enums import Allocation
from targets.errors import ImpossibleCombination, InvalidInput, NameTaken
from targets.models import MAX_VALUE, Cycle, Target, TargetGroup, TargetValue
from targets.operations import MAX_LATE_DAYS, PeriodData

# Length of each text, by the model that has it.
LONGEST = {"name": 200, "description": 255, "ref_code": 100}
THOUSANDTH = Decimal("0.001")


@dataclass(frozen=True)
class CycleEdit:
    """What is to become of one cycle; None: as it is."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    description: str | None = None
    late_days: int | None = None


@dataclass(frozen=True)
class TargetEdit:
    """What is to become of one target; values and allocations by the number of the cycle."""

    name: str | None = None
    description: str | None = None
    is_active: bool | None = None
    values: Mapping[int, Decimal] = field(default_factory=dict)
    allocations: Mapping[int, Allocation] = field(default_factory=dict)


@dataclass(frozen=True)
class NewCycle:
    """A cycle to append, with a value for each target by its id. Allocation: as in the cycle before, unless given."""

    period: PeriodData
    values: Mapping[int, Decimal]
    allocations: Mapping[int, Allocation] = field(default_factory=dict)


@dataclass(frozen=True)
class ProgrammeEdit:
    """What is to change: cycles by number, targets by id. `late_days`: of all cycles not begun, and of new ones."""

    name: str | None = None
    description: str | None = None
    late_days: int | None = None
    cycles: Mapping[int, CycleEdit] = field(default_factory=dict)
    targets: Mapping[int, TargetEdit] = field(default_factory=dict)
    appended: Sequence[NewCycle] = ()


@dataclass(frozen=True)
class ProgrammeState:
    """A programme as it is, or is to be. `values` by target id and number of the cycle."""

    group: TargetGroup
    cycles: list[Cycle]
    targets: list[Target]
    values: dict[tuple[int, int], TargetValue]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.group.time_zone)

    def copied(self) -> "ProgrammeState":
        values = {key: copy(value) for key, value in self.values.items()}
        return ProgrammeState(
            copy(self.group), [copy(each) for each in self.cycles], [copy(each) for each in self.targets], values
        )


def edited(state: ProgrammeState, edit: ProgrammeEdit, at: datetime) -> ProgrammeState:
    """The programme as it would be after the edit, `state` left as it is.

    Raises `InvalidInput`, `ImpossibleCombination` and `NameTaken`, with the path of the field: cycles by their number
    (`periods[4].endDate`), targets by their id (`targets[7].name`).
    """
    if state.group.has_own_calendars:
        _refuse_calendar(edit)
    after = state.copied()
    _edit_group(after, edit, at)
    for number, cycle_edit in edit.cycles.items():
        _edit_cycle(after, _cycle(after, number, f"periods[{number}]"), cycle_edit, at)
    for target_id, target_edit in edit.targets.items():
        _edit_target(after, target_id, target_edit, at)
    for new_cycle in edit.appended:
        _append(after, new_cycle, at)
    if not state.group.has_own_calendars:
        _refuse_disorder(state, after)
    return after


def _refuse_calendar(edit: ProgrammeEdit) -> None:
    of_targets = any(each.values or each.allocations for each in edit.targets.values())
    if edit.cycles or edit.appended or edit.late_days is not None or of_targets:
        raise ImpossibleCombination(
            "Each customer of this programme has a calendar of his own: only names, descriptions and whether targets "
            "are active can be edited.",
            field="periods",
        )


def _edit_group(after: ProgrammeState, edit: ProgrammeEdit, at: datetime) -> None:
    group = after.group
    if edit.name is not None:
        group.name = _text(edit.name, "name", "name")
    if edit.description is not None:
        group.description = _text(edit.description, "description", "description")
    if edit.late_days is not None:
        group.late_days = _late_days(edit.late_days, "lateDays")
        for cycle in after.cycles:
            # The same before and after an edit: what has begun keeps its start, all else gets one after `at`.
            if not cycle.has_begun(at):
                cycle.late_days = edit.late_days
                _set_closing(after, cycle)


def _edit_cycle(after: ProgrammeState, cycle: Cycle, edit: CycleEdit, at: datetime) -> None:
    """Only what differs is an edit of it, so a form may send a cycle as it stands."""
    path = f"periods[{cycle.number}]"
    has_begun = cycle.has_begun(at)
    if edit.description is not None and edit.description != cycle.description:
        _refuse_if_over(cycle, at, f"{path}.description")
        cycle.description = _text(edit.description, "description", f"{path}.description")
    if edit.starts_at is not None and edit.starts_at != cycle.starts_at:
        _refuse_if_begun(cycle, has_begun, "start", f"{path}.startDate")
        cycle.starts_at = _midnight(after, edit.starts_at, at, f"{path}.startDate")
    if edit.ends_at is not None and edit.ends_at != cycle.ends_at:
        _refuse_if_over(cycle, at, f"{path}.endDate")
        cycle.ends_at = _midnight(after, edit.ends_at, at, f"{path}.endDate")
        _set_closing(after, cycle)
    if edit.late_days is not None and edit.late_days != cycle.late_days:
        _refuse_if_begun(cycle, has_begun, "late days", f"{path}.lateDays")
        cycle.late_days = _late_days(edit.late_days, f"{path}.lateDays")
        _set_closing(after, cycle)


def _edit_target(after: ProgrammeState, target_id: int, edit: TargetEdit, at: datetime) -> None:
    path = f"targets[{target_id}]"
    target = next((each for each in after.targets if each.pk == target_id), None)
    if target is None:
        raise InvalidInput(f"The target group has no target {target_id}.", field=path)
    if edit.name is not None:
        target.name = _text(edit.name, "name", f"{path}.name")
    if edit.description is not None:
        target.description = _text(edit.description, "description", f"{path}.description")
    if edit.is_active is not None:
        target.is_active = edit.is_active
    for number, value in edit.values.items():
        field_name = f"{path}.values[{number}]"
        cycle = _cycle(after, number, field_name)
        if value != after.values[target_id, number].value:
            _refuse_if_begun(cycle, cycle.has_begun(at), "value", field_name)
            after.values[target_id, number].value = _value(value, field_name)
    for number, allocation in edit.allocations.items():
        field_name = f"{path}.allocations[{number}]"
        cycle = _cycle(after, number, field_name)
        if allocation != after.values[target_id, number].allocation:
            _refuse_if_begun(cycle, cycle.has_begun(at), "allocation", field_name)
            after.values[target_id, number].allocation = _allocation(after, allocation, field_name)


def _append(after: ProgrammeState, new: NewCycle, at: datetime) -> None:
    number = len(after.cycles) + 1
    path = f"periods[{number}]"
    if number > settings.MAX_CYCLES:
        raise InvalidInput(f"A target group has at most {settings.MAX_CYCLES} periods.", field=path)
    ref_code = _text(new.period.ref_code, "ref_code", f"{path}.refCode")
    if any(each.ref_code.lower() == ref_code.lower() for each in after.cycles):
        raise NameTaken(f"The target group already has a period {ref_code!r}.", field=f"{path}.refCode")
    starts_at, ends_at = new.period.starts_at, new.period.ends_at
    if starts_at is None or ends_at is None:
        raise InvalidInput("A new period needs its start and its end.", field=f"{path}.startDate")
    cycle = Cycle(
        target_group=after.group,
        number=number,
        ref_code=ref_code,
        description=_text(new.period.description, "description", f"{path}.description"),
        starts_at=_midnight(after, starts_at, at, f"{path}.startDate"),
        ends_at=_midnight(after, ends_at, at, f"{path}.endDate"),
        late_days=after.group.late_days,
    )
    _set_closing(after, cycle)
    after.cycles.append(cycle)
    after.group.cycle_count = number
    if set(new.values) != {each.pk for each in after.targets}:
        raise InvalidInput("A new period needs one value for each target.", field=f"{path}.values")
    for target in after.targets:
        before = after.values[target.pk, number - 1]
        after.values[target.pk, number] = TargetValue(
            target=target,
            cycle=cycle,
            value=_value(new.values[target.pk], f"{path}.values[{target.pk}]"),
            allocation=_allocation(
                after, new.allocations.get(target.pk, Allocation(before.allocation)), f"{path}.allocations[{target.pk}]"
            ),
        )


def _refuse_disorder(before: ProgrammeState, after: ProgrammeState) -> None:
    """Names what was edited: the start of the later one, or where that is as it was the end of the earlier."""
    starts = {cycle.number: cycle.starts_at for cycle in before.cycles}
    for cycle in after.cycles:
        starts_at, ends_at = cycle.bounds
        if ends_at <= starts_at:
            raise InvalidInput(
                f"Period {cycle.ref_code!r} ends before it starts.", field=f"periods[{cycle.number}].endDate"
            )
    for earlier, later in pairwise(after.cycles):
        if later.bounds[0] < earlier.bounds[1]:
            is_start_edited = starts.get(later.number) != later.starts_at
            raise InvalidInput(
                f"Period {later.ref_code!r} would begin before {earlier.ref_code!r} has ended.",
                field=f"periods[{later.number}].startDate" if is_start_edited else f"periods[{earlier.number}].endDate",
            )


def _cycle(state: ProgrammeState, number: int, path: str) -> Cycle:
    if not 1 <= number <= len(state.cycles):
        raise InvalidInput(f"The target group has no period {number}.", field=path)
    return state.cycles[number - 1]


def _refuse_if_over(cycle: Cycle, at: datetime, path: str) -> None:
    if cycle.has_ended(at) or cycle.closed_at is not None:
        raise InvalidInput(f"Period {cycle.ref_code!r} has ended: it stays as it was.", field=path)


def _refuse_if_begun(cycle: Cycle, has_begun: bool, what: str, path: str) -> None:
    if has_begun or cycle.closed_at is not None:
        raise InvalidInput(f"Period {cycle.ref_code!r} has begun: its {what} stays as it is.", field=path)


def _midnight(state: ProgrammeState, instant: datetime, at: datetime, path: str) -> datetime:
    local = instant.astimezone(state.zone)
    if start_of_day(local.date(), state.zone) != instant:
        raise InvalidInput(f"A period begins and ends at midnight in {state.group.time_zone}.", field=path)
    if instant <= at:
        raise InvalidInput("This lies in the past: choose a day that is still to come.", field=path)
    if local.date() > LAST_END:
        raise InvalidInput(f"A period ends with the year {LAST_END.year - 1} at the latest.", field=path)
    return instant


def _set_closing(state: ProgrammeState, cycle: Cycle) -> None:
    cycle.closes_at = closing_instant(cycle.bounds[1], cycle.late_days, state.zone)


def _text(text: str, kind: str, path: str) -> str:
    stripped = text.strip()
    if not stripped and kind != "description":
        raise InvalidInput("A name is needed.", field=path)
    if len(stripped) > LONGEST[kind] or "\x00" in stripped:
        raise InvalidInput(f"At most {LONGEST[kind]} characters, and no NUL.", field=path)
    return stripped


def _late_days(days: int, path: str) -> int:
    if not 0 <= days <= MAX_LATE_DAYS:
        raise InvalidInput(f"Late days are from 0 to {MAX_LATE_DAYS}.", field=path)
    return days


def _value(value: Decimal, path: str) -> Decimal:
    if not value.is_finite() or not 0 < value <= MAX_VALUE or value != value.quantize(THOUSANDTH):
        raise InvalidInput(
            f"A target value is greater than 0 and at most {MAX_VALUE}, with up to three decimal places.", field=path
        )
    return value


def _allocation(state: ProgrammeState, allocation: Allocation, path: str) -> Allocation:
    if allocation == Allocation.PERIOD_END and state.group.is_streak:
        raise ImpossibleCombination("A streak gives its rewards at once: PERIOD_END is for milestones.", field=path)
    return allocation
