"""What has happened, row by row: written by operations, read by support."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q
from django.urls import reverse
from django.utils.html import format_html

from enrollments.models import (
    Activity,
    ActivityOutcome,
    EveryActivity,
    EveryOutcome,
    Participation,
    Progress,
    Run,
    Stay,
)
from targets.admin.lists import SEARCH_HELP, CustomerSearch, ReadOnlyAdmin
from targets.admin.typed_filters import TargetGroupFilter
from targets.queries import all_brands


class ParticipationGroupFilter(TargetGroupFilter):
    path = "participation__target"


class OfParticipation(ReadOnlyAdmin, CustomerSearch):
    """A row of one enrolment."""

    brand_path = "participation__brand"
    customer_path = "participation__customer"
    list_filter: ClassVar[tuple[Any, ...]] = (
        "participation__brand",
        ParticipationGroupFilter,
    )
    list_select_related: ClassVar[tuple[str, ...]] = ("participation__customer", "participation__target")

    @admin.display(description="Enrolment")
    def enrolment(self, row: Any) -> Participation:
        participation: Participation = row.participation
        return participation


@admin.register(Stay)
class StayAdmin(OfParticipation):
    list_display = (
        "enrolment",
        "first_cycle",
        "end_cycle",
        "run_number",
        "enrolled_at",
        "left_at",
        "leaves_after",
    )


@admin.register(Run)
class RunAdmin(OfParticipation):
    list_display = ("enrolment", "number", "started_at")


@admin.register(Progress)
class ProgressAdmin(OfParticipation):
    list_display = ("enrolment", "cycle_number", "run_number", "value", "adjustment", "achieved_at")
    ordering = ("-pk",)


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin, CustomerSearch):
    rows_of = EveryActivity
    list_display = (
        "event_id",
        "event_name",
        "customer",
        "amount",
        "quantity",
        "occurred_at",
        "recorded_at",
        "not_counted",
    )
    list_filter = ("not_counted", "brand")
    list_select_related = ("customer",)
    search_help_text = f"{SEARCH_HELP[:-1]}; or an event id."

    def matches(self, term: str, brands: Sequence[int] | None) -> Q:
        its_brands = all_brands() if brands is None else brands  # the index begins with the brand
        return super().matches(term, brands) | Q(brand__in=its_brands, event_id=term)


@admin.register(ActivityOutcome)
class ActivityOutcomeAdmin(OfParticipation):
    rows_of = EveryOutcome
    list_display = (
        "activity",
        "enrolment",
        "cycle_number",
        "run_number",
        "delta",
        "value",
        "achieved",
        "reason",
    )
    list_filter = ("reason", "participation__brand", ParticipationGroupFilter)
    list_select_related = ("activity", "participation__customer", "participation__target")
    fields = (
        "its_activity",
        "participation",
        "run_number",
        "cycle_number",
        "reason",
        "delta",
        "visit_on",
        "value",
        "achieved",
        "grant_ids",
        "left_by",
    )
    readonly_fields = ("its_activity",)

    @admin.display(description="Activity")
    def its_activity(self, row: EveryOutcome) -> str:
        """With a link, which Django makes to the pages of the model of the row only."""
        address = reverse("admin:enrollments_activity_change", args=[row.activity_id])
        return format_html('<a href="{}">{}</a>', address, row.activity)
