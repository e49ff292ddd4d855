"""The shapes of our answers, for the OpenAPI document."""

from typing import Any

from rest_framework import serializers

from enrollments.enums import (
    EnrollOutcome,
    LeaveOutcome,
    LevelVerdict,
    NotCounted,
    ReceiptKind,
    Source,
    UndoOutcome,
    Verdict,
)
from rewards.api.schema import Attribution, GrantAnswer
from targets.api.shapes import (
    BatchId,
    Day,
    Flag,
    GrantId,
    Nothing,
    Number,
    NumberOfCustomer,
    Object,
    PeriodId,
    PeriodNumber,
    ReceiptId,
    RefCode,
    Run,
    StreakCount,
    StreakId,
    StreakName,
    StreakTarget,
    TargetGroupId,
    TargetId,
    Text,
    Word,
)
from targets.enums import Entity, EvaluationType, Kpi, TrackingType
from targets.fields import AmountField, InstantField

PUBLISHED_INSTANT = "2026-01-15T09:00:00.000+0000"
NOT_YET = "null where the customer's own calendar has not reached it"


class ClockAnswer(serializers.Serializer[Any]):
    now = InstantField(help_text="What the brand takes for now.")
    sandbox = Flag("Always true: other brands have no such clock.")


class PeriodReference(serializers.Serializer[Any]):
    id = PeriodId()
    number = PeriodNumber()
    refCode = RefCode()


class CycleLineAnswer(serializers.Serializer[Any]):
    periodId = PeriodId()
    number = PeriodNumber()
    refCode = RefCode()
    startDate = InstantField(allow_null=True, help_text=f"The first instant inside; {NOT_YET}.")
    endDate = InstantField(allow_null=True, help_text=f"The first instant outside; {NOT_YET}.")
    verdict = Word(Verdict.choices, "What it means for the period.")
    value = AmountField(
        allow_null=True, help_text="What was reached in the period; null where a receipt does not speak of it."
    )
    targetValue = AmountField(help_text="What is to be reached in the period.", example=500)
    achievedAt = InstantField(allow_null=True, help_text="When the value was reached.")
    grantId = GrantId(allow_null=True)


class LevelLineAnswer(serializers.Serializer[Any]):
    streakId = StreakId()
    name = StreakName()
    targetCountOfSequence = StreakTarget()
    verdict = Word(LevelVerdict.choices, "What it means for the level.")
    grantId = GrantId(allow_null=True)


class WarningAnswer(serializers.Serializer[Any]):
    code = Number("What is warned of: docs/errors.md.", 310201)
    message = Text("The sentence for people.", "The reward of Cycle_1 is forfeited.", max_length=2000)


class ReceiptSummary(serializers.Serializer[Any]):
    receiptId = ReceiptId()
    kind = Word(ReceiptKind.choices, "What was changed.")
    effectiveAt = InstantField(help_text="From when on it holds.")
    recordedAt = InstantField(help_text="When it was recorded.")
    source = Word(Source.choices, "Through which door it came.")  # type: ignore[assignment]  # the name on the wire
    actor = Text("Who changed it: a user name.", "shop", max_length=150)
    reason = Text("Why, in the words that were sent.", "asked by phone", max_length=500, allow_blank=True)


class ReceiptAnswer(ReceiptSummary):
    """What one enrolment change meant for every cycle, level and reward, as known at `recordedAt`."""

    receiptId = ReceiptId("Id of the receipt; null in a preview.", allow_null=True)
    undoes = ReceiptId("Id of the receipt that is undone by this one.", allow_null=True)
    batchId = BatchId(allow_null=True)
    customerId = NumberOfCustomer(
        "The brand's number for the customer; null of a customer who was erased.", allow_null=True
    )
    targetGroupId = TargetGroupId()
    targetId = TargetId()
    requestId = Text("The X-Cap-Requestid of the request.", "till-7-4711", max_length=64, allow_blank=True)
    fromPeriod = PeriodReference(
        allow_null=True, help_text="The first period concerned; null: from the end of the last period on."
    )
    run = Run()
    streakCount = StreakCount()
    cycles = CycleLineAnswer(many=True, help_text="What it means for each period.")
    levels = LevelLineAnswer(many=True, help_text="What it means for each level of a streak.")
    warnings = WarningAnswer(many=True, help_text="What the change costs the customer, and what was ignored.")


class StayAnswer(serializers.Serializer[Any]):
    firstPeriod = RefCode("The name of the first period of the stay.")
    endPeriod = RefCode("The first period left; null: none, or the programme's end.", "Cycle_3", allow_null=True)
    enrolledAt = InstantField(help_text="When he was enrolled.")
    unenrolledAt = InstantField(
        allow_null=True,
        help_text="When he left. May lie ahead: a leave at the end of the running period.",
    )
    reason = Text("Why he left, in the words that were sent.", "asked by phone", max_length=500, allow_null=True)
    run = Run()


