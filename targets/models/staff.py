from django.conf import settings
from django.db import models

from targets.models.brand import Brand


class StaffBrand(models.Model):
    """A brand that a member of staff sees and touches in the admin (docs/access.md).

    Who has none sees nothing; superusers see all without any. Given on the page of the user, by superusers only.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="staff_brands")
    brand = models.ForeignKey(
        Brand,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: every brand, also those to come.",
    )

    class Meta:
        verbose_name = "brand of staff"
        verbose_name_plural = "brands of staff"
        default_permissions = ()  # there is none that could be given to anybody
        constraints = [
            # Serves the look-up of every page of the admin.
            models.UniqueConstraint(
                fields=["user", "brand"],
                name="staff_brand_once",
                nulls_distinct=False,
                violation_error_message="The user has this brand already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_brand_display()}"

    def get_brand_display(self) -> str:
        return str(self.brand or "every brand")
