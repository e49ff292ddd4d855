"""What the published call for target groups takes, and how it becomes a programme (api.md 6)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from rest_framework import serializers

from rewards.api.calendars import CalendarFields, DescriptionField, calendar_of, names_of
from rewards.api.cosmetic import CosmeticFields, cosmetic_of
from rewards.enums import RewardKind
from rewards.operations import PeriodReward, RewardData
from targets.answers import Notice
from targets.api.match import MatchField
from targets.enums import Allocation, Entity, EvaluationType, FrequencyType, Kpi, TrackingType
from targets.errors import InvalidInput
from targets.fields import (
    AmountField,
    ChoiceField,
    FlagField,
    IntegerField,
    ObjectField,
    StrictSerializer,
    TextField,
    list_of,
)
from targets.models import Brand
from targets.models.programme import MAX_LEVELS
from targets.operations import GroupData, LevelData, TargetData
from targets.operations.programmes import MAX_LATE_DAYS, MAX_TARGETS

NEUTRAL_EXPRESSIONS = (None, "", "true", True)
LITERAL_TRUE = {"arity": "literal", "value": "true", "type": "boolean:primitive"}


class RewardSerializer(StrictSerializer):
    """What is given, once, for a period or a level."""

    name = TextField(max_length=200, help_text="What the reward is called.", example="100 points")
    kind = ChoiceField(choices=RewardKind.choices, help_text="Which of your systems gives it.")
    value = AmountField(
        required=False, allow_null=True, default=None, help_text="POINTS need one; greater than 0.", example=100
    )
    payload = ObjectField(
        required=False,
        default=dict,
        help_text="Anything the receiving system needs, up to 10,000 characters of JSON.",
        example={"series": 4711},
    )


class PeriodRewardSerializer(StrictSerializer):
    """What is given in one period instead of the target's reward."""

    refCode = TextField(max_length=100, help_text="The name of the period.", example="Cycle_3")
    reward = RewardSerializer(help_text="What is given in it.")


class DefaultValueSerializer(serializers.Serializer[Any]):
    defaultValue = AmountField(help_text="What is to be reached; greater than 0.", example=500)


class TargetSerializer(CosmeticFields):
    name = TextField(max_length=200, help_text="Unique in the brand.", example="Spend")
    description = DescriptionField()
    active = FlagField(
        required=False, allow_null=True, default=True, help_text="Whether it can be used from the start."
    )
    targetEntity = TextField(
        max_length=32,
        help_text=f"What an activity stands for: one of {', '.join(Entity.values)}.",
        example="TRANSACTION",
    )
    targetType = TextField(
        max_length=32, help_text=f"What is added up: one of {', '.join(Kpi.values)}.", example="SALES"
    )
    eventName = TextField(
        required=False,
        allow_null=True,
        allow_blank=True,
        default="",
        max_length=100,
        help_text="Counts activities of this name; without one, of any.",
        example="purchase",
    )
    attributeName = TextField(
        required=False,
        allow_null=True,
        allow_blank=True,
        default="",
        max_length=100,
        trim_whitespace=False,
        help_text="Of EVENT_ATTRIBUTE: the attribute whose numbers are added up.",
        example="steps",
    )
    match = MatchField(required=False, allow_null=True, default=None)
    defaultValues = list_of(
        DefaultValueSerializer, max_length=settings.MAX_CYCLES, help_text="One for each period, or one for all."
    )
    rewardAllocationType = ChoiceField(
        choices=Allocation.choices,
        required=False,
        default=Allocation.IMMEDIATE,
        help_text="When the reward is given: as soon as the value is reached, or when the period closes.",
    )
    reward = RewardSerializer(
        required=False, allow_null=True, default=None, help_text="What is given in each period, once."
    )
    periodRewards = list_of(
        PeriodRewardSerializer,
        max_length=settings.MAX_CYCLES,
        required=False,
        allow_null=True,
        default=list,
        help_text="For periods that are to give another reward than the target's.",
    )