class EnrollmentAnswer(serializers.Serializer[Any]):
    """Where a customer stands in a target."""

    customerId = NumberOfCustomer()
    enrolled = Flag("Whether he is a member now.")
    leavesAtEndOf = RefCode("The period at whose end he leaves, if that is scheduled.", allow_null=True)
    stays = StayAnswer(many=True, help_text="From when to when he was enrolled, oldest first.")
    run = Run("The run of the streak; null of who was never enrolled.", allow_null=True)
    streakCount = StreakCount()
    cycles = CycleLineAnswer(many=True, help_text="Where he stands in each period.")
    levels = LevelLineAnswer(many=True, help_text="Which levels of a streak he has reached.")
    grants = GrantAnswer(many=True, help_text="What he was given in this target.")
    receipts = ReceiptSummary(many=True, help_text="The last 100 changes of the enrolment, oldest first.")


class JoinedAnswer(serializers.Serializer[Any]):
    customerId = NumberOfCustomer()
    outcome = Word(EnrollOutcome.choices, "What became of the record.")
    receiptId = ReceiptId("Id of the receipt; null where nothing was changed.", allow_null=True)
    message = Text(
        "Why not; null where he was enrolled.", "This brand has no customer 7.", max_length=2000, allow_null=True
    )


class EnrollBulkAnswer(serializers.Serializer[Any]):
    """What became of each record, in the order in which they were sent."""

    batchId = BatchId()
    totals = Object("How often each outcome came up.", {"enrolled": 1}, child=Number("How often.", 1))
    results = JoinedAnswer(many=True, help_text="One for each record, in the same order.")


class LeftAnswer(serializers.Serializer[Any]):
    customerId = NumberOfCustomer()
    outcome = Word(LeaveOutcome.choices, "What became of the customer.")
    receiptId = ReceiptId("Id of the receipt; null where there is none.", allow_null=True)
    forfeited = serializers.ListField(
        child=RefCode("Name of a period."), help_text="The period whose reward is lost by leaving, if there is one."
    )
    message = Text(
        "Why nothing was changed; null where something was.",
        "This brand has no such customer.",
        max_length=2000,
        allow_null=True,
    )


class LeaveBulkAnswer(serializers.Serializer[Any]):
    """What became of each customer, in the order in which they were sent."""

    batchId = BatchId(allow_null=True)
    totals = Object("How often each outcome came up.", {"unenrolled": 1}, child=Number("How often.", 1))
    results = LeftAnswer(many=True, help_text="One for each customer, in the same order.")


class UndoneAnswer(serializers.Serializer[Any]):
    """A leave was taken back."""

    receipt = ReceiptAnswer(help_text="The receipt of it; `receiptId` is null in a dry run.")
    activitiesCounted = Number("How many activities count now that did not only because he had left.", 2)
    rewardsGranted = Number("How many rewards that gave: see `GET /v3/rewardGrants`.", 1)


class TakenBackAnswer(serializers.Serializer[Any]):
    undoes = ReceiptId("Id of the receipt of the leave.")
    customerId = NumberOfCustomer(
        "The brand's number for the customer; null of a customer who was erased.", allow_null=True
    )
    outcome = Word(UndoOutcome.choices, "What became of it.")
    receiptId = ReceiptId("Id of the receipt that took it back; null where there is none.", allow_null=True)
    activitiesCounted = Number("How many activities count now that did not only because he had left.", 2)
    rewardsGranted = Number("How many rewards that gave.", 1)
    message = Text(
        "Why nothing was changed; null where something was.",
        "Receipt 9 is not the last change of this enrolment.",
        max_length=2000,
        allow_null=True,
    )


class UndoBatchAnswer(serializers.Serializer[Any]):
    """What became of each leave, in the order in which they were written."""

    batchId = BatchId(allow_null=True)
    totals = Object("How often each outcome came up.", {"undone": 1}, child=Number("How often.", 1))
    results = TakenBackAnswer(many=True, help_text="One for each receipt of a leave in the batch.")
    next = ReceiptId("There is more: send it as `after` to go on; null: that was all.", allow_null=True)


class CountedAnswer(serializers.Serializer[Any]):
    targetId = TargetId()
    periodId = PeriodId()
    value = AmountField(help_text="What is reached in the period, afterwards.")
    achieved = Flag("Whether the value of the period was reached by it.")
    grants = serializers.ListField(
        child=GrantId("Id of a grant."), help_text="What was given by it; see `GET /v3/rewardGrants`."
    )


class NotCountedAnswer(serializers.Serializer[Any]):
    targetId = TargetId("Id of the target; null where it is said of the activity as a whole.", allow_null=True)
    reason = Word(NotCounted.choices, "Why it did not count.")


