"""Unenrolling many by hand: uploaded lists, and each of their lines."""

from django.db import models
from django.db.models import F, Q

from enrollments.enums import Effective, LeaveOutcome, PlanState
from enrollments.models.receipt import Receipt
from targets.models import Brand, Customer, Target


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
