from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from targets.admin.lists import SEARCH_HELP, CustomerSearch
from targets.models import Customer
from targets.queries import search_customers


@admin.register(Customer)
class CustomerAdmin(CustomerSearch):
    list_display = ("customer_id", "first_name", "last_name", "email", "external_id", "brand", "created_at")
    list_filter = ("brand",)
    list_select_related = ("brand",)
    search_help_text = SEARCH_HELP
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

    def matches(self, term: str) -> Q:
        return Q(pk__in=search_customers(term).values("pk"))
