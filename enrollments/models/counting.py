"""What is counted beforehand, since nobody could wait for it: of the figures, and of the dashboard."""

from django.db import models

from targets.exact_json import ExactJSONField
from targets.models import Brand, Target


class CountedTarget(models.Model):
    """What there was to count of a large target, when it was last counted: enrollments/figures.py."""

    target = models.OneToOneField(Target, primary_key=True, on_delete=models.PROTECT, related_name="+")
    counted_at = models.DateTimeField()
    counts = ExactJSONField()

    class Meta:
        default_permissions = ()  # whoever may see the figures sees it there


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
