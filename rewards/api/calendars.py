"""The calendar of a published body: given period by period, or counted from a start (api.md 6)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from rest_framework import serializers

from targets.answers import Notice
from targets.calendar import boundary, last_second
from targets.enums import EvaluationType, FrequencyType
from targets.errors import ImpossibleCombination, InvalidInput, WarningCode
from targets.fields import BoundedLaterField, ChoiceField, FlagField, IntegerField, TextField, list_of
from targets.operations import PeriodData, regular_periods, unbound_periods

# Published bodies send these for a calendar that is gone through once.
RECURS_NOT = (None, -1, 0, 1)


class DescriptionField(TextField):
    """Words of the caller on a period, a target or a group."""

    example = "Spring"

    def __init__(self) -> None:
        super().__init__(
            required=False,
            allow_null=True,
            allow_blank=True,
            default="",
            max_length=255,
            help_text="Your words on it; shown, and nothing else.",
        )


class PeriodDateField(TextField):
    def __init__(self, help_text: str, example: str) -> None:
        super().__init__(
            required=False,
            allow_null=True,
            default=None,
            max_length=40,
            help_text=f"{help_text} Only where the calendar is the same for everybody, and there it is needed.",
            example=example,
        )


class PeriodSerializer(serializers.Serializer[Any]):
    refCode = TextField(max_length=100, help_text="The name of the period, unique in the group.", example="Cycle_1")
    startDate = PeriodDateField("A midnight of the group's zone.", "2026-01-01T00:00:00")
    endDate = PeriodDateField("A midnight, or 23:59:59.", "2026-01-31T23:59:59")
    description = DescriptionField()
    active = FlagField(
        required=False, allow_null=True, default=True, help_text="A period cannot be inactive: true, or leave it out."
    )


class PassedOverDateField(TextField):
    def __init__(self) -> None:
        super().__init__(
            required=False,
            allow_null=True,
            default=None,
            max_length=40,
            help_text="Follows from the periods; a warning says if it differs.",
            example="2026-01-01",
        )


class CalendarFields(serializers.Serializer[Any]):
    """The fields of a target group that say when its periods are. To be inherited."""

    frequencyType = ChoiceField(
        choices=FrequencyType.choices,
        required=False,
        allow_null=True,
        default=None,
        help_text="The unit of `frequency`; without one CUSTOM.",
        example="MONTHLY",
    )
    frequency = IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=0,
        max_value=2**31 - 1,
        help_text="How many days, weeks, months, ... (CUSTOM: days) a period is long. If periods are sent, only kept.",
        example=1,
    )
    totalPeriods = BoundedLaterField(
        1,
        settings.MAX_CYCLES,
        required=False,
        allow_null=True,
        default=None,
        help_text="The number of periods.",
        example=5,
    )
    recurringCycles = BoundedLaterField(
        -1,
        settings.MAX_CYCLES,
        required=False,
        allow_null=True,
        default=None,
        help_text="A calendar is gone through once: nothing, -1, 0, 1 or the number of periods.",
        example=1,
    )
    targetCycleStartDate = TextField(
        required=False,
        allow_null=True,
        default=None,
        max_length=40,
        help_text="Where the first period starts, if none are sent: a midnight of the group's zone.",
        example="2026-01-01T00:00:00",
    )
    targetCycleEndDate = PassedOverDateField()
    fromDate = PassedOverDateField()
    toDate = PassedOverDateField()
    periods = list_of(
        PeriodSerializer,
        max_length=settings.MAX_CYCLES,
        required=False,
        allow_null=True,
        default=list,
        help_text="In the order of their dates. Without any they are made from the frequency: Cycle_1, Cycle_2, ...",
    )


def calendar_of(body: Mapping[str, Any], zone: ZoneInfo) -> tuple[list[PeriodData], list[Notice]]:
    """The periods that `body` gives, else those its frequency makes, and what was passed over on the way.

    Raises `InvalidInput` naming the field: for what is missing, and for what contradicts the calendar.
    """
    periods, warnings = _given(body, zone) if body["periods"] else _generated(body, zone)
    if body["totalPeriods"] not in (None, len(periods)):
        raise InvalidInput(
            f"{len(periods)} periods were sent: leave totalPeriods out, or the periods.", field="totalPeriods"
        )
    _refuse_recurring(body, len(periods))
    return periods, warnings + _contradicted(body, periods, zone)


def _refuse_recurring(body: Mapping[str, Any], total: int) -> None:
    if body["recurringCycles"] not in (*RECURS_NOT, total):
        raise InvalidInput(
            f"A calendar is gone through once: define as many periods as there are to be, and send {total} or nothing.",
            field="recurringCycles",
        )


def _given(body: Mapping[str, Any], zone: ZoneInfo) -> tuple[list[PeriodData], list[Notice]]:
    periods: list[PeriodData] = []
    warnings: list[Notice] = []
    for index, each in enumerate(body["periods"]):
        _refuse_inactive(each, index)
        instants = []
        for name in ("startDate", "endDate"):
            path = f"periods[{index}].{name}"
            if each[name] is None:
                raise InvalidInput("This field is required.", field=path)
            instant, differs = boundary(each[name], zone, is_end=name == "endDate", field=path)
            instants.append(instant)
            if differs:
                warnings.append(_offset_ignored(path, zone))
        periods.append(PeriodData(each["refCode"], instants[0], instants[1], each["description"] or ""))
    return periods, warnings


def _refuse_inactive(period: Mapping[str, Any], index: int) -> None:
    if period["active"] is False:
        raise InvalidInput(
            "A period cannot be inactive. Leave it out: periods may have gaps between them.",
            field=f"periods[{index}].active",
        )


def names_of(body: Mapping[str, Any], window: EvaluationType) -> tuple[list[PeriodData], list[Notice]]:
    """The periods of a group in which each customer has a calendar of his own: they have names and no dates.

    Named as `body` names them, else Cycle_1, Cycle_2, ...; how long they are is the frequency. Raises `InvalidInput`,
    `ImpossibleCombination` naming the field.
    """
    for index, each in enumerate(body["periods"]):
        _refuse_inactive(each, index)
        for name in ("startDate", "endDate"):
            if each[name] is not None:
                raise ImpossibleCombination(
                    f"In {window} each customer has a calendar of his own: a period has a name, but no dates.",
                    field=f"periods[{index}].{name}",
                )
    periods = [PeriodData(each["refCode"], description=each["description"] or "") for each in body["periods"]]
    total = body["totalPeriods"]
    if not periods and (total is None or not 1 <= total <= settings.MAX_CYCLES):
        raise InvalidInput(f"Say how many periods there are to be: 1 to {settings.MAX_CYCLES}.", field="totalPeriods")
    periods = periods or unbound_periods(total)
    if total not in (None, len(periods)):
        raise InvalidInput(
            f"{len(periods)} periods were sent: leave totalPeriods out, or the periods.", field="totalPeriods"
        )
    _refuse_recurring(body, len(periods))
    is_cyclic = window == EvaluationType.CYCLIC_WINDOW
    if is_cyclic and body["frequencyType"] is None:
        raise InvalidInput("Say how long a cycle is: frequencyType and frequency.", field="frequencyType")
    begins = "with his first activity" if is_cyclic else "when he enrols"
    return periods, [
        Notice(WarningCode.FIELD_IGNORED, f"{name}: ignored; the calendar of each customer begins {begins}.")
        for name in ("fromDate", "targetCycleStartDate", "toDate", "targetCycleEndDate")
        if body[name] is not None
    ]


def _generated(body: Mapping[str, Any], zone: ZoneInfo) -> tuple[list[PeriodData], list[Notice]]:
    if body["frequencyType"] is None:
        raise InvalidInput(
            "Send the periods, or frequencyType, frequency, totalPeriods and targetCycleStartDate to have them made.",
            field="periods",
        )
    if not body["frequency"]:
        raise InvalidInput("Without periods, say how many units a cycle is long: 1 or more.", field="frequency")
    if body["totalPeriods"] is None or not 1 <= body["totalPeriods"] <= settings.MAX_CYCLES:
        raise InvalidInput(
            f"Without periods, say how many there are to be: 1 to {settings.MAX_CYCLES}.", field="totalPeriods"
        )
    if body["targetCycleStartDate"] is None:
        raise InvalidInput(
            "Without periods, say when the first one starts: a midnight, such as 2026-01-01T00:00:00.",
            field="targetCycleStartDate",
        )
    start, differs = boundary(body["targetCycleStartDate"], zone, is_end=False, field="targetCycleStartDate")
    periods = regular_periods(
        start.astimezone(zone).date(),
        FrequencyType(body["frequencyType"]),
        body["frequency"],
        body["totalPeriods"],
        zone,
    )
    return periods, [_offset_ignored("targetCycleStartDate", zone)] if differs else []


def _contradicted(body: Mapping[str, Any], periods: list[PeriodData], zone: ZoneInfo) -> list[Notice]:
    """The bounds of the calendar follow from its periods. Other ones are passed over, but not silently."""
    starts_at, ends_at = periods[0].starts_at, periods[-1].ends_at
    if starts_at is None or ends_at is None:
        return []
    first = _day(starts_at, zone)
    last = _day(last_second(ends_at), zone), _day(ends_at, zone)
    bounds = {"fromDate": (first,), "targetCycleStartDate": (first,), "toDate": last, "targetCycleEndDate": last}
    return [
        Notice(WarningCode.FIELD_IGNORED, f"{name}: ignored; the periods run from {first} to {last[0]}.")
        for name, days in bounds.items()
        if body[name] is not None and not body[name].startswith(days)
    ]


def _day(instant: datetime, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).date().isoformat()


def _offset_ignored(path: str, zone: ZoneInfo) -> Notice:
    return Notice(WarningCode.FIELD_IGNORED, f"{path}: the offset was ignored; the time is read in {zone.key}.")
