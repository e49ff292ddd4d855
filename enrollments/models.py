from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Coalesce

from enrollments.enums import Effective, LeaveOutcome, NotCounted, PlanState, ReceiptKind, Source, Verdict
from targets.exact_json import ExactJSONField
from targets.feeds import Snapshot, TransactionId
from targets.models import Brand, Customer, Target
from targets.models.programme import MAX_CYCLES

# Every table here grows without bound, so a foreign key has no index of its own (`db_index=False`) where another index
# begins with it: tests/plans/test_indexes.py.

# Longer than any calendar: one participation's cycles and the next one's never meet in one number line.
CYCLES_APART = 4096

# Room for the sum of more of the largest amounts (18 digits) than anybody will ever send.
SUM_DIGITS = 30


class Participation(models.Model):
    """One customer in one target, made by the first enrolment. This is the row that is locked."""

    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="+", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="participations", db_index=False)
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="participations")
    run_number = models.PositiveSmallIntegerField(default=1, help_text="The current run.")
    first_enrolled_at = models.DateTimeField()
    changed_at = models.DateTimeField(help_text="Instant of the last change; the next one is never before it.")
    # Of CYCLIC_WINDOW only: see enrollments/calendars.py.
    anchored_at = models.DateTimeField(
        null=True, blank=True, help_text="Where the customer's own calendar begins: his first activity. Never moves."
    )
    closed_through = models.PositiveSmallIntegerField(
        default=0, help_text="The cycles of his own calendar up to this one are closed and paid."
    )
    closes_next_at = models.DateTimeField(
        null=True, blank=True, help_text="When the next cycle of his own calendar closes."
    )

    class Meta:
        verbose_name = "enrolment"  # as people call it
        constraints = [
            models.UniqueConstraint(fields=["customer", "target"], name="participation_unique"),
            # Aim of the composite foreign key that keeps a receipt in its participation's brand.
            models.UniqueConstraint(fields=["brand", "id"], name="participation_brand_key"),
            models.CheckConstraint(condition=Q(run_number__gte=1), name="participation_run_positive"),
            models.CheckConstraint(
                condition=Q(changed_at__gte=F("first_enrolled_at")),
                name="participation_changed_after_enrolling",
            ),
            models.CheckConstraint(
                condition=Q(anchored_at__isnull=False) | Q(closed_through=0, closes_next_at=None),
                name="participation_closes_what_has_begun",
            ),
        ]
        indexes = [
            # close_cycles: who has a cycle of his own to close. Those whose calendar has ended leave it.
            models.Index(
                fields=["brand", "closes_next_at"],
                name="participation_due",
                condition=Q(closes_next_at__isnull=False),
            ),
        ]
        permissions = [
            ("enroll", "Can enrol customers"),
            ("unenroll", "Can unenrol customers"),
            ("bulk_unenroll", "Can unenrol many customers at once"),
            ("cancel_leave", "Can cancel scheduled leaves"),
            ("undo_unenrolment", "Can undo unenrolments"),
            ("bulk_undo_unenrolment", "Can undo unenrolments, many at once"),
            ("record_activity", "Can record activities"),
            ("set_clock", "Can set the clock of a sandbox brand"),
        ]

    def __str__(self) -> str:
        return f"{self.customer} in {self.target}"


class Run(models.Model):
    """The count a streak is on. Milestones stay in run 1."""

    participation = models.ForeignKey(Participation, on_delete=models.PROTECT, related_name="runs", db_index=False)
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["participation", "number"], name="run_unique"),
            models.CheckConstraint(condition=Q(number__gte=1), name="run_number_positive"),
        ]

    def __str__(self) -> str:
        return f"Run {self.number}"


