"""Who is in what: one customer in one target, his stays, and what he has reached."""

from django.db import models
from django.db.models import F, Q

from targets.models import Brand, Customer, Target
from targets.models.programme import MAX_CYCLES

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

    Two of a participation never cover the same cycle, so at most one is open: held by the trigger of migration 0030,
    which looks when a stay is added or made longer.
    """

    participation = models.ForeignKey(Participation, on_delete=models.PROTECT, related_name="stays", db_index=False)
    run_number = models.PositiveSmallIntegerField()
    first_cycle = models.PositiveSmallIntegerField()
    end_cycle = models.PositiveSmallIntegerField(null=True, blank=True)
    enrolled_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)
    leaves_after = models.PositiveSmallIntegerField(null=True, blank=True)
    leaves_at = models.DateTimeField(null=True, blank=True)
    # Of this stay and with this end, says `stay_ended_by_its_receipt` (migration 0002): so it exists, and no other stay
    # names it. Who has the receipt finds its stay there.
    leave_receipt = models.ForeignKey(
        "Receipt",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            # Every operation: the stays of a participation. Aim of the composite foreign key of a receipt.
            models.UniqueConstraint(fields=["participation", "id"], name="stay_by_participation_key"),
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