class RecordedAnswer(serializers.Serializer[Any]):
    """What became of an activity. A duplicate answers the first outcome, and says that it is one."""

    eventId = Text("Your id of the activity.", "till-7-4711")
    counted = CountedAnswer(many=True, help_text="The targets in which it counted.")
    notCounted = NotCountedAnswer(many=True, help_text="Where it did not count, and why.")


class UserCustomer(serializers.Serializer[Any]):
    id = NumberOfCustomer()
    profiles = Nothing()
    loyaltyInfo = Object("As published; always empty.", {})
    customFields = Object("As published; always empty.", {})


class UserTarget(serializers.Serializer[Any]):
    targetId = Number("Id of the progress in this period; null where there is none.", 1314, allow_null=True)
    targetRuleId = TargetId()
    targetName = Text("The name of the target.", "Spend")
    targetType = Word(Kpi.choices, "What is added up.")
    targetEntity = Word(Entity.choices, "What an activity stands for.")
    eventName = Text("The activities that count; null: any.", "purchase", max_length=100, allow_null=True)
    periodId = PeriodId()
    periodRefCode = RefCode()
    periodStartDate = Day(f"The first day; {NOT_YET}.", allow_null=True)
    periodEndDate = Day(f"The last day; {NOT_YET}.", allow_null=True)
    periodStartDateWithTimeStamp = Text(
        f"The first instant, in UTC; {NOT_YET}.", "2026-01-01T00:00:00.000Z", max_length=40, allow_null=True
    )
    periodEndDateWithTimeStamp = Text(
        f"The last second inside, in UTC; {NOT_YET}.", "2026-01-31T23:59:59.000Z", max_length=40, allow_null=True
    )
    targetValue = AmountField(help_text="What is to be reached in the period.", example=500)
    targetAchievedValue = AmountField(help_text="What is reached in the period.")
    targetAchievedDateTime = Text("When the value was reached.", PUBLISHED_INSTANT, max_length=40, allow_null=True)
    enrolledOn = Text("When he was enrolled.", PUBLISHED_INSTANT, max_length=40, allow_null=True)
    currentPeriod = Flag("Whether the period is running.")
    milestones = Nothing(allow_null=True)
    unEnrolled = Flag("Whether the period was left by an unenrolment.", example=False)


class UserStreak(serializers.Serializer[Any]):
    userStreakId = GrantId("Id of the level's grant; null where none was given.", allow_null=True)
    streakId = StreakId()
    streakName = StreakName()
    status = Word(["INPROGRESS", "ACHIEVED"], "Whether the level is reached.")
    currentCount = StreakCount()
    totalTargetCountOfSequence = StreakTarget()
    streakAchievedUserTargetId = Number("Id of the progress with which the level was reached.", 1314, allow_null=True)
    streakAchievedDateTime = Text("When the level was reached.", PUBLISHED_INSTANT, max_length=40, allow_null=True)


class UserGroup(serializers.Serializer[Any]):
    id = TargetGroupId()
    name = Text("The name of the group.", "ABC")
    trackingType = Word(TrackingType.choices, "Milestone or streak.")
    targetEvaluationType = Word(EvaluationType.choices, "Whose calendar the periods are of.")
    preferredTillId = Number("Kept and echoed.", 4711, allow_null=True)
    attribution = Attribution(help_text="Who made the group, and when.")
    targets = UserTarget(many=True, help_text="One entry for each target and period.")
    streaks = UserStreak(many=True, required=False, help_text="The levels; only of streak groups.")


class TrackedEventAnswer(serializers.Serializer[Any]):
    """A line of a customer's log in a target."""

    eventLogId = Number("Id of the line.", 1516)
    eventName = Word(["GENERIC_EVENT", "ADD_TRANSACTION", "RETURN_BILL", "ENROL", "UNENROL"], "What happened.")
    customerId = NumberOfCustomer()
    eventDisplayName = Text("The event's name, of a GENERIC_EVENT.", "check-in", max_length=100, allow_null=True)
    uniqueId = Text("Your id of the event; of ENROL and UNENROL the id of the receipt.", "till-7-4711")
    eventDate = Text("When it happened, in UTC.", "2026-01-09 12:00:12.0", max_length=40)
    eventProcessedDate = Text("When it was recorded, in UTC.", "2026-01-09 12:00:12.5", max_length=40)
    periodId = PeriodId(
        "Id of the period in which it counted, or that was joined, or the first that was left.", allow_null=True
    )
    targetGroupId = TargetGroupId()
    targetRuleId = TargetId()
    targetValue = AmountField(allow_null=True, help_text="What it added to the value; null for ENROL and UNENROL.")


class UserAnswer(serializers.Serializer[Any]):
    userId = NumberOfCustomer()
    customer = UserCustomer(help_text="The customer, as published.")
    targetGroups = UserGroup(many=True, help_text="The groups in which the customer is or was.")
