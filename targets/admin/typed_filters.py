"""Filters whose value is typed, and matched exactly and by an index: of histories with millions of rows."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest


class TypedFilter(admin.SimpleListFilter):
    """Rows whose column `path` is just what is typed."""

    template = "admin/typed_filter.html"
    path: str
    hint: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("", "")]

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Iterator[Any]:
        kept = [
            (name, value)
            for name, values in changelist.filter_params.items()
            if name != self.parameter_name
            for value in values
        ]
        clear = changelist.get_query_string(remove=[self.parameter_name])
        yield {"typed": self.value() or "", "kept": kept, "clear": clear}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        typed = (self.value() or "").strip()
        if not typed or "\x00" in typed:
            return queryset
        return self.matching(queryset, typed)

    def matching(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        return queryset.filter(**{self.path: typed})


class WhoFilter(TypedFilter):
    title = "who"
    parameter_name = "who"
    path = "by"
    hint = "User name"


class RequestFilter(TypedFilter):
    title = "request"
    parameter_name = "request"
    path = "request_id"
    hint = "Request id"


class DayFilter(TypedFilter):
    """A day in UTC, as the histories show it. What is no day has no rows."""

    title = "day"
    parameter_name = "day"
    path = "at"
    hint = "2026-01-31"

    def matching(self, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        try:
            begins = datetime.combine(date.fromisoformat(typed), time(), UTC)
            ends = begins + timedelta(days=1)
        except (ValueError, OverflowError):
            return queryset.none()
        return queryset.filter(**{f"{self.path}__gte": begins, f"{self.path}__lt": ends})
