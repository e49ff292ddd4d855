"""The shapes of our answers, for the OpenAPI document."""

from typing import Any

from rest_framework import serializers

from rewards.api.cosmetic import CosmeticFields
from rewards.enums import RewardKind
from targets.api.match import MatchField
from targets.api.shapes import (
    Day,
    Flag,
    GrantId,
    Nothing,
    Number,
    NumberOfCustomer,
    Object,
    PeriodId,
    RefCode,
    Run,
    StreakId,
    StreakName,
    StreakTarget,
    TargetGroupId,
    TargetId,
    Text,
    Word,
)
from targets.enums import Allocation, Entity, EvaluationType, FrequencyType, Kpi, TrackingType
from targets.fields import AmountField, InstantField

ALLOCATION = "When the reward is given: as soon as the value is reached, or when the period closes."


class GrantedReward(serializers.Serializer[Any]):
    name = Text("What the reward is called.", "100 points")
    kind = Word(RewardKind.choices, "Which of your systems gives it.")
    value = AmountField(allow_null=True, help_text="How much of it; null where the kind needs no number.", example=100)
    payload = Object("What the system that gives the reward needs.", {"series": 4711})


class GrantAnswer(serializers.Serializer[Any]):
    """The immutable fact that a reward was given, as it was promised then."""

    grantId = GrantId("Id of the grant.")
    customerId = NumberOfCustomer(
        "The brand's number for the customer; null of a customer who was erased.", allow_null=True
    )
    targetGroupId = TargetGroupId()
    targetId = TargetId()
    periodId = PeriodId("Id of the period; for a streak level, of that in which it was reached.")
    periodRefCode = RefCode()
    streakId = StreakId("Id of the streak level that was reached; null where a period's value was.", allow_null=True)
    streakName = StreakName("The name of the streak level, if it was one.", allow_null=True)
    run = Run()
    allocation = Word(Allocation.choices, ALLOCATION)
    reward = GrantedReward(help_text="What was given, as it was promised then.")
    achievedAt = InstantField(help_text="When the value or level was reached.")
    grantedAt = InstantField(help_text="When the reward was given.")


class Actor(serializers.Serializer[Any]):
    id = Number("As published; always null.", 1, allow_null=True)
    code = Text("The user name.", "shop", allow_null=True)
    name = Text("The user name.", "shop", allow_null=True)
    type = Text("As published; always null.", "USER", allow_null=True)


class Attribution(serializers.Serializer[Any]):
    createdOn = InstantField(help_text="When it was made.")
    lastUpdatedOn = InstantField(help_text="When it was last changed.")
    createdBy = Actor(help_text="Who made it.")
    lastUpdatedBy = Actor(help_text="As published; the same as `createdBy`.")


class PeriodFacts(serializers.Serializer[Any]):
    id = PeriodId()
    refCode = RefCode()
    description = Text("Your words on the period.", "January", max_length=255, allow_blank=True)
    periodStatus = Word(
        ["NOT_STARTED", "RUNNING", "ENDED"],
        "Where the period stands; null where each customer has a calendar of his own.",
        allow_null=True,
    )
    targetGroupId = TargetGroupId()
    active = Flag("As published; always true.")
    attribution = Attribution(help_text="Who made the group, and when.")


class PeriodAnswer(PeriodFacts):
    startDate = InstantField(
        allow_null=True,
        help_text="The first instant, in the group's zone; null where each customer has a calendar of his own.",
        example="2026-01-01T00:00:00+01:00",
    )
    endDate = InstantField(
        allow_null=True,
        help_text="The last second inside, in the group's zone; null where each customer has a calendar of his own.",
        example="2026-01-31T23:59:59+01:00",
    )


class DatedPeriodAnswer(PeriodFacts):
    startDate = Day(
        "The first day, in the group's zone; null where each customer has a calendar of his own.", allow_null=True
    )
    endDate = Day(
        "The last day, in the group's zone; null where each customer has a calendar of his own.", allow_null=True
    )


class DefaultValueAnswer(serializers.Serializer[Any]):
    id = Number("Id of the value.", 90)
    periodId = PeriodId()
    defaultValue = AmountField(help_text="What is to be reached in the period.", example=500)
    rewardAllocationType = Word(Allocation.choices, ALLOCATION)


