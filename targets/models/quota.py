from django.db import models

from targets.models.brand import ApiUser


class QuotaUse(models.Model):
    """What an API user has used of his quota: one row each, overwritten, so that nothing piles up.

    `used` may be more than a window's quota: what is above it is taken from the windows that follow. It is counted in
    units of `quota`, so that a lowered one makes no debt of what was allowed.
    """

    api_user = models.OneToOneField(ApiUser, on_delete=models.CASCADE, primary_key=True, related_name="quota_use")
    window_number = models.BigIntegerField(help_text="Minutes since 1970-01-01 UTC.")
    used = models.BigIntegerField(help_text="Units, those in leases included.")
    quota = models.PositiveIntegerField(help_text="Units a minute when they were taken.")

    def __str__(self) -> str:
        return f"{self.used} units in window {self.window_number}"
