"""The shapes of our answers, for the OpenAPI document."""

from typing import Any

from rest_framework import serializers

from enrollments.enums import LevelVerdict, NotCounted, ReceiptKind, Source, Verdict
from rewards.api.schema import Attribution, GrantAnswer
from targets.fields import AmountField, InstantField


class ClockAnswer(serializers.Serializer[Any]):
    now = InstantField()
    sandbox = serializers.BooleanField()


class PeriodReference(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    number = serializers.IntegerField()
    refCode = serializers.CharField()


class CycleLineAnswer(serializers.Serializer[Any]):
    periodId = serializers.IntegerField()
    number = serializers.IntegerField()
    refCode = serializers.CharField()
    startDate = InstantField()
    endDate = InstantField(help_text="The first instant outside.")
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    value = AmountField(allow_null=True, help_text="Null where a receipt does not speak of it.")
    targetValue = AmountField()
    achievedAt = InstantField(allow_null=True)
    grantId = serializers.IntegerField(allow_null=True)


class LevelLineAnswer(serializers.Serializer[Any]):
    streakId = serializers.IntegerField()
    name = serializers.CharField()
    targetCountOfSequence = serializers.IntegerField()
    verdict = serializers.ChoiceField(choices=LevelVerdict.choices)
    grantId = serializers.IntegerField(allow_null=True)


class WarningAnswer(serializers.Serializer[Any]):
    code = serializers.IntegerField()
    message = serializers.CharField()


class ReceiptSummary(serializers.Serializer[Any]):
    receiptId = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ReceiptKind.choices)
    effectiveAt = InstantField()
    recordedAt = InstantField()
    source = serializers.ChoiceField(choices=Source.choices)  # type: ignore[assignment]  # the name on the wire
    actor = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)


class ReceiptAnswer(ReceiptSummary):
    """What one enrolment change meant for every cycle, level and reward, as known at `recordedAt`."""

    receiptId = serializers.IntegerField(allow_null=True, help_text="Null in a preview.")
    undoes = serializers.IntegerField(allow_null=True)
    batchId = serializers.UUIDField(allow_null=True)
    customerId = serializers.IntegerField(allow_null=True, help_text="Null of a customer who was erased.")
    targetGroupId = serializers.IntegerField()
    targetId = serializers.IntegerField()
    requestId = serializers.CharField(allow_blank=True)
    fromPeriod = PeriodReference(allow_null=True, help_text="Null: from the end of the last period on.")
    run = serializers.IntegerField()
    streakCount = serializers.IntegerField()
    cycles = CycleLineAnswer(many=True)
    levels = LevelLineAnswer(many=True)
    warnings = WarningAnswer(many=True)


class StayAnswer(serializers.Serializer[Any]):
    firstPeriod = serializers.CharField()
    endPeriod = serializers.CharField(
        allow_null=True, help_text="The first period left; null: none, or the programme's end."
    )
    enrolledAt = InstantField()
    unenrolledAt = InstantField(allow_null=True, help_text="May lie ahead: a leave at the end of the running period.")
    reason = serializers.CharField(allow_null=True)
    run = serializers.IntegerField()


class EnrollmentAnswer(serializers.Serializer[Any]):
    """Where a customer stands in a target."""

    customerId = serializers.IntegerField()
    enrolled = serializers.BooleanField()
    leavesAtEndOf = serializers.CharField(allow_null=True)
    stays = StayAnswer(many=True)
    run = serializers.IntegerField(allow_null=True)
    streakCount = serializers.IntegerField()
    cycles = CycleLineAnswer(many=True)
    levels = LevelLineAnswer(many=True)
    grants = GrantAnswer(many=True)
    receipts = ReceiptSummary(many=True)


class CountedAnswer(serializers.Serializer[Any]):
    targetId = serializers.IntegerField()
    periodId = serializers.IntegerField()
    value = AmountField(help_text="Of the period, afterwards.")
    achieved = serializers.BooleanField()
    grants = serializers.ListField(child=serializers.IntegerField(), help_text="Ids of what was given by it.")