class Stay(models.Model):
    """One continuous membership: cycles [first_cycle, end_cycle), open while end_cycle is empty (domain.md 2).

    Open: neither end_cycle nor left_at nor leaves_after. Scheduled: end_cycle and leaves_after; he is out from
    the end of cycle `leaves_after` on, without anybody doing anything. Left: end_cycle and left_at.
    In a calendar of his own `leaves_at` is that end, as soon as it is known.
    """

    participation = models.ForeignKey(Participation, on_delete=models.PROTECT, related_name="stays", db_index=False)
    run_number = models.PositiveSmallIntegerField()
    first_cycle = models.PositiveSmallIntegerField()
    end_cycle = models.PositiveSmallIntegerField(null=True, blank=True)
    enrolled_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)
    leaves_after = models.PositiveSmallIntegerField(null=True, blank=True)
    leaves_at = models.DateTimeField(null=True, blank=True)
    leave_receipt = models.OneToOneField(
        "Receipt", null=True, blank=True, on_delete=models.PROTECT, related_name="ended_stay"
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            # Every operation: the stays of a participation. Aim of the composite foreign key of a receipt.
            models.UniqueConstraint(fields=["participation", "id"], name="stay_by_participation_key"),
            # Serves "his open stay".
            models.UniqueConstraint(
                fields=["participation"],
                condition=Q(end_cycle=None),
                name="stay_one_open",
                violation_error_message="The customer is already enrolled.",
            ),
            models.CheckConstraint(
                condition=Q(first_cycle__gte=1, first_cycle__lte=MAX_CYCLES), name="stay_first_cycle_range"
            ),
            models.CheckConstraint(
                condition=Q(end_cycle=None) | Q(end_cycle__gte=F("first_cycle"), end_cycle__lte=MAX_CYCLES + 1),
                name="stay_ends_after_start",
            ),
            models.CheckConstraint(
                condition=Q(end_cycle=None, left_at=None, leaves_after=None, leave_receipt=None)
                | Q(
                    end_cycle__isnull=False,
                    left_at=None,
                    leaves_after__isnull=False,
                    leave_receipt__isnull=False,
                )
                | Q(
                    end_cycle__isnull=False,
                    left_at__isnull=False,
                    leaves_after=None,
                    leave_receipt__isnull=False,
                ),
                name="stay_open_scheduled_or_left",
                violation_error_message="A stay is open, or its leave is scheduled, or it was left.",
            ),
            models.CheckConstraint(
                condition=Q(left_at=None) | Q(left_at__gte=F("enrolled_at")), name="stay_left_after_enrolling"
            ),
            models.CheckConstraint(
                condition=Q(leaves_at=None) | Q(leaves_after__isnull=False), name="stay_leaves_as_scheduled"
            ),
            # Participation and cycle in one range of numbers, so that core GiST can hold it. An empty stay is an
            # empty range and overlaps nothing.
            ExclusionConstraint(
                name="stays_never_overlap",
                expressions=[
                    (
                        Func(
                            F("participation") * Value(CYCLES_APART) + F("first_cycle"),
                            F("participation") * Value(CYCLES_APART)
                            + Coalesce(F("end_cycle"), Value(CYCLES_APART - 1)),
                            function="int8range",
                        ),
                        "&&",
                    )
                ],
                violation_error_message="Two stays of a customer in a target never cover the same cycle.",
            ),
        ]

    def __str__(self) -> str:
        return f"Cycles {self.first_cycle} to {'...' if self.end_cycle is None else self.end_cycle - 1}"

    def covers(self, cycle_number: int) -> bool:
        return self.first_cycle <= cycle_number and (self.end_cycle is None or cycle_number < self.end_cycle)


class Progress(models.Model):
    """What a customer has reached in one cycle of one run: adjustment plus everything counted."""

    participation = models.ForeignKey(Participation, on_delete=models.PROTECT, related_name="progress", db_index=False)
    run_number = models.PositiveSmallIntegerField()
    cycle_number = models.PositiveSmallIntegerField()
    value = models.DecimalField(max_digits=SUM_DIGITS, decimal_places=3, default=0)
    adjustment = models.DecimalField(
        max_digits=SUM_DIGITS,
        decimal_places=3,
        default=0,
        help_text="What a balance set at enrolling added to the activities.",
    )
    balance_at = models.DateTimeField(null=True, blank=True, help_text="When a balance was last set.")
    achieved_at = models.DateTimeField(null=True, blank=True, help_text="When the value reached the target value.")

    class Meta:
        verbose_name_plural = "progress"
        ordering = ["run_number", "cycle_number"]
        constraints = [
            # Serves every read and write of progress.
            models.UniqueConstraint(fields=["participation", "run_number", "cycle_number"], name="progress_unique"),
            models.CheckConstraint(
                condition=Q(cycle_number__gte=1, cycle_number__lte=MAX_CYCLES), name="progress_cycle_range"
            ),
        ]

    def __str__(self) -> str:
        return str(self.value)


