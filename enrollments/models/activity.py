"""What customers did, and what it counted for."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from enrollments.enums import NotCounted
from enrollments.models.participation import SUM_DIGITS, Participation
from enrollments.models.receipt import Receipt
from targets.exact_json import ExactJSONField
from targets.models import Brand, Customer


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
        Receipt,
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
