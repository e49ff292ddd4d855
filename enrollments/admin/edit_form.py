"""The form that edits a programme: days as people type them, nothing that may not change (domain.md 7)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms

from enrollments.differences import first_day, last_day, plain
from enrollments.editing import CycleEdit, NewCycle, ProgrammeEdit, ProgrammeState, TargetEdit
from targets.calendar import start_of_day
from targets.enums import Allocation
from targets.errors import DomainError
from targets.models import Cycle, Target
from targets.operations import MAX_LATE_DAYS, PeriodData

NEW_ROWS = 3
DAY = timedelta(days=1)


class DayField(forms.DateField):
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")

    def __init__(self, **options: Any) -> None:
        super().__init__(input_formats=["%Y-%m-%d"], required=False, **options)


class LateDaysField(forms.IntegerField):
    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=MAX_LATE_DAYS, **options)


class ValueField(forms.DecimalField):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=18, decimal_places=3, **options)


class AllocationField(forms.ChoiceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(choices=Allocation.choices, **options)


@dataclass(frozen=True)
class Row:
    """One cycle on the page: what of it can be typed, and why the rest cannot. New ones have no `cycle`."""

    cycle: Cycle | None
    first_day: date | None
    last_day: date | None
    fields: dict[str, Any]
    values: list[tuple[Any, Any]]  # for each target its value and when it is rewarded: a field or what stands
    reason: str


COLUMNS = {
    "ref_code": "Name",
    "first_day": "First day",
    "last_day": "Last day",
    "late_days": "Late days",
    "value": "Value",
    "reward": "When the reward is given",
}


class EditForm(forms.Form):
    """Offers what may change at `at`. `as_edit` takes what was changed on the page, and nothing else."""

    name = forms.CharField(max_length=200, label="Name")
    description = forms.CharField(max_length=255, required=False, label="Description")

    def __init__(self, state: ProgrammeState, at: datetime, data: Any = None) -> None:
        self.state, self.at = state, at
        self.has_calendar = not state.group.has_own_calendars
        group = state.group
        super().__init__(data, initial={"name": group.name, "description": group.description})
        for target in state.targets:
            self._offer_target(target)
        if self.has_calendar:
            self.fields["late_days"] = LateDaysField(
                initial=group.late_days,
                label="Late days",
                help_text="For how many days after its end a cycle takes late activity: all not begun, and new ones.",
            )
            for cycle in state.cycles:
                self._offer_cycle(cycle)
                self._say_where(f"cycle-{cycle.number}", cycle.ref_code)
            for index in range(1, NEW_ROWS + 1):
                self._offer_new(index)
                self._say_where(f"new-{index}", f"new cycle {index}")

    @property
    def seen(self) -> str:
        """What the page was made from: as soon as it differs, the page is to be looked at again."""
        begun = [cycle for cycle in self.state.cycles if self.has_begun(cycle)]
        return f"{self.state.group.version}:{len(begun)}:{sum(self.is_over(cycle) for cycle in begun)}"

    def has_begun(self, cycle: Cycle) -> bool:
        return self.has_calendar and cycle.has_begun(self.at)

    def is_over(self, cycle: Cycle) -> bool:
        return cycle.has_ended(self.at) or cycle.closed_at is not None

    def _offer_target(self, target: Target) -> None:
        self.fields[f"target-{target.pk}-name"] = forms.CharField(max_length=200, label="Name", initial=target.name)
        self.fields[f"target-{target.pk}-description"] = forms.CharField(
            max_length=255, label="Description", required=False, initial=target.description
        )
        self.fields[f"target-{target.pk}-is_active"] = forms.BooleanField(
            required=False, label="Active", initial=target.is_active
        )

    def _offer_cycle(self, cycle: Cycle) -> None:
        prefix, zone = f"cycle-{cycle.number}", self.state.zone
        if self.is_over(cycle):
            return
        self.fields[f"{prefix}-last_day"] = DayField(initial=last_day(cycle, zone))
        if self.has_begun(cycle):
            return
        self.fields[f"{prefix}-first_day"] = DayField(initial=first_day(cycle, zone))
        self.fields[f"{prefix}-late_days"] = LateDaysField(initial=cycle.late_days)
        for target in self.state.targets:
            value = self.state.values[target.pk, cycle.number]
            self.fields[f"{prefix}-value-{target.pk}"] = ValueField(initial=Decimal(plain(value.value)))
            if not self.state.group.is_streak:
                self.fields[f"{prefix}-reward-{target.pk}"] = AllocationField(initial=value.allocation)

    def _offer_new(self, index: int) -> None:
        prefix = f"new-{index}"
        self.fields[f"{prefix}-ref_code"] = forms.CharField(max_length=100, required=False)
        self.fields[f"{prefix}-first_day"] = DayField()
        self.fields[f"{prefix}-last_day"] = DayField()
        for target in self.state.targets:
            last = self.state.values[target.pk, len(self.state.cycles)]
            self.fields[f"{prefix}-value-{target.pk}"] = ValueField(required=False)
            if not self.state.group.is_streak:
                self.fields[f"{prefix}-reward-{target.pk}"] = AllocationField(required=False, initial=last.allocation)

    def _say_where(self, prefix: str, row: str) -> None:
        """For who does not see the table: each field of the row has a name of its own."""
        targets = {str(target.pk): f", {target}" for target in self.state.targets}
        for name, field in self.fields.items():
            if name.startswith(f"{prefix}-"):
                column, _, target_id = name.removeprefix(f"{prefix}-").partition("-")
                field.widget.attrs["aria-label"] = f"{COLUMNS[column]}: {row}{targets.get(target_id, '')}"

    def clean(self) -> dict[str, Any]:
        """A day that is there is not taken away; a new cycle is given whole, or not at all."""
        cleaned: dict[str, Any] = self.cleaned_data
        for name in list(cleaned):
            if name.startswith("cycle-") and name.endswith("_day") and cleaned[name] is None:
                self.add_error(name, "A day is needed.")
        for index in self._new_given():
            prefix = f"new-{index}"
            needed = ["ref_code", "first_day", "last_day", *(f"value-{target.pk}" for target in self.state.targets)]
            for each in needed:
                if cleaned.get(f"{prefix}-{each}") in (None, "") and f"{prefix}-{each}" not in self.errors:
                    self.add_error(f"{prefix}-{each}", "A new cycle needs this.")
        return cleaned

    def _new_given(self) -> list[int]:
        """The rows for new cycles in which anything was typed."""
        typed = [name for name in self.changed_data if name.startswith("new-") and "-reward-" not in name]
        return sorted({int(name.split("-")[1]) for name in typed})

    def as_edit(self) -> ProgrammeEdit:
        cycles = [(cycle.number, self._cycle_edit(cycle)) for cycle in self.state.cycles]
        return ProgrammeEdit(
            name=self._changed("name"),
            description=self._changed("description"),
            late_days=self._changed("late_days"),
            cycles={number: edit for number, edit in cycles if edit != CycleEdit()},
            targets={target.pk: self._target_edit(target) for target in self.state.targets},
            appended=[self._new_cycle(f"new-{index}") for index in self._new_given()],
        )

    def _changed(self, name: str) -> Any:
        return self.cleaned_data[name] if name in self.changed_data else None

    def _cycle_edit(self, cycle: Cycle) -> CycleEdit:
        prefix, zone = f"cycle-{cycle.number}", self.state.zone
        first, last = self._changed(f"{prefix}-first_day"), self._changed(f"{prefix}-last_day")
        return CycleEdit(
            starts_at=first and start_of_day(first, zone),
            ends_at=last and start_of_day(last + DAY, zone),
            late_days=self._changed(f"{prefix}-late_days"),
        )

    def _target_edit(self, target: Target) -> TargetEdit:
        numbers = [cycle.number for cycle in self.state.cycles]
        values = {number: self._changed(f"cycle-{number}-value-{target.pk}") for number in numbers}
        rewards = {number: self._changed(f"cycle-{number}-reward-{target.pk}") for number in numbers}
        return TargetEdit(
            name=self._changed(f"target-{target.pk}-name"),
            description=self._changed(f"target-{target.pk}-description"),
            is_active=self._changed(f"target-{target.pk}-is_active"),
            values={number: value for number, value in values.items() if value is not None},
            allocations={number: Allocation(each) for number, each in rewards.items() if each is not None},
        )

    def _new_cycle(self, prefix: str) -> NewCycle:
        zone, cleaned = self.state.zone, self.cleaned_data
        period = PeriodData(
            cleaned[f"{prefix}-ref_code"],
            start_of_day(cleaned[f"{prefix}-first_day"], zone),
            start_of_day(cleaned[f"{prefix}-last_day"] + DAY, zone),
        )
        rewards = {target.pk: cleaned.get(f"{prefix}-reward-{target.pk}") for target in self.state.targets}
        return NewCycle(
            period,
            {target.pk: cleaned[f"{prefix}-value-{target.pk}"] for target in self.state.targets},
            {target_id: Allocation(each) for target_id, each in rewards.items() if each},
        )

    def refuse(self, refusal: DomainError) -> None:
        """Show a refusal of the operation beside the field that it names."""
        name = self._named(refusal.field or "")
        self.add_error(name if name in self.fields else None, refusal.message)

    def _named(self, path: str) -> str:
        day_of = {"startDate": "first_day", "endDate": "last_day", "lateDays": "late_days", "refCode": "ref_code"}
        if found := re.fullmatch(r"periods\[(\d+)\]\.(\w+)(?:\[(\d+)\])?", path):
            number, rest = int(found[1]), day_of.get(found[2], found[2].removesuffix("s"))
            given, beyond = self._new_given(), number - len(self.state.cycles)
            prefix = f"cycle-{number}" if beyond < 1 else f"new-{given[beyond - 1]}"
            return f"{prefix}-{rest}" + (f"-{found[3]}" if found[3] else "")
        if found := re.fullmatch(r"targets\[(\d+)\]\.(values|allocations)\[(\d+)\]", path):
            return f"cycle-{found[3]}-{'value' if found[2] == 'values' else 'reward'}-{found[1]}"
        if found := re.fullmatch(r"targets\[(\d+)\]\.(\w+)", path):
            return f"target-{found[1]}-{found[2]}"
        return {"lateDays": "late_days"}.get(path, path)

    # For the page

    def target_rows(self) -> Iterator[tuple[Target, list[Any]]]:
        for target in self.state.targets:
            yield target, [self[f"target-{target.pk}-{each}"] for each in ("name", "description", "is_active")]

    def cycle_rows(self) -> Iterator[Row]:
        for cycle in self.state.cycles:
            yield self._row(f"cycle-{cycle.number}", cycle)

    def new_rows(self) -> Iterator[Row]:
        for index in range(1, NEW_ROWS + 1):
            yield self._row(f"new-{index}", None)

    def _row(self, prefix: str, cycle: Cycle | None) -> Row:
        names = ("ref_code", "first_day", "last_day", "late_days")
        fields = {each: self[f"{prefix}-{each}"] for each in names if f"{prefix}-{each}" in self.fields}
        zone = self.state.zone
        return Row(
            cycle=cycle,
            first_day=first_day(cycle, zone) if cycle else None,
            last_day=last_day(cycle, zone) if cycle else None,
            fields=fields,
            values=[self._value(prefix, cycle, each) for each in self.state.targets],
            reason=self._why(cycle),
        )

    def _value(self, prefix: str, cycle: Cycle | None, target: Target) -> tuple[Any, Any]:
        value, reward = f"{prefix}-value-{target.pk}", f"{prefix}-reward-{target.pk}"
        if value in self.fields:
            return self[value], self[reward] if reward in self.fields else ""
        stands = self.state.values[target.pk, cycle.number if cycle else 0]
        return plain(stands.value), "" if self.state.group.is_streak else stands.get_allocation_display()

    def _why(self, cycle: Cycle | None) -> str:
        if cycle is None:
            return ""
        if self.is_over(cycle):
            return "Has ended: it stays as it was."
        return "Has begun: only its last day can move." if self.has_begun(cycle) else ""