class LevelSerializer(serializers.Serializer[Any]):
    name = TextField(max_length=200, help_text="Unique in the brand.", example="Silver")
    targetCountOfSequence = IntegerField(
        min_value=1, max_value=10_000, help_text="How many periods in a row reach the level.", example=3
    )
    reward = RewardSerializer(
        required=False, allow_null=True, default=None, help_text="What is given when the level is reached."
    )


class TargetGroupSerializer(CalendarFields, CosmeticFields):
    """A published body. Other fields are passed over; those that would change who is tracked are refused."""

    name = TextField(max_length=200, help_text="Unique in the brand.", example="ABC")
    description = DescriptionField()
    active = FlagField(
        required=False, allow_null=True, default=True, help_text="Whether it can be used from the start."
    )
    trackingType = TextField(max_length=32, help_text=f"One of {', '.join(TrackingType.values)}.", example="DEFAULT")
    targetEvaluationType = TextField(
        max_length=32,
        help_text=f"Whose calendar the periods are of: one of {', '.join(EvaluationType.values)}.",
        example="FIXED_CALENDAR_WINDOW",
    )
    timeZoneName = TextField(
        required=False,
        allow_null=True,
        default=None,
        max_length=64,
        help_text="IANA; without one the brand's.",
        example="Europe/Berlin",
    )
    preferredTillId = IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=-(2**63),
        max_value=2**63 - 1,
        help_text="Kept and echoed.",
        example=4711,
    )
    targets = list_of(TargetSerializer, max_length=MAX_TARGETS, help_text="What is to be reached.")
    streaks = list_of(
        LevelSerializer,
        required=False,
        allow_null=True,
        default=list,
        max_length=MAX_LEVELS,
        help_text="The levels of a streak, lowest first.",
    )
    lateDays = IntegerField(
        required=False,
        default=0,
        min_value=0,
        max_value=MAX_LATE_DAYS,
        help_text="For how many days an ended period takes late activities.",
        example=2,
    )
    countsBeforeEnrolment = FlagField(
        required=False, default=True, help_text="Whether activities of the period before the enrolment count."
    )


@dataclass(frozen=True)
class Definition:
    """A programme as it is to be defined, its rewards in the order of targets and levels."""

    group: GroupData
    rewards: list[RewardData | None]
    period_rewards: list[list[PeriodReward]]
    level_rewards: list[RewardData | None]
    warnings: list[Notice]


def definition(brand: Brand, sent: Any) -> Definition:
    """What a body means. Raises `ValidationError`, `InvalidInput`, `ImpossibleCombination` naming the field."""
    if not isinstance(sent, Mapping):
        raise InvalidInput("Send one target group as a JSON object.")
    refuse_unsupported(sent)
    serializer = TargetGroupSerializer(data=sent)
    serializer.is_valid(raise_exception=True)
    body = serializer.validated_data
    zone_name = body["timeZoneName"] or brand.time_zone
    if zone_name not in available_timezones():
        raise InvalidInput(f"{zone_name!r} is not an IANA time zone such as Europe/Berlin.", field="timeZoneName")
    evaluation_type = _evaluation_type(body["targetEvaluationType"])
    if evaluation_type == EvaluationType.FIXED_CALENDAR_WINDOW:
        periods, warnings = calendar_of(body, ZoneInfo(zone_name))
    else:
        periods, warnings = names_of(body, evaluation_type)
    streaks = body["streaks"] or []
    return Definition(
        GroupData(
            name=body["name"],
            description=body["description"] or "",
            is_active=body["active"] is not False,
            tracking_type=_tracking_type(body["trackingType"]),
            evaluation_type=evaluation_type,
            time_zone=zone_name,
            frequency_type=body["frequencyType"] or FrequencyType.CUSTOM,
            frequency=body["frequency"],
            recurring_cycles=body["recurringCycles"],
            preferred_till_id=body["preferredTillId"],
            periods=periods,
            targets=[_target(each, f"targets[{index}]") for index, each in enumerate(body["targets"])],
            levels=[LevelData(each["name"], each["targetCountOfSequence"]) for each in streaks],
            late_days=body["lateDays"],
            counts_before_enrolment=body["countsBeforeEnrolment"],
            cosmetic=cosmetic_of(body),
        ),
        [_reward(each["reward"]) for each in body["targets"]],
        [_period_rewards(each["periodRewards"] or []) for each in body["targets"]],
        [_reward(each["reward"]) for each in streaks],
        warnings,
    )


