from django.db import models
from django.db.models.functions import Lower

from targets.models.brand import Brand


class Customer(models.Model):
    """A person in a brand's loyalty programme, known by the brand's own number."""

    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="customers")
    customer_id = models.BigIntegerField(help_text="The brand's number for this customer.")
    external_id = models.CharField(max_length=100, blank=True)
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    email = models.EmailField(blank=True)
    mobile = models.CharField(max_length=32, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            # Serves the look-up of every call: brand and number.
            models.UniqueConstraint(fields=["brand", "customer_id"], name="customer_unique_in_brand"),
            # Aim of the composite foreign keys that keep a participation within one brand.
            models.UniqueConstraint(fields=["brand", "id"], name="customer_brand_key"),
            models.CheckConstraint(
                condition=models.Q(customer_id__gte=1),
                name="customer_id_positive",
                violation_error_message="The customer id is an integer from 1 to 2^63-1.",
            ),
        ]
        indexes = [
            # Admin: search by external id and by e-mail, exactly, ignoring case of the address.
            models.Index("brand", "external_id", name="customer_by_external_id", condition=~models.Q(external_id="")),
            models.Index("brand", Lower("email"), name="customer_by_email", condition=~models.Q(email="")),
        ]

    def __str__(self) -> str:
        name = f"{self.first_name} {self.last_name}".strip()
        return f"{self.customer_id} ({name})" if name else str(self.customer_id)