class PeriodRewardAnswer(serializers.Serializer[Any]):
    refCode = RefCode()
    periodId = PeriodId()
    reward = GrantedReward(help_text="What is given in this period instead of the target's reward.")


class TargetAnswer(CosmeticFields):
    id = TargetId()
    name = Text("The name of the target, unique in the brand.", "Spend")
    description = Text("Your words on the target.", "500 a month", max_length=255, allow_blank=True)
    active = Flag("Whether customers can be enrolled and activities counted.")
    targetType = Word(Kpi.choices, "What is added up.")
    targetEntity = Word(Entity.choices, "What an activity stands for.")
    eventName = Text("Counts activities of this name; null: of any.", "purchase", max_length=100, allow_null=True)
    attributeName = Text("Of EVENT_ATTRIBUTE: what is added up.", "steps", max_length=100, allow_null=True)
    match = MatchField(allow_null=True)
    targetGroupId = TargetGroupId()
    expression = Text("As published; always `true`.", "true", max_length=4)
    expressionJson = Text("As published; always null.", "true", max_length=4, allow_null=True)
    filters = Nothing()
    enrolmentMethod = Word(["IMPORT"], "As published: customers are enrolled by you.")
    defaultValues = DefaultValueAnswer(many=True, help_text="The value of each period.")
    targetPeriodDefaultValuesMap = serializers.DictField(
        child=DefaultValueAnswer(), help_text="The same, by the id of the period."
    )
    extendedFieldInfo = Object("As published; always null.", {}, allow_null=True)
    rewardAllocationType = Word(
        Allocation.choices, "When the reward of the last period is given; `defaultValues` has that of each."
    )
    reward = GrantedReward(allow_null=True, help_text="Of each period without one of its own.")
    periodRewards = PeriodRewardAnswer(many=True, help_text="The periods that give another reward than the target's.")
    attribution = Attribution(help_text="Who made the group, and when.")


class LevelAnswer(serializers.Serializer[Any]):
    id = StreakId()
    name = StreakName()
    targetCountOfSequence = StreakTarget()
    targetGroupId = TargetGroupId()
    reward = GrantedReward(allow_null=True, help_text="What is given when the level is reached.")
    attribution = Attribution(help_text="Who made the group, and when.")


class TargetGroupAnswer(CosmeticFields):
    """A programme: its calendar, its targets, its streak levels."""

    id = TargetGroupId()
    name = Text("The name of the group, unique in the brand.", "ABC")
    active = Flag("Whether customers can be enrolled and activities counted.")
    description = Text("Your words on the group.", "Spring", max_length=255, allow_blank=True)
    preferredTillId = Number("Kept and echoed.", 4711, allow_null=True)
    trackingType = Word(TrackingType.choices, "Milestone or streak.")
    targetEvaluationType = Word(EvaluationType.choices, "Whose calendar the periods are of.")
    frequencyType = Word(FrequencyType.choices, "The unit of the length of a period.")
    frequency = Number("How many units a period is long.", 1, allow_null=True)
    totalPeriods = Number("The number of periods.", 5)
    recurringCycles = Number("As it was sent.", 1, allow_null=True)
    timeZoneName = Text("The IANA time zone of the calendar.", "Europe/Berlin", max_length=64)
    targetCycleStartDate = InstantField(
        allow_null=True, help_text="The first instant of the first period; null where each customer has his own."
    )
    targetCycleEndDate = InstantField(
        allow_null=True, help_text="The last second of the last period; null where each customer has his own."
    )
    leaderboardEnabled = Flag("As published; always false.", example=False)
    userCreated = Flag("As published; always false.", example=False)
    lateDays = Number("For how many days an ended period takes late activities.", 2)
    countsBeforeEnrolment = Flag("Whether activities of the period before the enrolment count.")
    attribution = Attribution(help_text="Who made the group, and when.")
    activePeriod = PeriodAnswer(allow_null=True, help_text="The one that is running.")
    periods = PeriodAnswer(
        many=True, allow_null=True, help_text="In their order; null in the list of groups without `includePeriods`."
    )
    targets = TargetAnswer(many=True, help_text="In the order in which they were defined.")
    streaks = LevelAnswer(many=True, help_text="The levels, lowest first; none of a milestone.")
