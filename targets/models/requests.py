"""What calls with an `Idempotency-Key` were answered (api.md 1)."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from targets.models.brand import ApiUser

DIGEST = r"^[0-9a-f]{64}$"


class StoredAnswer(models.Model):
    """The first answer to a call that had a key, so that a repeat can be told the same.

    Neither the key nor anything of the request is kept, only keyed digests of them. A row without `status` is that of
    a call under way: its own transaction fills it in, so nobody else ever sees one. A row without `body` spoke of
    somebody who was erased. Bodies are bounded by the limits of the calls; PostgreSQL compresses long ones itself.
    """

    api_user = models.ForeignKey(ApiUser, on_delete=models.CASCADE, related_name="+", db_index=False)
    key_digest = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=64, help_text="Digest of method, path, query and body.")
    status = models.PositiveSmallIntegerField(null=True, help_text="The HTTP status.")
    body = models.TextField(blank=True, default="")
    customer_ids = ArrayField(
        models.BigIntegerField(), default=list, help_text="The brand's numbers of the customers it speaks of."
    )
    recorded_at = models.DateTimeField(help_text="By the real clock, also in a sandbox.")

    class Meta:
        constraints = [
            # Serves every call with a key; a simultaneous second one waits here.
            models.UniqueConstraint(fields=["api_user", "key_digest"], name="stored_answer_once"),
            models.CheckConstraint(
                condition=Q(key_digest__regex=DIGEST, fingerprint__regex=DIGEST),
                name="stored_answer_has_digests",
                violation_error_message="Only digests of the key and the request are stored.",
            ),
        ]
        indexes = [
            # Purging: what is old enough, oldest first.
            models.Index(fields=["recorded_at"], name="stored_answer_by_age"),
            # Erasing and handing out: whatever speaks of a customer.
            GinIndex(fields=["customer_ids"], name="stored_answer_by_customer"),
        ]

    def __str__(self) -> str:
        return f"Answer {self.pk}"
