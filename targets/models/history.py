"""What a programme was before, and who changed it (domain.md 7)."""

from django.db import models
from django.db.models import Q

from targets.exact_json import ExactJSONField
from targets.models.programme import Cycle, TargetGroup, TargetValue


class ProgrammeChange(models.Model):
    """One change of a programme: what it made of version `version - 1`, who did it, when. A row is only ever added."""

    target_group = models.ForeignKey(TargetGroup, on_delete=models.PROTECT, related_name="changes")
    version = models.PositiveIntegerField(help_text="The version of the programme that it made.")
    at = models.DateTimeField()
    by = models.CharField(max_length=150, blank=True)
    source = models.CharField(max_length=8, blank=True, help_text="Through which door it came; empty: not said.")
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=45, blank=True, db_default="", help_text="From where it came.")
    credential = models.CharField(max_length=220, blank=True, db_default="", help_text="What proved who it was.")
    changes = ExactJSONField(default=list, help_text="What was changed, each with before and after, in plain words.")

    class Meta:
        ordering = ["target_group", "version"]
        constraints = [
            # Serves the history of a programme.
            models.UniqueConstraint(fields=["target_group", "version"], name="change_unique_per_version"),
            models.CheckConstraint(condition=Q(version__gte=1), name="change_version_positive"),
        ]
        indexes = [
            # Admin: by whom, when, in which request.
            models.Index(fields=["by", "id"], name="change_by_who"),
            models.Index(fields=["at"], name="change_by_time"),
            models.Index(fields=["request_id"], name="change_by_request", condition=~Q(request_id="")),
        ]

    def __str__(self) -> str:
        return f"Version {self.version}"


class FormerCycle(models.Model):
    """The dates a cycle had up to version `until_version` of its programme. Written by the database itself."""

    cycle = models.ForeignKey(Cycle, on_delete=models.PROTECT, related_name="former")
    until_version = models.PositiveIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    closes_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Serves "what was it at this version".
            models.UniqueConstraint(fields=["cycle", "until_version"], name="former_cycle_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.cycle} until version {self.until_version}"


class FormerValue(models.Model):
    """The value to reach that a target had in a cycle up to version `until_version`. Written by the database itself."""

    target_value = models.ForeignKey(TargetValue, on_delete=models.PROTECT, related_name="former")
    until_version = models.PositiveIntegerField()
    value = models.DecimalField(max_digits=18, decimal_places=3)

    class Meta:
        constraints = [
            # Serves "what was it at this version".
            models.UniqueConstraint(fields=["target_value", "until_version"], name="former_value_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.value} until version {self.until_version}"
