"""The account of every change of an enrolment."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from enrollments.enums import ReceiptKind, Source, Verdict
from enrollments.models.participation import SUM_DIGITS, Participation, Stay
from targets.feeds import Snapshot, TransactionId
from targets.models import Brand


class Receipt(models.Model):
    """The immutable account of one enrolment change.

    Stored is what cannot be derived later; the list of cycles is rendered from it (api.md 7), so writing costs the
    same for 5 and for 100 cycles. A row is only ever added.
    """

    # That these three exist is what the foreign keys over two columns say (migration 0004), each of which is looked up
    # for each receipt: brand and participation, participation and stay.
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    participation = models.ForeignKey(
        Participation, on_delete=models.PROTECT, related_name="receipts", db_index=False, db_constraint=False
    )
    # Found by its participation. By an index of its own PostgreSQL would check `stay_ended_by_its_receipt`, and so read
    # all earlier receipts of the stay, long cold, for each leave.
    stay = models.ForeignKey(
        Stay, on_delete=models.PROTECT, related_name="receipts", db_index=False, db_constraint=False
    )
    kind = models.CharField(max_length=20, choices=ReceiptKind.choices)
    undoes = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="undone_by")
    batch_id = models.UUIDField(null=True, blank=True)
    effective_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    source = models.CharField(max_length=8, choices=Source.choices)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=45, blank=True, db_default="", help_text="From where it came.")
    credential = models.CharField(max_length=220, blank=True, db_default="", help_text="What proved who it was.")
    # As decided:
    run_number = models.PositiveSmallIntegerField()
    streak_count = models.PositiveSmallIntegerField(default=0)
    cycle_count = models.PositiveSmallIntegerField(help_text="Number of cycles of the programme then.")
    programme_version = models.PositiveIntegerField(
        default=1, db_default=1, help_text="Which version of the programme it speaks of."
    )
    from_cycle = models.PositiveSmallIntegerField(help_text="The first cycle that the change is about.")
    first_cycle = models.PositiveSmallIntegerField()
    end_cycle_before = models.PositiveSmallIntegerField(null=True, blank=True)
    end_cycle = models.PositiveSmallIntegerField(null=True, blank=True)
    running_cycle = models.PositiveSmallIntegerField(null=True, blank=True, help_text="The cycle running or next then.")
    running_value = models.DecimalField(max_digits=SUM_DIGITS, decimal_places=3, null=True, blank=True)
    running_verdict = models.CharField(max_length=24, blank=True, choices=Verdict.choices)
    running_achieved_at = models.DateTimeField(null=True, blank=True)
    anchored_at = models.DateTimeField(null=True, blank=True, help_text="Where his own calendar began, if it had.")
    ignored_fields = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    # Feeds are read in order of (transaction, id): see docs/architecture.md, "Feeds".
    transaction_id = models.BigIntegerField(editable=False, db_default=TransactionId())
    # Tells which grants were known: see enrollments/receipts.py.
    snapshot = models.TextField(editable=False, db_default=Snapshot())

    class Meta:
        constraints = [
            # Aim of the composite foreign key of a stay: the receipt in force set just this end.
            models.UniqueConstraint(fields=["id", "stay", "end_cycle"], name="receipt_end_key"),
            models.CheckConstraint(
                condition=Q(kind__in=["UNENROLLED", "LEAVE_SCHEDULED"], end_cycle__isnull=False)
                | ~Q(kind__in=["UNENROLLED", "LEAVE_SCHEDULED"]),
                name="receipt_of_leaving_has_end",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=["LEAVE_CANCELLED", "UNENROLMENT_UNDONE"]) | Q(undoes__isnull=False),
                name="receipt_of_undoing_names_what",
            ),
        ]
        indexes = [
            # GET /v3/receipts
            models.Index(fields=["brand", "transaction_id", "id"], name="receipt_feed"),
            # GET enrollments and the admin: receipts of a participation.
            models.Index(fields=["participation", "id"], name="receipt_by_participation"),
            # Admin: of one batch. Undoing it goes through it by this.
            models.Index(fields=["batch_id", "id"], name="receipt_of_batch", condition=Q(batch_id__isnull=False)),
            # Admin: by whom, when, in which request. Receipts lie in the order of their instants, near enough for BRIN.
            models.Index(fields=["actor", "id"], name="receipt_by_who"),
            BrinIndex(fields=["recorded_at"], name="receipt_by_time"),
            models.Index(fields=["request_id"], name="receipt_by_request", condition=~Q(request_id="")),
        ]

    def __str__(self) -> str:
        return f"Receipt {self.pk}: {self.get_kind_display()}"
