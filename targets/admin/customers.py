from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from targets.admin.lists import CustomerSearch
from targets.models import Customer


@admin.register(Customer)
class CustomerAdmin(CustomerSearch):
    customer_path = "pk"
    list_display = ("customer_id", "first_name", "last_name", "email", "external_id", "brand", "created_at")
    list_filter = ("brand",)
    list_select_related = ("brand",)
    fields = (
        ("brand", "customer_id"),
        "external_id",
        ("first_name", "last_name"),
        ("email", "mobile"),
        "created_at",
    )
    autocomplete_fields = ("brand",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Who he is never changes: everything of his hangs on it."""
        return ("created_at",) if obj is None else ("brand", "customer_id", "created_at")
