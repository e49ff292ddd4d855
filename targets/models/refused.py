"""What the API has refused to the systems of a brand: counts of a day, not the calls themselves."""

from django.db import models

from targets.models.brand import Brand


class RefusedCalls(models.Model):
    """How often one call was refused with one code on one day, and the last time of it.

    The day is one of the brand's calendar, by the real clock, also in a sandbox. So there are no more rows than days,
    calls and codes, however often somebody is refused.
    """

    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    operation = models.CharField(max_length=120, help_text="Method and path, with names in the place of ids.")
    code = models.PositiveIntegerField(help_text="What docs/errors.md explains.")
    calls = models.PositiveBigIntegerField(help_text="How many were refused.")
    last_at = models.DateTimeField()
    last_by = models.CharField(max_length=150, help_text="The API user who was refused last.")
    last_request_id = models.CharField(max_length=64)

    class Meta:
        verbose_name = "refused call"
        default_permissions = ("view",)
        constraints = [
            # Serves counting, and the dashboard: the last days of a brand.
            models.UniqueConstraint(fields=["brand", "day", "operation", "code"], name="refused_calls_unique"),
        ]
        indexes = [
            # Purging: what is old enough. Admin: of a day.
            models.Index(fields=["day"], name="refused_calls_by_age"),
            # Admin: with which code, newest first.
            models.Index(fields=["code", "id"], name="refused_calls_by_code"),
        ]

    def __str__(self) -> str:
        return f"{self.operation}, {self.code}, {self.day}"