def refuse_unsupported(sent: Mapping[str, Any]) -> None:
    """Published fields that would change who is tracked or rewarded, unless neutral (api.md 6)."""
    for path, name, value in _published_fields(sent):
        neutral: tuple[Any, ...] = (None,)
        match name:
            case "expression" | "expressionJson":
                neutral = (value,) if says_true(value) else ()
            case "filters" | "extendedFieldInfo" | "targetAudienceFilter" | "targetMilestoneTriggers":
                neutral = (None, [], {}, "")
            case "enrolmentMethod":
                neutral = (None, "IMPORT")
            case "unifiedTargetExpression":
                neutral = (None, "")
            case "userCreated" | "leaderboardEnabled":
                neutral = (None, False)
            case _:
                continue
        if value not in neutral:
            raise InvalidInput(
                f"{path} is not supported: it would change who is tracked or rewarded. Leave it out.", field=path
            )


def says_true(expression: Any) -> bool:
    """Whether a published expression holds for everything: `true`, or its tree, as text or as an object."""
    if isinstance(expression, str) and expression.lstrip().startswith("{"):
        try:
            expression = json.loads(expression)
        except (ValueError, RecursionError):
            return False
    return expression in (*NEUTRAL_EXPRESSIONS, LITERAL_TRUE, LITERAL_TRUE | {"value": True})


def _published_fields(sent: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for name, value in sent.items():
        yield str(name), str(name), value
    for index, target in enumerate(_mappings(sent.get("targets"))):
        for name, value in target.items():
            yield f"targets[{index}].{name}", str(name), value


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """The items, an empty one in the place of what is no object, so that indexes stay right."""
    for each in value if isinstance(value, list) else []:
        yield each if isinstance(each, Mapping) else {}


def _tracking_type(text: str) -> TrackingType:
    if text == "STREAK":
        return TrackingType.STREAKS
    if text not in TrackingType.values:
        raise InvalidInput(
            f"trackingType {text!r} is not supported: send one of {', '.join(TrackingType.values)}.",
            field="trackingType",
        )
    return TrackingType(text)


def _evaluation_type(text: str) -> EvaluationType:
    if text not in EvaluationType.values:
        raise InvalidInput(
            f"targetEvaluationType {text!r} is not supported: send one of {', '.join(EvaluationType.values)}.",
            field="targetEvaluationType",
        )
    return EvaluationType(text)


def _target(sent: dict[str, Any], path: str) -> TargetData:
    entity, kpi = sent["targetEntity"], sent["targetType"]
    if entity not in Entity.values:
        raise InvalidInput(
            f"targetEntity {entity!r} is not supported: send one of {', '.join(Entity.values)}.",
            field=f"{path}.targetEntity",
        )
    if kpi not in Kpi.values:
        raise InvalidInput(
            f"targetType {kpi!r} is not supported: send one of {', '.join(Kpi.values)}.", field=f"{path}.targetType"
        )
    return TargetData(
        name=sent["name"],
        description=sent["description"] or "",
        is_active=sent["active"] is not False,
        entity=Entity(entity),
        kpi=Kpi(kpi),
        event_name=sent["eventName"] or "",
        attribute_name=sent["attributeName"] or "",
        match={} if sent["match"] is None else sent["match"],
        allocation=Allocation(sent["rewardAllocationType"]),
        values=[each["defaultValue"] for each in sent["defaultValues"]],
        cosmetic=cosmetic_of(sent),
    )


def _period_rewards(sent: list[dict[str, Any]]) -> list[PeriodReward]:
    return [PeriodReward(each["refCode"], _made(each["reward"])) for each in sent]


def _reward(sent: dict[str, Any] | None) -> RewardData | None:
    return None if sent is None else _made(sent)


def _made(sent: dict[str, Any]) -> RewardData:
    return RewardData(sent["name"], RewardKind(sent["kind"]), sent["value"], sent["payload"])
