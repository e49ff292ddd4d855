"""Defining target groups with their calendars, targets, values and levels (api.md 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction

from targets.calendar import closing_instant, regular_cycles
from targets.enums import KPIS_OF_ENTITY, Allocation, Entity, EvaluationType, FrequencyType, Kpi, TrackingType
from targets.errors import DomainError, ImpossibleCombination, InvalidInput, NameTaken
from targets.matching import refuse_wrong_match
from targets.models import MAX_VALUE, Brand, Cycle, Inactivity, StreakLevel, Target, TargetGroup, TargetValue
from targets.models.programme import MAX_LEVELS

MAX_LATE_DAYS = 366
MAX_TARGETS = 50


@dataclass(frozen=True)
class PeriodData:
    """One cycle, half-open [starts_at, ends_at); without instants where each customer has a calendar of his own."""

    ref_code: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    description: str = ""


@dataclass(frozen=True)
class TargetData:
    """One target; `values` has one value for each cycle, or one for all; `allocation` is that of all cycles.

    `match`: see `targets.matching`.
    """

    name: str
    kpi: Kpi
    values: Sequence[Decimal]
    description: str = ""
    entity: Entity = Entity.TRANSACTION
    event_name: str = ""
    attribute_name: str = ""
    match: Mapping[str, Any] = field(default_factory=dict)
    is_active: bool = True
    allocation: Allocation = Allocation.IMMEDIATE
    cosmetic: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LevelData:
    name: str
    target_count: int


@dataclass(frozen=True)
class GroupData:
    """A whole programme: the group, its calendar in order, its targets and streak levels."""

    name: str
    tracking_type: TrackingType
    time_zone: str
    periods: Sequence[PeriodData]
    targets: Sequence[TargetData]
    levels: Sequence[LevelData] = ()
    evaluation_type: EvaluationType = EvaluationType.FIXED_CALENDAR_WINDOW
    description: str = ""
    is_active: bool = True
    frequency_type: FrequencyType = FrequencyType.CUSTOM
    frequency: int | None = None
    recurring_cycles: int | None = None
    preferred_till_id: int | None = None
    late_days: int = 0
    counts_before_enrolment: bool = True
    cosmetic: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Programme:
    """What has been made, in the order in which it was given."""

    group: TargetGroup
    targets: list[Target] = field(default_factory=list)
    levels: list[StreakLevel] = field(default_factory=list)
    cycles: list[Cycle] = field(default_factory=list)


# By the name of the constraint: which refusal it is when the database finds it first (architecture.md 2).
REFUSAL_OF_CONSTRAINT: dict[str, DomainError] = {
    "target_group_name_unique": NameTaken("The brand already has a target group of this name.", field="name"),
    "target_name_unique": NameTaken("The brand already has a target of this name.", field="targets"),
    "level_name_unique": NameTaken("The brand already has a streak level of this name.", field="streaks"),
    "cycle_name_unique": NameTaken("Two periods have the same refCode.", field="periods"),
    "cycles_never_overlap": InvalidInput("Two periods overlap.", field="periods"),
}


def create_target_group(*, brand: Brand, data: GroupData, at: datetime, by: str) -> Programme:
    """Make a target group with calendar, targets, values and levels, in a constant number of statements.

    Raises `InvalidInput`, `ImpossibleCombination`, `NameTaken`; then nothing is made (api.md 6).
    """
    _refuse_impossible(data, at)
    try:
        with transaction.atomic():
            return _create(brand, data, at, by)
    except IntegrityError as error:
        constraint = error.__cause__.diag.constraint_name  # type: ignore[union-attr]  # psycopg2's
        refusal = REFUSAL_OF_CONSTRAINT.get(constraint)
        if refusal is None:
            raise
        raise type(refusal)(refusal.message, field=refusal.field) from None


def _create(brand: Brand, data: GroupData, at: datetime, by: str) -> Programme:
    group = TargetGroup.objects.create(
        brand=brand,
        name=data.name,
        description=data.description,
        is_active=data.is_active,
        tracking_type=data.tracking_type,
        evaluation_type=data.evaluation_type,
        time_zone=data.time_zone,
        frequency_type=data.frequency_type,
        frequency=data.frequency,
        recurring_cycles=data.recurring_cycles,
        preferred_till_id=data.preferred_till_id,
        cycle_count=len(data.periods),
        late_days=data.late_days,
        counts_before_enrolment=data.counts_before_enrolment,
        cosmetic=dict(data.cosmetic),
        created_by=by,
    )
    if not data.is_active:
        Inactivity.objects.create(target_group=group, began_at=at, began_by=by)
    zone = ZoneInfo(data.time_zone)
    cycles = Cycle.objects.bulk_create(
        Cycle(
            target_group=group,
            number=number,
            ref_code=period.ref_code,
            description=period.description,
            starts_at=period.starts_at,
            ends_at=period.ends_at,
            late_days=data.late_days,
            closes_at=closing_instant(period.ends_at, data.late_days, zone) if period.ends_at else None,
        )
        for number, period in enumerate(data.periods, 1)
    )
    targets = Target.objects.bulk_create(
        Target(
            brand=brand,
            target_group=group,
            name=each.name,
            description=each.description,
            is_active=each.is_active,
            entity=each.entity,
            kpi=each.kpi,
            event_name=each.event_name,
            attribute_name=each.attribute_name,
            match=each.match,
            cosmetic=dict(each.cosmetic),
        )
        for each in data.targets
    )
    TargetValue.objects.bulk_create(
        TargetValue(target=target, cycle=cycle, value=value, allocation=each.allocation)
        for target, each in zip(targets, data.targets, strict=True)
        for cycle, value in zip(cycles, _value_per_cycle(each.values, len(cycles)), strict=True)
    )
    levels = StreakLevel.objects.bulk_create(
        StreakLevel(brand=brand, target_group=group, name=each.name, target_count=each.target_count)
        for each in data.levels
    )
    return Programme(group, targets, levels, cycles)


def _value_per_cycle(values: Sequence[Decimal], cycle_count: int) -> Sequence[Decimal]:
    return list(values) * cycle_count if len(values) == 1 else values


def _refuse_impossible(data: GroupData, at: datetime) -> None:
    is_streak = data.tracking_type != TrackingType.DEFAULT
    if not 1 <= len(data.periods) <= settings.MAX_CYCLES:
        raise InvalidInput(f"A target group has 1 to {settings.MAX_CYCLES} periods.", field="periods")
    if not 0 <= data.late_days <= MAX_LATE_DAYS:
        raise InvalidInput(f"Late days are from 0 to {MAX_LATE_DAYS}.", field="lateDays")
    if data.evaluation_type == EvaluationType.FIXED_CALENDAR_WINDOW:
        _refuse_calendar(data)
    else:
        _refuse_window(data, is_streak, at)
    if not 1 <= len(data.targets) <= MAX_TARGETS:
        raise InvalidInput(f"A target group has 1 to {MAX_TARGETS} targets.", field="targets")
    for index, target in enumerate(data.targets):
        path = f"targets[{index}]"
        _refuse_measure(target, path)
        if is_streak and target.allocation == Allocation.PERIOD_END:
            raise ImpossibleCombination(
                "A streak gives its rewards at once: PERIOD_END is for milestones.",
                field=f"{path}.rewardAllocationType",
            )
        if len(target.values) not in (1, len(data.periods)):
            raise InvalidInput(
                f"There are {len(data.periods)} periods and {len(target.values)} values: "
                "send one for each period, or one for all.",
                field=f"{path}.defaultValues",
            )
        if any(not 0 < value <= MAX_VALUE for value in target.values):
            raise InvalidInput(
                f"A target value is greater than 0 and at most {MAX_VALUE}.", field=f"{path}.defaultValues"
            )
    _refuse_levels(data, is_streak)


def _refuse_measure(target: TargetData, path: str) -> None:
    """What of an activity is measured, and which activities are."""
    if target.kpi not in KPIS_OF_ENTITY[target.entity]:
        entities = " or ".join(each for each, kpis in KPIS_OF_ENTITY.items() if target.kpi in kpis)
        raise ImpossibleCombination(
            f"{target.kpi} cannot be measured of {target.entity}: send {entities}.", field=f"{path}.targetEntity"
        )
    if (target.kpi == Kpi.EVENT_ATTRIBUTE) != bool(target.attribute_name):
        raise InvalidInput(
            "EVENT_ATTRIBUTE needs the name of the attribute to add up; no other targetType has one.",
            field=f"{path}.attributeName",
        )
    refuse_wrong_match(target.match, f"{path}.match")


def _refuse_calendar(data: GroupData) -> None:
    earlier, earlier_ends_at = "", None
    for index, period in enumerate(data.periods):
        if period.starts_at is None or period.ends_at is None:
            raise InvalidInput(
                f"Period {period.ref_code!r} has no start or no end.", field=f"periods[{index}].startDate"
            )
        if period.ends_at <= period.starts_at:
            raise InvalidInput(f"Period {period.ref_code!r} ends before it starts.", field=f"periods[{index}].endDate")
        if earlier_ends_at is not None and period.starts_at < earlier_ends_at:
            raise InvalidInput(
                f"Period {period.ref_code!r} begins before {earlier!r} has ended: "
                "send the periods in the order of their dates, without overlap.",
                field=f"periods[{index}].startDate",
            )
        earlier, earlier_ends_at = period.ref_code, period.ends_at


def _refuse_window(data: GroupData, is_streak: bool, at: datetime) -> None:
    """What a programme in which each customer has a calendar of his own cannot have (domain.md 10)."""
    window = data.evaluation_type
    if is_streak:
        raise ImpossibleCombination(
            f"A streak runs in FIXED_CALENDAR_WINDOW, not {window}.", field="targetEvaluationType"
        )
    if len(data.targets) > 1:
        raise ImpossibleCombination(f"A group in {window} has one target: define a group for each.", field="targets")
    for index, period in enumerate(data.periods):
        if period.starts_at is not None or period.ends_at is not None:
            raise ImpossibleCombination(
                f"In {window} each customer has a calendar of his own: a period has a name, but no dates.",
                field=f"periods[{index}].startDate",
            )
    if window == EvaluationType.CYCLIC_WINDOW:
        if not data.frequency:
            raise InvalidInput("Say how many units a cycle is long: 1 or more.", field="frequency")
        # Begun today it must end in the years that we can count; nobody begins much later.
        zone = ZoneInfo(data.time_zone)
        regular_cycles(at.astimezone(zone).date(), data.frequency_type, data.frequency, len(data.periods), zone)
        return
    if data.late_days:
        raise ImpossibleCombination(f"In {window} a cycle ends when it is achieved: late days are 0.", field="lateDays")
    for index, target in enumerate(data.targets):
        if target.allocation == Allocation.PERIOD_END:
            raise ImpossibleCombination(
                f"In {window} a cycle ends when it is achieved: rewards are given at once.",
                field=f"targets[{index}].rewardAllocationType",
            )


def _refuse_levels(data: GroupData, is_streak: bool) -> None:
    if data.levels and not is_streak:
        raise ImpossibleCombination("Levels are for streaks: a milestone rewards each period.", field="streaks")
    if len(data.levels) > MAX_LEVELS:
        raise InvalidInput(f"A streak has at most {MAX_LEVELS} levels.", field="streaks")
    reached = 0
    for index, level in enumerate(data.levels):
        path = f"streaks[{index}].targetCountOfSequence"
        if level.target_count <= reached:
            raise InvalidInput(
                "Levels ascend: each counts more periods than the one before, the first 1 or more.", field=path
            )
        if level.target_count > len(data.periods):
            raise InvalidInput(
                f"A level of {level.target_count} is never reached in {len(data.periods)} periods.", field=path
            )
        reached = level.target_count
