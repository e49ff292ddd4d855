"""Enrolments: the list, and the page that support reads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from enrollments.admin.cancelling import Cancelling
from enrollments.admin.deeds import deeds
from enrollments.admin.person import whys_of
from enrollments.admin.reenrolling import Reenrolling
from enrollments.admin.states import badge, with_last_stay
from enrollments.admin.unenrolling import Unenrolling
from enrollments.models import Participation, Receipt, Stay
from enrollments.standing import Standing, standings
from targets.admin.lists import CustomerSearch, ReadOnlyAdmin
from targets.admin.typed_filters import TargetGroupFilter
from targets.clock import brand_now
from targets.wording import day

MOST_RECEIPTS = 100


@admin.register(Participation)
class ParticipationAdmin(Unenrolling, Cancelling, Reenrolling, ReadOnlyAdmin, CustomerSearch):
    list_display = ("customer", "state", "target", "target_group", "since", "brand")
    list_filter = ("brand", TargetGroupFilter)
    list_select_related = ("customer", "target__target_group", "brand")
    change_form_template = "admin/enrollments/enrolment.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Participation]:
        return with_last_stay(super().get_queryset(request))

    @admin.display(description="Target group")
    def target_group(self, participation: Participation) -> str:
        return participation.target.target_group.name

    @admin.display(description="State")
    def state(self, participation: Any) -> SafeString:
        return badge(participation)

    @admin.display(description="First enrolled")
    def since(self, participation: Participation) -> str:
        return day(participation.first_enrolled_at, participation.target.target_group.time_zone)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        now = brand_now(obj.brand)
        (standing,) = standings([obj], now)
        receipts = list(Receipt.objects.filter(participation=obj).order_by("-pk")[: MOST_RECEIPTS + 1])
        cycles, levels = whys_of(standing, now)
        enrolment = {
            "whys": cycles,
            "level_whys": levels,
            "title": str(obj),
            "subtitle": None,
            "standing": standing,
            "zone": obj.target.target_group.time_zone,
            "now": now,
            "stays": stay_lines(standing),
            "receipts": receipts[:MOST_RECEIPTS],
            "has_more_receipts": len(receipts) > MOST_RECEIPTS,
            "deeds": deeds(self.admin_site, request, standing, now),
        }
        return super().render_change_form(request, context | enrolment, add, change, form_url, obj)


@dataclass(frozen=True)
class StayLine:
    """A stay with its cycles in words."""

    stay: Stay
    cycles: str
    left_at: datetime | None


def stay_lines(standing: Standing) -> list[StayLine]:
    """Newest first."""
    names = {line.cycle.number: line.cycle.ref_code for line in standing.cycles}
    return [StayLine(stay, _cycles(stay, names), standing.left_at[stay.pk]) for stay in reversed(standing.stays)]


def _cycles(stay: Stay, names: dict[int, str]) -> str:
    first = names[stay.first_cycle]
    if stay.end_cycle is None:
        return f"{first} and later"
    if stay.end_cycle == stay.first_cycle:
        return f"none: left before {first} had ended"
    last = names[stay.end_cycle - 1]
    return first if first == last else f"{first} to {last}"
