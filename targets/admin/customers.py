from typing import Any

from django import forms
from django.contrib import admin
from django.db import connection
from django.http import HttpRequest

from targets.admin.finding import Finding
from targets.models import Customer
from targets.queries import erased_on, find_erased

IDENTITY = (
    ("brand", "customer_id"),
    "external_id",
    ("first_name", "last_name"),
    ("email", "mobile"),
    "created_at",
)
PSEUDONYM = ("brand", "created_at", ("erased_at", "erased_by"), "erasure_reason")


class CustomerForm(forms.ModelForm):
    def validate_unique(self) -> None:
        """Asked after the number was found to be free: so it also sees who was erased just before."""
        super().validate_unique()
        brand, number = self.cleaned_data.get("brand"), self.cleaned_data.get("customer_id")
        erased = find_erased(brand, number) if brand and number else None
        if erased is not None:
            self.add_error("customer_id", erased_on(number, erased.erased_at))


@admin.register(Customer)
class CustomerAdmin(Finding):
    form = CustomerForm
    customer_path = "pk"
    list_display = ("number", "first_name", "last_name", "email", "external_id", "brand", "created_at")
    list_filter = ("brand",)
    list_select_related = ("brand",)
    autocomplete_fields = ("brand",)

    @admin.display(description="Customer id")
    def number(self, customer: Customer) -> str:
        return customer.search_term

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Locked while an edit is saved, which writes all fields: else it could bring back who was erased meanwhile."""
        found = super().get_object(request, object_id, from_field)
        if found is not None and request.method == "POST" and connection.in_atomic_block:
            found = Customer.objects.select_for_update(of=("self",)).get(pk=found.pk)
        return found

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Registering and changing are one operation, as over the API."""
        return self.has_change_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_erased = obj is not None and obj.erased_at is not None
        return not is_erased and super().has_change_permission(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return IDENTITY if obj is None or obj.erased_at is None else PSEUDONYM

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Who he is never changes: everything of his hangs on it."""
        made = ("created_at", "erased_at", "erased_by", "erasure_reason")
        return made if obj is None else ("brand", "customer_id", *made)