class ActivityFields(models.Model):
    """An event of a customer. Kept the same in the table that is written and in the archive."""

    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="+", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+", db_index=False)
    event_id = models.CharField(max_length=200)
    event_name = models.CharField(max_length=100)
    occurred_at = models.DateTimeField()
    amount = models.DecimalField(max_digits=18, decimal_places=3, null=True, blank=True)
    quantity = models.DecimalField(max_digits=18, decimal_places=3, null=True, blank=True)
    attributes = ExactJSONField(default=dict, blank=True)
    recorded_at = models.DateTimeField()
    not_counted = models.CharField(
        max_length=20,
        blank=True,
        choices=NotCounted.choices,
        help_text="Why it counted for no target at all.",
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.event_name} {self.event_id}"


class Activity(ActivityFields):
    """An event, stored once with what became of it. Its (brand, event id) is remembered for ever, here or archived."""

    class Meta:
        verbose_name_plural = "activities"
        constraints = [
            # Not archived either: activity_event_not_archived, by a trigger of the migration named `archive`.
            models.UniqueConstraint(
                fields=["brand", "event_id"],
                name="activity_event_once",
                violation_error_message="This event was recorded already.",
            ),
        ]
        indexes = [
            # Admin: what a customer did, newest first.
            models.Index(fields=["customer", "-occurred_at"], name="activity_by_customer"),
        ]


