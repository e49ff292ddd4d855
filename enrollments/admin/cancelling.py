"""Taking back a scheduled leave: a page that asks why, and a POST that does it (domain.md 5)."""

from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods

from enrollments.admin.forms import CancelForm
from enrollments.admin.states import is_inactive
from enrollments.enums import Source
from enrollments.models import Participation, Receipt
from enrollments.operations import cancel_leave
from enrollments.standing import standings
from targets.admin.lists import ConsoleAdmin
from targets.clock import brand_now, run_at_now
from targets.errors import DomainError, NotEnrolled
from targets.queries import as_id


class Cancelling(ConsoleAdmin):
    """The page behind the button of an enrolment whose leave is scheduled."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.cancel_view))
        name = "enrollments_participation_cancel_leave"
        return [path("<int:pk>/cancel-leave/", view, name=name), *super().get_urls()]

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.refuse_unless_may(request, "enrollments.cancel_leave")
        participation = self.row_or_404(request, pk, "brand", "customer", "target__target_group")
        form = CancelForm(request.POST or None)
        if not is_inactive(participation):
            del form.fields["include_inactive"]
        else:
            form.fields["include_inactive"].required = True
        if request.method == "POST" and form.is_valid():
            try:
                receipt = self.cancel(request, participation, form.cleaned_data["reason"])
            except (DomainError, OperationalError) as refusal:
                form.add_error(None, str(refusal))
            else:
                self.message_user(request, f"{participation.customer} stays in {participation.target}: {receipt}.")
                return HttpResponseRedirect(reverse("admin:enrollments_participation_change", args=[pk]))
        return self.cancel_page(request, participation, form)

    def cancel(self, request: HttpRequest, participation: Participation, reason: str) -> Receipt:
        """Raises `NotEnrolled` too where another leave is scheduled than the one that was shown."""
        shown = as_id(request.POST.get("scheduled_by", ""))

        def operation(at: datetime) -> Receipt:
            with transaction.atomic():
                receipt = cancel_leave(
                    customer=participation.customer,
                    target=participation.target,
                    at=at,
                    by=request.user.get_username(),
                    source=Source.ADMIN,
                    reason=reason,
                    even_if_inactive=is_inactive(participation),  # the form has asked
                    request_id=request.request_id,  # type: ignore[attr-defined]  # set by RequestIdMiddleware
                )
                if receipt.undoes_id != shown:
                    raise NotEnrolled("Another leave was scheduled meanwhile. Look at it again.")
                return receipt

        return run_at_now(participation.brand, operation)

    def cancel_page(self, request: HttpRequest, participation: Participation, form: CancelForm) -> HttpResponse:
        (standing,) = standings([participation], brand_now(participation.brand))
        request.current_app = self.admin_site.name  # as Django's own admin views do
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Cancel the scheduled leave",
            "participation": participation,
            "zone": participation.target.target_group.time_zone,
            "standing": standing,
            "scheduled_by": standing.stays[-1].leave_receipt_id if standing.stays else None,
            "form": form,
        }
        return TemplateResponse(request, "admin/enrollments/cancel_leave.html", context)
