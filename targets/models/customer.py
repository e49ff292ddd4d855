from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Collate, Concat, Lower

from targets.models.brand import Brand

# Indexes and look-ups have to say the same, so it is said once. A number without what people write between its digits,
# and without the + or 00 before the code of a country.
BARE_MOBILE = Func(F("mobile"), Value(r"^[^0-9]*00|[^0-9]"), Value(""), Value("g"), function="regexp_replace")
# Compared byte by byte, so that what begins with a text is one range of the index, in its order.
FULL_NAME = Collate(Lower(Concat("first_name", Value(" "), "last_name")), "C")
NAME_REVERSED = Collate(Lower(Concat("last_name", Value(" "), "first_name")), "C")


class Customer(models.Model):
    """A person in a brand's loyalty programme, known by the brand's own number.

    Erased, only the row itself is left: a pseudonym on which enrolments and grants hang. What his number was can be
    recognised by whoever sends it again, but not read (docs/privacy.md).
    """

    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="customers", db_index=False)
    customer_id = models.BigIntegerField(
        null=True, help_text="The brand's number for this customer; empty once he is erased."
    )
    external_id = models.CharField(max_length=100, blank=True)
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    email = models.EmailField(blank=True)
    mobile = models.CharField(max_length=32, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    erased_by = models.CharField(max_length=150, blank=True, editable=False, db_default="")
    erasure_reason = models.CharField(max_length=500, blank=True, editable=False, db_default="")
    erased_digest = models.CharField(max_length=64, blank=True, editable=False, db_default="")

    class Meta:
        permissions = [("erase_customer", "Can erase customers")]
        constraints = [
            # Serves the look-up of every call: brand and number.
            models.UniqueConstraint(fields=["brand", "customer_id"], name="customer_unique_in_brand"),
            # Aim of the composite foreign keys that keep a participation within one brand.
            models.UniqueConstraint(fields=["brand", "id"], name="customer_brand_key"),
            # Serves "was this number erased?".
            models.UniqueConstraint(
                fields=["brand", "erased_digest"], condition=~Q(erased_digest=""), name="customer_erased_once"
            ),
            models.CheckConstraint(
                condition=Q(customer_id__gte=1),
                name="customer_id_positive",
                violation_error_message="The customer id is an integer from 1 to 2^63-1.",
            ),
            models.CheckConstraint(
                condition=Q(
                    customer_id__isnull=False, erased_at=None, erased_by="", erasure_reason="", erased_digest=""
                )
                | Q(
                    customer_id=None,
                    external_id="",
                    first_name="",
                    last_name="",
                    email="",
                    mobile="",
                    erased_at__isnull=False,
                    erased_digest__regex=r"^[0-9a-f]{64}$",
                ),
                name="customer_known_or_erased",
                violation_error_message="A customer is known by his number, or erased with all that identifies him.",
            ),
        ]
        indexes = [
            # Admin: search by external id and by e-mail, exactly, ignoring case of the address.
            models.Index("brand", "external_id", name="customer_by_external_id", condition=~Q(external_id="")),
            models.Index("brand", Lower("email"), name="customer_by_email", condition=~Q(email="")),
            # Admin: search by phone, however it is written, and by how a name begins, from its either end.
            models.Index("brand", BARE_MOBILE, name="customer_by_mobile", condition=~Q(mobile="")),
            models.Index("brand", FULL_NAME, name="customer_by_name", condition=~Q(first_name="")),
            models.Index("brand", NAME_REVERSED, name="customer_by_last_name", condition=~Q(last_name="")),
        ]

    def __str__(self) -> str:
        if self.erased_at is not None:
            return self.search_term
        name = f"{self.first_name} {self.last_name}".strip()
        return f"{self.customer_id} ({name})" if name else str(self.customer_id)

    @property
    def search_term(self) -> str:
        """What to type in the admin to find just him."""
        return str(self.customer_id) if self.erased_at is None else f"Erased {self.pk}"
