"""What the API has refused: which call, with which code, how often on which day."""

from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from targets.admin.lists import ReadOnlyAdmin
from targets.admin.typed_filters import TypedFilter
from targets.errors import REFUSALS
from targets.models import RefusedCalls


class CodeFilter(TypedFilter):
    title = "code"
    parameter_name = "code"
    hint = "310126"

    def matching(self, request: HttpRequest, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        code = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 10 else None
        return queryset.none() if code is None else queryset.filter(code=code)


class BrandDayFilter(TypedFilter):
    """A day of the brand's calendar. What is no day has no rows."""

    title = "day"
    parameter_name = "day"
    hint = "2026-01-31"

    def matching(self, request: HttpRequest, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        try:
            return queryset.filter(day=date.fromisoformat(typed))
        except ValueError:
            return queryset.none()


@admin.register(RefusedCalls)
class RefusedCallsAdmin(ReadOnlyAdmin):
    list_display = ("day", "calls", "code", "meaning", "operation", "last_at", "last_by", "last_request_id", "brand")
    list_filter = ("brand", CodeFilter, BrandDayFilter)
    list_select_related = ("brand",)
    fields = (
        "brand",
        "day",
        "operation",
        "code",
        "meaning",
        "cause",
        "remedy",
        "calls",
        "last_at",
        "last_by",
        "last_request_id",
    )
    readonly_fields = ("meaning", "cause", "remedy")

    @admin.display(description="Meaning")
    def meaning(self, row: RefusedCalls) -> str:
        return explained(row.code, "meaning")

    @admin.display(description="Cause")
    def cause(self, row: RefusedCalls) -> str:
        return explained(row.code, "cause")

    @admin.display(description="What to do")
    def remedy(self, row: RefusedCalls) -> str:
        return explained(row.code, "remedy")


def explained(code: int, what: str) -> str:
    """As docs/errors.md has it; nothing of a code that a later version no longer has."""
    text: str = getattr(REFUSALS.get(code), what, "")
    return text.replace("`", "")
