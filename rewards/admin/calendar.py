"""The calendar before it is saved: each cycle with its days, its name and its values, which can be changed here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from rewards.admin.fields import AmountField, TextField
from rewards.admin.forms import DraftForm
from targets.calendar import closing_instant
from targets.fields import without_trailing_zeros
from targets.operations import PeriodData
from targets.wording import day, instant


@dataclass(frozen=True)
class Line:
    """One cycle as the preview shows it; without days where each customer has a calendar of his own.

    `note`: what is out of the ordinary about it.
    """

    number: int
    name: forms.BoundField
    values: list[forms.BoundField]
    first_day: str = ""
    last_day: str = ""
    days: int | None = None
    closes: str = ""
    state: str = ""
    note: str = ""


class CalendarForm(DraftForm):
    """Names and values, cycle by cycle.

    What was changed stays when the page goes back and forth; where the value for all was changed since, a cycle that
    just had it follows. So each value that was shown is kept beside what was typed.
    Each of `targets` is its row, its name and the value for all cycles.
    """

    def __init__(
        self, data: Mapping[str, Any], periods: Sequence[PeriodData], targets: Sequence[tuple[int, str, Decimal]]
    ) -> None:
        self.generated = periods
        self.value_for_all = {row: format(without_trailing_zeros(value), "f") for row, _, value in targets}
        super().__init__(dict(self._typed(data)))
        for number, _ in enumerate(periods, 1):
            self.fields[f"cycle-{number}-name"] = TextField(max_length=100, label=f"Name of cycle {number}")
            for row, target, _ in targets:
                self.fields[f"cycle-{number}-value-{row}"] = AmountField(label=f"Value of {target} in cycle {number}")

    def _typed(self, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for number, period in enumerate(self.generated, 1):
            name = f"cycle-{number}-name"
            yield name, data.get(name, period.ref_code)
            for row, for_all in self.value_for_all.items():
                name = f"cycle-{number}-value-{row}"
                was_shown = data.get(f"shown-{row}")
                typed = data.get(name, was_shown)
                yield name, for_all if typed is None or typed == was_shown else typed

    def shown(self) -> list[tuple[str, str]]:
        """For hidden fields: the value for all with which the page was made."""
        return [(f"shown-{row}", value) for row, value in self.value_for_all.items()]

    def periods(self) -> list[PeriodData]:
        return [
            replace(period, ref_code=self.cleaned_data[f"cycle-{number}-name"])
            for number, period in enumerate(self.generated, 1)
        ]

    def values_of(self, row: int) -> list[Decimal]:
        return [self.cleaned_data[f"cycle-{number}-value-{row}"] for number, _ in enumerate(self.generated, 1)]

    def lines(self, zone: ZoneInfo, late_days: int, now: datetime) -> list[Line]:
        return [self._line(number, period, zone, late_days, now) for number, period in enumerate(self.generated, 1)]

    def _line(self, number: int, period: PeriodData, zone: ZoneInfo, late_days: int, now: datetime) -> Line:
        name = self[f"cycle-{number}-name"]
        values = [self[f"cycle-{number}-value-{row}"] for row in self.value_for_all]
        starts_at, ends_at = period.starts_at, period.ends_at
        if starts_at is None or ends_at is None:
            return Line(number, name, values)
        last = ends_at - timedelta(microseconds=1)
        days = (last.astimezone(zone).date() - starts_at.astimezone(zone).date()).days + 1
        return Line(
            number,
            name,
            values,
            first_day=day(starts_at, zone.key),
            last_day=day(last, zone.key),
            days=days,
            closes=instant(closing_instant(ends_at, late_days, zone), zone.key),
            state="over already" if ends_at <= now else "running" if starts_at <= now else "",
            note=clock_change(ends_at - starts_at - timedelta(days=days)),
        )


def clock_change(difference: timedelta) -> str:
    """In words, by how much a cycle is longer or shorter than its days."""
    if not difference:
        return ""
    hours = f"{abs(difference) / timedelta(hours=1):g}"
    noun = "hour" if hours == "1" else "hours"
    return f"{hours} {noun} {'longer' if difference > timedelta(0) else 'shorter'}: the clocks change"
