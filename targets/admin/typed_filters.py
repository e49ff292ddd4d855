"""Filters whose value is typed, and matched exactly and by an index: of histories with millions of rows."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from targets.brand_limits import of_brands_of
from targets.models import TargetGroup
from targets.queries import as_id

GROUPS_OFFERED = 100


class TypedFilter(admin.SimpleListFilter):
    """Rows whose column `path` is just what is typed."""

    template = "admin/typed_filter.html"
    path: str
    hint: str
    offered: Sequence[str] = ()  # while typing

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
        return self.matching(request, queryset, typed)

    def matching(self, request: HttpRequest, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
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

    def matching(self, request: HttpRequest, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        try:
            begins = datetime.combine(date.fromisoformat(typed), time(), UTC)
            ends = begins + timedelta(days=1)
        except (ValueError, OverflowError):
            return queryset.none()
        return queryset.filter(**{f"{self.path}__gte": begins, f"{self.path}__lt": ends})


class TargetGroupFilter(TypedFilter):
    """By target group, as number or name: there may be too many for a link each.

    `path` leads from a row to its target. Names are offered of the chosen brand if one is chosen.
    """

    title = "target group"
    parameter_name = "group"
    path = "target"
    hint = "Name or number"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        groups = TargetGroup.objects.filter(of_brands_of(request.user, "brand")).order_by("-pk")
        for name, value in request.GET.items():
            if name.endswith("brand__id__exact") and (brand := as_id(str(value))):
                groups = groups.filter(brand=brand)
        self.offered = list(groups.values_list("name", flat=True)[:GROUPS_OFFERED])

    def matching(self, request: HttpRequest, queryset: QuerySet[Any], typed: str) -> QuerySet[Any]:
        wanted = Q(name__iexact=typed) | Q(pk=as_id(typed) or 0)
        groups = list(
            TargetGroup.objects.filter(wanted, of_brands_of(request.user, "brand")).values_list("pk", flat=True)
        )
        path = f"{self.path}__target_group__in" if self.path else "target_group__in"
        return queryset.filter(**{path: groups})
