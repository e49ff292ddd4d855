from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower

from targets.enums import SecretForm


def validate_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is not an IANA time zone such as Europe/Berlin or Asia/Kolkata.")


class Brand(models.Model):
    """The tenant. Owns customers, target groups and API users; nothing crosses a brand."""

    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    sandbox = models.BooleanField(
        default=False,
        editable=False,
        help_text="Has a clock that stands still and can be set. Fixed when made.",
    )
    clock_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="What a sandbox takes for now. Other brands have the real time.",
    )
    is_active = models.BooleanField(default=True, help_text="API users of an inactive brand are refused.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("name"),
                name="brand_name_unique",
                violation_error_message="A brand of this name exists.",
            ),
            models.CheckConstraint(
                condition=models.Q(clock_at__isnull=False, sandbox=True) | models.Q(clock_at=None, sandbox=False),
                name="brand_has_clock_if_sandbox",
                violation_error_message="A sandbox brand, and no other, has a clock that can be set.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


IS_DIGEST = r"^[0-9a-f]{64}$"


class ApiUser(models.Model):
    """A Django user who may use the API of one brand. A generated secret itself is never stored (api.md 2).

    While a secret is rotated, the former one is accepted too, until `former_until`.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_user")
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="api_users")
    secret_form = models.CharField(max_length=8, choices=SecretForm.choices, default=SecretForm.PLAIN)
    secret_digest = models.CharField(max_length=64, editable=False)
    former_digest = models.CharField(max_length=64, editable=False, default="")
    former_until = models.DateTimeField(
        null=True, editable=False, help_text="Until then the former secret is accepted beside the new one."
    )
    is_active = models.BooleanField(default=True)
    requests_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="How much he may ask for in a minute; 0: without limit. Empty: as for everybody.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    reads_primary_until = models.DateTimeField(
        null=True, editable=False, help_text="He has changed something: until then he is not answered from a replica."
    )

    class Meta:
        verbose_name = "API user"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(secret_form=SecretForm.PASSWORD, secret_digest="")
                | ~models.Q(secret_form=SecretForm.PASSWORD) & models.Q(secret_digest__regex=IS_DIGEST),
                name="api_user_secret_is_a_digest",
                violation_error_message="Only a digest of the secret is stored, and none of a person's own password.",
            ),
            models.CheckConstraint(
                condition=models.Q(former_digest="", former_until=None)
                | ~models.Q(secret_form=SecretForm.PASSWORD)
                & models.Q(former_digest__regex=IS_DIGEST, former_until__isnull=False),
                name="api_user_former_secret_ends",
                violation_error_message="A former secret is stored as a digest, with the instant at which it ends.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.brand})"