class NotCountedAnswer(serializers.Serializer[Any]):
    targetId = serializers.IntegerField(allow_null=True)
    reason = serializers.ChoiceField(choices=NotCounted.choices)


class RecordedAnswer(serializers.Serializer[Any]):
    """What became of an activity. A duplicate answers the first outcome, and says that it is one."""

    eventId = serializers.CharField()
    counted = CountedAnswer(many=True)
    notCounted = NotCountedAnswer(many=True)


class UserCustomer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    profiles = serializers.ListField()
    loyaltyInfo = serializers.DictField()
    customFields = serializers.DictField()


class UserTarget(serializers.Serializer[Any]):
    targetId = serializers.IntegerField(allow_null=True, help_text="Of the progress; null where there is none.")
    targetRuleId = serializers.IntegerField()
    targetName = serializers.CharField()
    targetType = serializers.CharField()
    targetEntity = serializers.CharField()
    eventName = serializers.CharField(allow_null=True)
    periodId = serializers.IntegerField()
    periodRefCode = serializers.CharField()
    periodStartDate = serializers.DateField()
    periodEndDate = serializers.DateField()
    periodStartDateWithTimeStamp = serializers.CharField()
    periodEndDateWithTimeStamp = serializers.CharField()
    targetValue = AmountField()
    targetAchievedValue = AmountField()
    targetAchievedDateTime = serializers.CharField(allow_null=True)
    enrolledOn = serializers.CharField(allow_null=True)
    currentPeriod = serializers.BooleanField()
    milestones = serializers.ListField(allow_null=True)
    unEnrolled = serializers.BooleanField()


class UserStreak(serializers.Serializer[Any]):
    userStreakId = serializers.IntegerField(allow_null=True)
    streakId = serializers.IntegerField()
    streakName = serializers.CharField()
    status = serializers.ChoiceField(choices=["INPROGRESS", "ACHIEVED"])
    currentCount = serializers.IntegerField()
    totalTargetCountOfSequence = serializers.IntegerField()
    streakAchievedUserTargetId = serializers.IntegerField(allow_null=True)
    streakAchievedDateTime = serializers.CharField(allow_null=True)


class UserGroup(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    trackingType = serializers.CharField()
    targetEvaluationType = serializers.CharField()
    preferredTillId = serializers.IntegerField(allow_null=True)
    attribution = Attribution()
    targets = UserTarget(many=True)
    streaks = UserStreak(many=True, required=False, help_text="Of streak groups only.")


class TrackedEventAnswer(serializers.Serializer[Any]):
    """A line of a customer's log in a target."""

    eventLogId = serializers.IntegerField()
    eventName = serializers.ChoiceField(choices=["GENERIC_EVENT", "ADD_TRANSACTION", "RETURN_BILL", "ENROL", "UNENROL"])
    customerId = serializers.IntegerField()
    eventDisplayName = serializers.CharField(allow_null=True, help_text="The event's name, of a GENERIC_EVENT.")
    uniqueId = serializers.CharField(help_text="Your id of the event; of ENROL and UNENROL the id of the receipt.")
    eventDate = serializers.CharField(help_text="UTC, as 2026-01-09 12:00:12.0.")
    eventProcessedDate = serializers.CharField(help_text="When it was recorded, likewise.")
    periodId = serializers.IntegerField(
        allow_null=True, help_text="In which it counted, or that was joined, or the first that was left."
    )
    targetGroupId = serializers.IntegerField()
    targetRuleId = serializers.IntegerField()
    targetValue = AmountField(allow_null=True, help_text="What it added to the value; null for ENROL and UNENROL.")


class UserAnswer(serializers.Serializer[Any]):
    userId = serializers.IntegerField()
    customer = UserCustomer()
    targetGroups = UserGroup(many=True)
