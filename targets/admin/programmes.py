"""Programmes, to be read: each row belongs to a whole that only an operation may change."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from targets.admin.lists import ReadOnlyAdmin, ReadOnlyInline
from targets.admin.typed_filters import DayFilter, RequestFilter, TargetGroupFilter, WhoFilter
from targets.models import (
    Cycle,
    FormerCycle,
    FormerValue,
    Inactivity,
    ProgrammeChange,
    StreakLevel,
    Target,
    TargetGroup,
    TargetValue,
)


class OwnGroupFilter(TargetGroupFilter):
    path = ""


class CycleGroupFilter(TargetGroupFilter):
    path = "cycle"


class ValueGroupFilter(TargetGroupFilter):
    path = "target_value__target"


class TargetInline(ReadOnlyInline):
    model = Target
    fields = ("name", "kpi", "event_name", "is_active")


class StreakLevelInline(ReadOnlyInline):
    model = StreakLevel
    fields = ("name", "target_count")


class CycleInline(ReadOnlyInline):
    model = Cycle
    fields = ("number", "ref_code", "starts_at", "ends_at", "late_days", "closes_at", "closed_at", "paid_at")


class TargetValueInline(ReadOnlyInline):
    model = TargetValue
    fields = ("cycle", "value", "allocation")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("cycle", "target")


@admin.register(TargetGroup)
class TargetGroupAdmin(ReadOnlyAdmin):
    list_display = ("name", "tracking_type", "is_active", "cycle_count", "time_zone", "brand", "created_at")
    list_filter = ("is_active", "tracking_type", "brand")
    list_select_related = ("brand",)
    search_fields = ("name",)
    search_help_text = "A part of the name."
    inlines = (TargetInline, StreakLevelInline, CycleInline)

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [each for each in self.inlines if obj.is_streak or each is not StreakLevelInline]


@admin.register(Target)
class TargetAdmin(ReadOnlyAdmin):
    list_display = ("name", "target_group", "kpi", "is_active", "brand", "created_at")
    list_filter = ("is_active", "kpi", "brand", OwnGroupFilter)
    list_select_related = ("target_group", "brand")
    search_fields = ("name",)
    search_help_text = "A part of the name."
    inlines = (TargetValueInline,)


@admin.register(Cycle)
class CycleAdmin(ReadOnlyAdmin):
    brand_path = "target_group__brand"
    list_display = ("ref_code", "number", "target_group", "starts_at", "ends_at", "closes_at", "closed_at", "paid_at")
    list_filter = ("target_group__brand", OwnGroupFilter)
    list_select_related = ("target_group",)
    ordering = ("target_group", "number")


@admin.register(TargetValue)
class TargetValueAdmin(ReadOnlyAdmin):
    brand_path = "target__brand"
    list_display = ("target", "cycle", "value", "allocation")
    list_filter = ("allocation", "target__brand", TargetGroupFilter)
    list_select_related = ("target", "cycle")


@admin.register(StreakLevel)
class StreakLevelAdmin(ReadOnlyAdmin):
    list_display = ("name", "target_count", "target_group", "brand")
    list_filter = ("brand", OwnGroupFilter)
    list_select_related = ("target_group", "brand")
    search_fields = ("name",)
    search_help_text = "A part of the name."
    ordering = ("target_group", "target_count")


@admin.register(Inactivity)
class InactivityAdmin(ReadOnlyAdmin):
    brand_path = "target_group__brand"
    list_display = ("target_group", "began_at", "began_by", "ended_at", "ended_by")
    list_filter = ("target_group__brand", OwnGroupFilter)
    list_select_related = ("target_group",)


@admin.register(ProgrammeChange)
class ProgrammeChangeAdmin(ReadOnlyAdmin):
    brand_path = "target_group__brand"
    list_display = ("target_group", "version", "at", "by", "source", "address")
    list_filter = ("target_group__brand", OwnGroupFilter, WhoFilter, DayFilter, RequestFilter)
    list_select_related = ("target_group",)


@admin.register(FormerCycle)
class FormerCycleAdmin(ReadOnlyAdmin):
    brand_path = "cycle__target_group__brand"
    list_display = ("cycle", "until_version", "starts_at", "ends_at", "closes_at")
    list_filter = ("cycle__target_group__brand", CycleGroupFilter)
    list_select_related = ("cycle",)


@admin.register(FormerValue)
class FormerValueAdmin(ReadOnlyAdmin):
    brand_path = "target_value__target__brand"
    list_display = ("target_value", "until_version", "value")
    list_filter = ("target_value__target__brand", ValueGroupFilter)
    list_select_related = ("target_value__target", "target_value__cycle")