class OutcomeFields(models.Model):
    """What one activity did in one participation: counted in a cycle, or why not."""

    participation = models.ForeignKey(Participation, on_delete=models.PROTECT, related_name="+")
    run_number = models.PositiveSmallIntegerField(null=True, blank=True)
    cycle_number = models.PositiveSmallIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=20, blank=True, choices=NotCounted.choices)
    delta = models.DecimalField(max_digits=18, decimal_places=3, default=0)
    visit_on = models.DateField(
        null=True, blank=True, help_text="The day in the group's zone that this activity made a day with a visit."
    )
    value = models.DecimalField(
        max_digits=SUM_DIGITS, decimal_places=3, default=0, help_text="The cycle's value afterwards."
    )
    achieved = models.BooleanField(default=False, help_text="Whether the cycle stands achieved afterwards.")
    grant_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    left_by = models.ForeignKey(
        "Receipt",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="The leave but for which he had been a member: undoing it counts the activity.",
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.get_reason_display() if self.reason else f"+{self.delta}"


class ActivityOutcome(OutcomeFields):
    activity = models.ForeignKey(Activity, on_delete=models.PROTECT, related_name="outcomes", db_index=False)

    class Meta:
        constraints = [
            # Serves "the first outcome" of a repeated event.
            models.UniqueConstraint(fields=["activity", "participation"], name="outcome_unique"),
            models.CheckConstraint(
                condition=Q(reason="", run_number__isnull=False, cycle_number__isnull=False)
                | ~Q(reason="") & Q(delta=0),
                name="outcome_counted_or_reason",
            ),
            # Serves "has this day counted".
            models.UniqueConstraint(
                fields=["participation", "run_number", "cycle_number", "visit_on"],
                condition=Q(visit_on__isnull=False),
                name="outcome_visit_once",
                violation_error_message="A day counts as one visit in a period of a run.",
            ),
            models.CheckConstraint(condition=Q(visit_on=None) | Q(reason="", delta=1), name="outcome_visit_adds_one"),
        ]
        indexes = [
            # Integrity check: what was counted for a cycle of a participation.
            models.Index(
                fields=["participation", "run_number", "cycle_number"],
                name="outcome_counted",
                condition=Q(reason=""),
            ),
            # Undoing an unenrolment: what is to be counted then.
            models.Index(fields=["left_by", "id"], name="outcome_left_by", condition=Q(left_by__isnull=False)),
            # Admin: the newest activities that did not count in an enrolment. Most do, and are not in it.
            models.Index(fields=["participation", "-id"], name="outcome_not_counted", condition=~Q(reason="")),
        ]


# The archive: see operations/archiving.py. Its tables are partitioned, which Django cannot say: the migration named
# `archive` makes them, with their indexes and the views.


class ArchivedActivity(ActivityFields):
    """An activity with which nothing can happen any more. Partitioned by a hash of the event id."""

    id = models.BigIntegerField(primary_key=True)  # that it had

    class Meta:
        default_permissions = ()


class ArchivedOutcome(OutcomeFields):
    """Of an archived activity. Partitioned by a hash of the activity's id."""

    id = models.BigIntegerField(primary_key=True)
    activity = models.ForeignKey(ArchivedActivity, on_delete=models.PROTECT, related_name="outcomes")

    class Meta:
        default_permissions = ()


class EveryActivity(ActivityFields):
    """Activities, archived or not: a view, for all who only read."""

    class Meta:
        managed = False
        db_table = "enrollments_everyactivity"
        default_permissions = ()
        verbose_name = "activity"
        verbose_name_plural = "activities"


class EveryOutcome(OutcomeFields):
    """What activities did, archived or not: a view, for all who only read."""

    activity = models.ForeignKey(EveryActivity, on_delete=models.DO_NOTHING, related_name="outcomes")

    class Meta:
        managed = False
        db_table = "enrollments_everyoutcome"
        default_permissions = ()
        verbose_name = "activity outcome"


class CountedTarget(models.Model):
    """What there was to count of a large target, when it was last counted: enrollments/figures.py."""

    target = models.OneToOneField(Target, primary_key=True, on_delete=models.PROTECT, related_name="+")
    counted_at = models.DateTimeField()
    counts = ExactJSONField()

    class Meta:
        default_permissions = ()  # whoever may see the figures sees it there


class Receipt(models.Model):
    """The immutable account of one enrolment change.

    Stored is what cannot be derived later; the list of cycles is rendered from it (api.md 7), so writing costs the
    same for 5 and for 100 cycles. A row is only ever added.
    """

    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="+", db_index=False)
    participation = models.ForeignKey(Participation, on_delete=models.PROTECT, related_name="receipts", db_index=False)
    # Found by its participation. By an index of its own PostgreSQL would check `stay_ended_by_its_receipt`, and so read
    # all earlier receipts of the stay, long cold, for each leave.
    stay = models.ForeignKey(Stay, on_delete=models.PROTECT, related_name="receipts", db_index=False)
    kind = models.CharField(max_length=20, choices=ReceiptKind.choices)
    undoes = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="undone_by")
    batch_id = models.UUIDField(null=True, blank=True)
    effective_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    source = models.CharField(max_length=8, choices=Source.choices)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=45, blank=True, db_default="", help_text="From where it came.")
    credential = models.CharField(max_length=220, blank=True, db_default="", help_text="What proved who it was.")
    # As decided:
    run_number = models.PositiveSmallIntegerField()
    streak_count = models.PositiveSmallIntegerField(default=0)
    cycle_count = models.PositiveSmallIntegerField(help_text="Number of cycles of the programme then.")
    programme_version = models.PositiveIntegerField(
        default=1, db_default=1, help_text="Which version of the programme it speaks of."
    )
    from_cycle = models.PositiveSmallIntegerField(help_text="The first cycle that the change is about.")
    first_cycle = models.PositiveSmallIntegerField()
    end_cycle_before = models.PositiveSmallIntegerField(null=True, blank=True)
    end_cycle = models.PositiveSmallIntegerField(null=True, blank=True)
    running_cycle = models.PositiveSmallIntegerField(null=True, blank=True, help_text="The cycle running or next then.")
    running_value = models.DecimalField(max_digits=SUM_DIGITS, decimal_places=3, null=True, blank=True)
    running_verdict = models.CharField(max_length=24, blank=True, choices=Verdict.choices)
    running_achieved_at = models.DateTimeField(null=True, blank=True)
    anchored_at = models.DateTimeField(null=True, blank=True, help_text="Where his own calendar began, if it had.")
    ignored_fields = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    # Feeds are read in order of (transaction, id): see docs/architecture.md, "Feeds".
    transaction_id = models.BigIntegerField(editable=False, db_default=TransactionId())
    # Tells which grants were known: see enrollments/receipts.py.
    snapshot = models.TextField(editable=False, db_default=Snapshot())

    class Meta:
        constraints = [
            # Aim of the composite foreign key of a stay: the receipt in force set just this end.
            models.UniqueConstraint(fields=["id", "stay", "end_cycle"], name="receipt_end_key"),
            models.CheckConstraint(
                condition=Q(kind__in=["UNENROLLED", "LEAVE_SCHEDULED"], end_cycle__isnull=False)
                | ~Q(kind__in=["UNENROLLED", "LEAVE_SCHEDULED"]),
                name="receipt_of_leaving_has_end",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["LEAVE_CANCELLED", "UNENROLMENT_UNDONE"]) | Q(undoes__isnull=False),
                name="receipt_of_undoing_names_what",
            ),
        ]
        indexes = [
            # GET /v3/receipts
            models.Index(fields=["brand", "transaction_id", "id"], name="receipt_feed"),
            # GET enrollments and the admin: receipts of a participation.
            models.Index(fields=["participation", "id"], name="receipt_by_participation"),
            # Admin: of one batch. Undoing it goes through it by this.
            models.Index(fields=["batch_id", "id"], name="receipt_of_batch", condition=Q(batch_id__isnull=False)),
            # Admin: by whom, when, in which request. Receipts lie in the order of their instants, near enough for BRIN.
            models.Index(fields=["actor", "id"], name="receipt_by_who"),
            BrinIndex(fields=["recorded_at"], name="receipt_by_time"),
            models.Index(fields=["request_id"], name="receipt_by_request", condition=~Q(request_id="")),
        ]

    def __str__(self) -> str:
        return f"Receipt {self.pk}: {self.get_kind_display()}"


