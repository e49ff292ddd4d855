"""A programme that is being defined: all forms of the page together, and the definition that they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from rewards.admin.calendar import CalendarForm
from rewards.admin.conditions import ROWS, ConditionForm, mark_repeated, match_of
from rewards.admin.forms import DraftForm, LevelForm, ProgrammeForm, RewardForm, TargetForm
from rewards.operations import RewardData
from targets.enums import Allocation, Entity, EvaluationType, FrequencyType, Kpi, TrackingType
from targets.errors import InvalidInput
from targets.models import Brand
from targets.models.programme import MAX_LEVELS
from targets.operations import GroupData, LevelData, PeriodData, TargetData, regular_periods, unbound_periods
from targets.operations.programmes import MAX_TARGETS
from targets.queries import as_id

FIRST_LEVELS = 3
MOST_VALUES = 5_000  # names and values of a calendar that one page can hold


@dataclass(frozen=True)
class Definition:
    """What is given to `define_programme`: rewards in the order of targets and levels."""

    brand: Brand
    group: GroupData
    rewards: list[RewardData | None]
    level_rewards: list[RewardData | None]


class TargetRow:
    """One target: its form, its conditions, its reward. `number` is its place on the page, from 0."""

    def __init__(self, number: int, data: Mapping[str, Any] | None, **options: Any) -> None:
        self.number = number
        self.prefix = f"target-{number}"
        self.form = TargetForm(data, prefix=self.prefix, **options)
        self.reward = RewardForm(data, prefix=f"{self.prefix}-reward", **options)
        self.conditions = [
            ConditionForm(data, prefix=f"{self.prefix}-condition-{row}", **options) for row in range(ROWS)
        ]

    @property
    def forms(self) -> list[DraftForm]:
        return [self.form, self.reward, *self.conditions]

    @cached_property
    def judged(self) -> list[DraftForm]:
        """Its forms, after the conditions were compared with each other."""
        mark_repeated(self.conditions)
        return self.forms

    def has_errors(self) -> bool:
        return any(form.errors for form in self.judged)

    def has_conditions(self) -> bool:
        return any(form["attribute"].value() or form["value"].value() for form in self.conditions)


class LevelRow:
    """One streak level with its reward."""

    def __init__(self, number: int, data: Mapping[str, Any] | None, **options: Any) -> None:
        self.number = number
        self.form = LevelForm(data, prefix=f"level-{number}", **options)
        self.reward = RewardForm(data, prefix=f"level-{number}-reward", **options)

    @property
    def forms(self) -> list[DraftForm]:
        return [self.form, self.reward]

    def has_errors(self) -> bool:
        return any(form.errors for form in self.forms)


def is_left_out(row: TargetRow | LevelRow) -> bool:
    """Whether it was said so, or nothing was typed into it."""
    is_said = row.form["left_out"].value() in (True, "on", "true", "True")
    return is_said or not any(form.has_changed() for form in row.forms)


class Draft:
    """What was typed so far; `data` is None before anything was. `more` names rows of which there shall be one more.

    `brands`: those for which he may define programmes.
    """

    def __init__(
        self, data: Mapping[str, Any] | None, brands: QuerySet[Brand], *, is_judged: bool = True, more: str = ""
    ) -> None:
        self.data = data
        self.problems: list[str] = []
        self.programme = ProgrammeForm(data, is_judged=is_judged, brands=brands)
        targets, levels = self.counted("targets", 1, MAX_TARGETS), self.counted("levels", FIRST_LEVELS, MAX_LEVELS)
        self.targets = [TargetRow(number, data, is_judged=is_judged) for number in range(targets)]
        self.levels = [LevelRow(number, data, is_judged=is_judged) for number in range(levels)]
        # One target there must be: of nothing but empty ones the first is meant.
        self.kept_targets = [row for row in self.targets if not is_left_out(row)] or self.targets[:1]
        self.kept_levels = [row for row in self.levels if not is_left_out(row)]
        rows: list[TargetRow | LevelRow] = [*self.targets, *self.levels]
        for form in (form for row in rows if row not in self.kept_rows for form in row.forms):
            form.is_judged = False
        # With nothing typed in it a new row begins like one of a fresh page.
        if more == "target" and targets < MAX_TARGETS:
            self.targets.append(TargetRow(targets, None, is_judged=False))
        if more == "level" and levels < MAX_LEVELS:
            self.levels.append(LevelRow(levels, None, is_judged=False))

    def counted(self, name: str, first: int, most: int) -> int:
        return min(most, (as_id(self.data.get(name, "")) or first) if self.data is not None else first)

    @property
    def kept_rows(self) -> list[TargetRow | LevelRow]:
        return [*self.kept_targets, *self.kept_levels]

    def is_right(self) -> bool:
        """Whether each field for itself is; all are judged, so that all errors are shown at once."""
        wrong = [row.has_errors() for row in self.kept_rows]
        return not self.programme.errors and not any(wrong)

    def has_errors(self) -> bool:
        """Whether a field is marked on the page as wrong."""
        return bool(self.programme.errors) or any(row.has_errors() for row in self.kept_rows)

    @property
    def brand(self) -> Brand:
        brand: Brand = self.programme.cleaned_data["brand"]
        return brand

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.programme.cleaned_data["time_zone"] or self.brand.time_zone)

    @cached_property
    def periods(self) -> list[PeriodData]:
        """The calendar as it is generated. Raises `InvalidInput` for one that ends too late, or is too long to show."""
        wanted = self.programme.cleaned_data
        if wanted["cycle_count"] * (1 + len(self.kept_targets)) > MOST_VALUES:
            raise InvalidInput(
                "So many cycles with so many targets are too much for this page: make it fewer, or define the "
                "programme over the API.",
                field="totalPeriods",
            )
        if wanted["window"] != EvaluationType.FIXED_CALENDAR_WINDOW:
            return unbound_periods(wanted["cycle_count"])
        unit = FrequencyType(wanted["unit"])
        return regular_periods(wanted["first_day"], unit, wanted["length"], wanted["cycle_count"], self.zone)

    @cached_property
    def calendar(self) -> CalendarForm:
        values = [
            (row.number, row.form.cleaned_data["name"], row.form.cleaned_data["value"]) for row in self.kept_targets
        ]
        return CalendarForm(self.data or {}, self.periods, values)

    def definition(self) -> Definition:
        """To be asked for when all forms are right."""
        wanted = self.programme.cleaned_data
        window = EvaluationType(wanted["window"])
        has_length = window != EvaluationType.PERIOD_AGNOSTIC_WINDOW  # else a cycle lasts until it is achieved
        group = GroupData(
            name=wanted["name"],
            description=wanted["description"],
            tracking_type=TrackingType(wanted["kind"]),
            evaluation_type=window,
            time_zone=self.zone.key,
            frequency_type=FrequencyType(wanted["unit"]) if has_length else FrequencyType.CUSTOM,
            frequency=wanted["length"] if has_length else None,
            periods=self.calendar.periods(),
            targets=[target_data(row, self.calendar) for row in self.kept_targets],
            levels=[
                LevelData(row.form.cleaned_data["name"], row.form.cleaned_data["count"]) for row in self.kept_levels
            ],
            late_days=wanted["late_days"],
            counts_before_enrolment=wanted["counts_before_enrolment"],
        )
        return Definition(self.brand, group, rewards_of(self.kept_targets), rewards_of(self.kept_levels))


def target_data(row: TargetRow, calendar: CalendarForm) -> TargetData:
    wanted = row.form.cleaned_data
    return TargetData(
        name=wanted["name"],
        description=wanted["description"],
        entity=Entity(wanted["entity"]),
        kpi=Kpi(wanted["kpi"]),
        event_name=wanted["event_name"],
        attribute_name=wanted["attribute_name"],
        match=match_of(row.conditions),
        allocation=Allocation(wanted["allocation"]),
        values=calendar.values_of(row.number),
    )


def level_data(row: LevelRow) -> LevelData:
    return LevelData(row.form.cleaned_data["name"], row.form.cleaned_data["count"])


def rewards_of(rows: Sequence[TargetRow | LevelRow]) -> list[RewardData | None]:
    return [row.reward.reward() for row in rows]
