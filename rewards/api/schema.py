"""The shapes of our answers, for the OpenAPI document."""

from typing import Any

from rest_framework import serializers

from rewards.api.cosmetic import CosmeticFields
from rewards.enums import RewardKind
from targets.enums import Allocation, Entity, EvaluationType, FrequencyType, Kpi, TrackingType
from targets.fields import AmountField, InstantField, MatchField


class GrantedReward(serializers.Serializer[Any]):
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=RewardKind.choices)
    value = AmountField(allow_null=True)
    payload = serializers.DictField()


class GrantAnswer(serializers.Serializer[Any]):
    """The immutable fact that a reward was given, as it was promised then."""

    grantId = serializers.IntegerField()
    customerId = serializers.IntegerField(allow_null=True, help_text="Null of a customer who was erased.")
    targetGroupId = serializers.IntegerField()
    targetId = serializers.IntegerField()
    periodId = serializers.IntegerField(help_text="For a streak level: the period in which it was reached.")
    periodRefCode = serializers.CharField()
    streakId = serializers.IntegerField(allow_null=True)
    streakName = serializers.CharField(allow_null=True)
    run = serializers.IntegerField()
    allocation = serializers.ChoiceField(choices=Allocation.choices)
    reward = GrantedReward()
    achievedAt = InstantField()
    grantedAt = InstantField()


class Actor(serializers.Serializer[Any]):
    id = serializers.IntegerField(allow_null=True)
    code = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_null=True)
    type = serializers.CharField(allow_null=True)


class Attribution(serializers.Serializer[Any]):
    createdOn = InstantField()
    lastUpdatedOn = InstantField()
    createdBy = Actor()
    lastUpdatedBy = Actor()


class PeriodFacts(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    refCode = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    periodStatus = serializers.ChoiceField(choices=["NOT_STARTED", "RUNNING", "ENDED"])
    targetGroupId = serializers.IntegerField()
    active = serializers.BooleanField()
    attribution = Attribution()


class PeriodAnswer(PeriodFacts):
    startDate = InstantField(help_text="In the group's zone.")
    endDate = InstantField(help_text="The last second inside, in the group's zone.")


class DatedPeriodAnswer(PeriodFacts):
    startDate = serializers.DateField(help_text="The first day, in the group's zone.")
    endDate = serializers.DateField(help_text="The last day, in the group's zone.")


class DefaultValueAnswer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    periodId = serializers.IntegerField()
    defaultValue = AmountField()
    rewardAllocationType = serializers.ChoiceField(choices=Allocation.choices)


class PeriodRewardAnswer(serializers.Serializer[Any]):
    refCode = serializers.CharField()
    periodId = serializers.IntegerField()
    reward = GrantedReward()


class TargetAnswer(CosmeticFields):
    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    active = serializers.BooleanField()
    targetType = serializers.ChoiceField(choices=Kpi.choices)
    targetEntity = serializers.ChoiceField(choices=Entity.choices)
    eventName = serializers.CharField(allow_null=True)
    attributeName = serializers.CharField(allow_null=True)
    match = MatchField(allow_null=True)
    targetGroupId = serializers.IntegerField()
    expression = serializers.CharField()
    expressionJson = serializers.CharField(allow_null=True)
    filters = serializers.ListField()
    enrolmentMethod = serializers.CharField()
    defaultValues = DefaultValueAnswer(many=True)
    targetPeriodDefaultValuesMap = serializers.DictField(child=DefaultValueAnswer())
    extendedFieldInfo = serializers.DictField(allow_null=True)
    rewardAllocationType = serializers.ChoiceField(
        choices=Allocation.choices, help_text="Of the last period; `defaultValues` has that of each."
    )
    reward = GrantedReward(allow_null=True, help_text="Of each period without one of its own.")
    periodRewards = PeriodRewardAnswer(many=True)
    attribution = Attribution()


class LevelAnswer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    targetCountOfSequence = serializers.IntegerField()
    targetGroupId = serializers.IntegerField()
    reward = GrantedReward(allow_null=True)
    attribution = Attribution()


class TargetGroupAnswer(CosmeticFields):
    """A programme: its calendar, its targets, its streak levels."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    active = serializers.BooleanField()
    description = serializers.CharField(allow_blank=True)
    preferredTillId = serializers.IntegerField(allow_null=True)
    trackingType = serializers.ChoiceField(choices=TrackingType.choices)
    targetEvaluationType = serializers.ChoiceField(choices=EvaluationType.choices)
    frequencyType = serializers.ChoiceField(choices=FrequencyType.choices)
    frequency = serializers.IntegerField(allow_null=True)
    totalPeriods = serializers.IntegerField()
    recurringCycles = serializers.IntegerField(allow_null=True)
    timeZoneName = serializers.CharField()
    targetCycleStartDate = InstantField()
    targetCycleEndDate = InstantField()
    leaderboardEnabled = serializers.BooleanField()
    userCreated = serializers.BooleanField()
    lateDays = serializers.IntegerField()
    countsBeforeEnrolment = serializers.BooleanField()
    attribution = Attribution()
    activePeriod = PeriodAnswer(allow_null=True, help_text="The one that is running.")
    periods = PeriodAnswer(many=True, allow_null=True)
    targets = TargetAnswer(many=True)
    streaks = LevelAnswer(many=True)