# What the dashboard shows is counted behind the changes: enrollments/operations/tallying.py.


class TallyPosition(models.Model):
    """Up to where the receipts of a brand are counted, in the order of feeds."""

    brand = models.OneToOneField(Brand, primary_key=True, on_delete=models.PROTECT, related_name="+")
    transaction_id = models.BigIntegerField(default=0)
    receipt_id = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()


class DailyChanges(models.Model):
    """How many joined and left a target on one day of the brand's calendar, as far as they are counted."""

    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    joined = models.PositiveIntegerField()
    departed = models.PositiveIntegerField(help_text="Left, or had their leave scheduled.")
    taken_back = models.PositiveIntegerField(help_text="Of those: undone, or cancelled.")
    forfeited = models.PositiveIntegerField(help_text="Left and forfeited a reward.")

    class Meta:
        default_permissions = ()
        constraints = [
            # Serves the dashboard too: all days of the targets of a brand.
            models.UniqueConstraint(fields=["target", "day"], name="daily_changes_unique"),
        ]


class LeavePlan(models.Model):
    """A list of customers that somebody of the staff has uploaded, and what their leaving one target would mean.

    Planned, approved by a second person where it is large, then carried out, each step chunk by chunk. Once it is
    planned nothing of it changes but its state, so what was approved is what is carried out.
    """

    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="+", db_index=False)
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="+")
    batch_id = models.UUIDField(unique=True, help_text="Of all its receipts.")
    state = models.CharField(max_length=10, choices=PlanState.choices, default=PlanState.PLANNING)
    effective = models.CharField(max_length=10, choices=Effective.choices)
    reason = models.CharField(max_length=500)
    include_inactive = models.BooleanField(default=False, help_text="Whether it is also to leave what is inactive.")
    file_name = models.CharField(max_length=100, blank=True)
    rows = models.PositiveIntegerField()
    leaving = models.PositiveIntegerField(default=0, help_text="How many customers leave by it; known once planned.")
    approval_above = models.PositiveIntegerField(help_text="If more leave by it, a second person is to approve.")
    uploaded_by = models.CharField(max_length=150)
    uploaded_at = models.DateTimeField()
    planned_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.CharField(max_length=150, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    started_by = models.CharField(max_length=150, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=150, blank=True, help_text="Who had the last of it done, or withdrew it.")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "unenrolment of many"
        verbose_name_plural = "unenrolments of many"
        default_permissions = ("view",)
        permissions = [("approve_bulk", "Can approve unenrolments of many that others have uploaded")]
        constraints = [
            # Aim of the composite foreign key that keeps its rows in its brand.
            models.UniqueConstraint(fields=["brand", "id"], name="leave_plan_brand_key"),
            models.CheckConstraint(
                condition=Q(approved_by="", approved_at=None) | ~Q(approved_by="") & Q(approved_at__isnull=False),
                name="leave_plan_approved_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(approved_by=F("uploaded_by")),
                name="leave_plan_second_person",
                violation_error_message="Whoever has uploaded a list cannot approve it: that is for a second person.",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["RUNNING", "DONE"]) | Q(leaving__lte=F("approval_above")) | ~Q(approved_by=""),
                name="leave_plan_runs_approved",
                violation_error_message="So many leave only when a second person has approved it.",
            ),
            models.CheckConstraint(
                condition=Q(state="PLANNING") | Q(state="WITHDRAWN") | Q(planned_at__isnull=False),
                name="leave_plan_planned_first",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="leave_plan_has_reason"),
        ]
        indexes = [
            # Purging: what is old enough.
            models.Index(fields=["uploaded_at"], name="leave_plan_by_age"),
        ]

    def __str__(self) -> str:
        return f"Unenrolment {self.pk} of many from {self.target}"

    @property
    def needs_approval(self) -> bool:
        """Whether a second person has to approve it before it runs."""
        return self.leaving > self.approval_above


