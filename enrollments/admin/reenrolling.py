"""Taking back somebody who is out: what either way would mean, a choice, a reason, and a POST (domain.md 4)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django import forms
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods

from enrollments.admin.reasons import RETURNING, ReasonField
from enrollments.enums import Source
from enrollments.models import Participation, Receipt
from enrollments.operations import enroll
from enrollments.standing import CycleStanding, Standing, standings
from targets.admin.lists import ConsoleAdmin
from targets.clock import brand_now, run_at_now
from targets.errors import ChangedSince, DomainError

PERMISSION = "enrollments.enroll"


class Way(StrEnum):
    """How he comes back."""

    CARRY_ON = "carry_on"
    START_FRESH = "start_fresh"


@dataclass(frozen=True)
class Return:
    """What coming back this way would mean."""

    way: Way
    receipt: Receipt
    joined: CycleStanding

    @property
    def is_reached(self) -> bool:
        return (self.receipt.running_value or Decimal(0)) >= self.joined.target_value


class ReenrolForm(forms.Form):
    way = forms.ChoiceField(
        choices=[(each.value, each.name) for each in Way], error_messages={"required": "Choose one of the two."}
    )
    reason = ReasonField(RETURNING)


class Reenrolling(ConsoleAdmin):
    """The page behind the button of an enrolment that somebody has left."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.reenrol_view))
        return [path("<int:pk>/re-enrol/", view, name="enrollments_participation_reenrol"), *super().get_urls()]

    def reenrol_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.refuse_unless_may(request, PERMISSION)
        participation = self.row_or_404(request, pk, "brand", "customer", "target__target_group")
        participation.customer.brand = participation.target.brand = participation.brand
        form = ReenrolForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            way = Way(form.cleaned_data["way"])
            try:
                receipt = self.reenrol(request, participation, way, form.cleaned_data["reason"])
            except (DomainError, OperationalError) as refusal:
                form.add_error(None, str(refusal))
            else:
                self.message_user(request, f"{participation.customer} is in {participation.target} again.")
                if request.user.has_perm("enrollments.view_receipt"):
                    return HttpResponseRedirect(reverse("admin:enrollments_receipt_change", args=[receipt.pk]))
                return HttpResponseRedirect(reverse("admin:enrollments_participation_change", args=[pk]))
        return self.reenrol_page(request, participation, form)

    def reenrol(
        self, request: HttpRequest, participation: Participation, way: Way, reason: str = "", *, dry_run: bool = False
    ) -> Receipt:
        """Raises `ChangedSince` too where it would mean something else than was shown."""
        is_streak = participation.target.target_group.is_streak
        is_fresh = way == Way.START_FRESH

        def operation(at: datetime) -> Receipt:
            with transaction.atomic():
                receipt = enroll(
                    customer=participation.customer,
                    target=participation.target,
                    at=at,
                    by=request.user.get_username(),
                    source=Source.ADMIN,
                    initial_balance=Decimal(0) if is_fresh and not is_streak else None,
                    reset_streak=is_fresh and is_streak,
                    reason=reason,
                    request_id=request.request_id,  # type: ignore[attr-defined]  # set by RequestIdMiddleware
                    dry_run=dry_run,
                )
                if not dry_run and seen(receipt) != request.POST.get(f"seen_{way}"):
                    raise ChangedSince("What coming back would mean has changed meanwhile. Look at it again.")
                return receipt

        return run_at_now(participation.brand, operation)

    def reenrol_page(self, request: HttpRequest, participation: Participation, form: ReenrolForm) -> HttpResponse:
        (standing,) = standings([participation], brand_now(participation.brand))
        returns, refusal = [], ""
        try:
            returns = [self.look_ahead(request, standing, way) for way in Way]
        except (DomainError, OperationalError) as error:
            refusal = str(error)
        request.current_app = self.admin_site.name  # as Django's own admin views do
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Enrol {participation.customer} in {participation.target} again",
            "participation": participation,
            "zone": participation.target.target_group.time_zone,
            "is_streak": participation.target.target_group.is_streak,
            "standing": standing,
            "left_at": standing.left_at[standing.stays[-1].pk] if standing.stays else None,
            "given": [level for level in standing.levels if level.grant],
            "returns": [(each, seen(each.receipt)) for each in returns],
            "refusal": refusal,
            "form": form,
        }
        return TemplateResponse(request, "admin/enrollments/reenrol.html", context)

    def look_ahead(self, request: HttpRequest, standing: Standing, way: Way) -> Return:
        receipt = self.reenrol(request, standing.participation, way, dry_run=True)
        joined = next(line for line in standing.cycles if line.cycle.number == receipt.first_cycle)
        return Return(way, receipt, joined)


def seen(receipt: Receipt) -> str:
    """What somebody agrees to who has seen the page: the last change before, and what this one would come to."""
    before = Receipt.objects.filter(participation=receipt.participation_id)
    if receipt.pk is not None:
        before = before.filter(pk__lt=receipt.pk)
    last = before.order_by("-pk").values_list("pk", flat=True).first()
    facts = (
        receipt.first_cycle,
        receipt.run_number,
        receipt.streak_count,
        f"{receipt.running_value or 0:.3f}",
        receipt.cycle_count,
        receipt.programme_version,
    )
    return ".".join(map(str, (last, *facts)))
