from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from targets.admin.lists import ConsoleAdmin
from targets.models import ApiUser, Brand


@admin.register(Brand)
class BrandAdmin(ConsoleAdmin):
    """Brands are made by `manage.py create_brand`, together with the credentials of an API user."""

    brand_path = "pk"
    list_display = ("name", "time_zone", "is_active", "sandbox", "clock_at", "created_at")
    list_filter = ("is_active", "sandbox")
    search_fields = ("name",)
    fields = ("name", "time_zone", "is_active", "sandbox", "clock_at", "created_at")
    readonly_fields = ("sandbox", "clock_at", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(ApiUser)
class ApiUserAdmin(ConsoleAdmin):
    """The digest of the secret is shown nowhere. Who may use the API is for superusers to say."""

    list_display = ("user", "brand", "is_active", "secret_form", "created_at")
    list_filter = ("is_active", "brand")
    list_select_related = ("user", "brand")
    search_fields = ("user__username__exact",)
    search_help_text = "A user name, exactly."
    fields = ("user", "brand", "is_active", "requests_per_minute", "secret_form", "former_until", "created_at")
    readonly_fields = ("user", "brand", "secret_form", "former_until", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser
