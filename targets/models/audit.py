"""Who changed permissions and credentials, and who uploaded, approved and began unenrolments of many.

Of enrolments the receipts tell it, of programmes `ProgrammeChange`.
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from targets.enums import AuditAction, Source
from targets.exact_json import ExactJSONField


class AuditEntry(models.Model):
    """One change of a user, group, brand or credential, or one sign-in, done or failed. A row is only ever added.

    It names what it is about as it was called then, without a foreign key: the entry outlives it. Whoever failed to
    sign in has proved nothing, so such an entry is by nobody; it is about the user tried, or a name that nobody has.
    """

    at = models.DateTimeField(db_default=Now(), editable=False)
    by = models.CharField(max_length=150)
    action = models.CharField(max_length=16, choices=AuditAction.choices)
    kind = models.CharField(max_length=64, help_text="What it is about: user, group, brand ...")
    object_id = models.CharField(max_length=64, help_text="Its number; empty where there is none.")
    name = models.CharField(max_length=250, help_text="What it was called then.")
    changes = ExactJSONField(default=list, help_text="What was changed, each with before and after; never a secret.")
    source = models.CharField(max_length=8, choices=Source.choices)
    address = models.CharField(max_length=45, blank=True)
    credential = models.CharField(max_length=220)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        default_permissions = ()  # superusers see it, nobody else
        indexes = [
            # Admin: by whom, about what, when, in which request.
            models.Index(fields=["by", "id"], name="audit_by_who"),
            models.Index(fields=["kind", "object_id", "id"], name="audit_by_object"),
            models.Index(fields=["name", "id"], name="audit_by_name"),
            models.Index(fields=["at"], name="audit_by_time"),
            models.Index(fields=["request_id"], name="audit_by_request", condition=~Q(request_id="")),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.kind} {self.name}"