class PlannedLeave(models.Model):
    """One line of the list: what leaving would mean, then what became of it.

    What was typed is kept only where it names nobody: who is known is the customer himself, and may be erased.
    """

    plan = models.ForeignKey(LeavePlan, on_delete=models.CASCADE, related_name="lines", db_index=False)
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="+", db_index=False)
    line = models.PositiveIntegerField(help_text="Of the file.")
    customer = models.ForeignKey(Customer, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    given = models.CharField(max_length=100, blank=True)
    verdict = models.CharField(max_length=24, blank=True, choices=LeaveOutcome.choices)
    facts = models.CharField(max_length=150, blank=True, help_text="What his leave means (`Foreseen`).")
    forfeited = models.CharField(max_length=100, blank=True, help_text="The cycle whose reward he loses.")
    note = models.CharField(max_length=500, blank=True, help_text="Why he was not to leave.")
    outcome = models.CharField(max_length=24, blank=True, choices=LeaveOutcome.choices)
    receipt = models.ForeignKey(Receipt, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    message = models.CharField(max_length=500, blank=True, help_text="Why he has not left.")

    class Meta:
        default_permissions = ()
        constraints = [
            # Serves the page of a plan and its result, in the order of the file.
            models.UniqueConstraint(fields=["plan", "line"], name="planned_leave_line"),
            models.UniqueConstraint(
                fields=["plan", "customer"],
                condition=~Q(verdict="duplicate_in_request"),
                name="planned_leave_once",
                violation_error_message="A customer leaves by one line of a list.",
            ),
            models.CheckConstraint(condition=Q(customer=None) | Q(given=""), name="planned_leave_known_or_given"),
            models.CheckConstraint(condition=Q(outcome="") | ~Q(verdict=""), name="planned_leave_planned_first"),
        ]
        indexes = [
            # The next chunk to be planned, and to be carried out.
            models.Index(fields=["plan", "line"], name="planned_leave_to_plan", condition=Q(verdict="")),
            models.Index(fields=["plan", "line"], name="planned_leave_to_run", condition=Q(outcome="")),
            # Handing out what is held about a customer.
            models.Index(
                fields=["customer", "id"], name="planned_leave_of_customer", condition=Q(customer__isnull=False)
            ),
            # Erasing: where somebody was named before he was known.
            models.Index(fields=["brand", "given"], name="planned_leave_given", condition=~Q(given="")),
        ]

    def __str__(self) -> str:
        return f"Line {self.line}"
