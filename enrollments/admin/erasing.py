"""Erasing by staff: a page that says what will happen and asks why, and a POST that does it (docs/privacy.md)."""

from typing import Any

from django import forms
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods

from enrollments.admin.reasons import ERASING, ReasonField
from enrollments.enums import Source
from enrollments.operations import Erasure, erase_customer
from enrollments.receipts import accounts
from targets.admin.lists import ConsoleAdmin
from targets.clock import run_at_now
from targets.errors import DomainError
from targets.models import Customer


class EraseForm(forms.Form):
    reason = ReasonField(
        ERASING,
        help_text="Kept for good: name a ticket, never the person.",
        error_messages={"required": "Say why: the reason is kept with the pseudonym."},
    )


class Erasing(ConsoleAdmin):
    """The page behind the red button of a customer."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.erase_view))
        return [path("<int:pk>/erase/", view, name="targets_customer_erase"), *super().get_urls()]

    def erase_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.refuse_unless_may(request, "targets.erase_customer")
        customer = self.row_or_404(request, pk, "brand")
        form = EraseForm(request.POST or None)
        try:
            if request.method == "POST" and form.is_valid():
                return self.erased(request, self.run(request, customer, form.cleaned_data["reason"]))
        except (DomainError, OperationalError) as refusal:
            form.add_error("reason" if getattr(refusal, "field", None) == "reason" else None, str(refusal))
        return self.erase_page(request, customer, form)

    def run(self, request: HttpRequest, customer: Customer, reason: str = "", *, dry_run: bool = False) -> Erasure:
        return run_at_now(
            customer.brand,
            lambda at: erase_customer(
                customer=customer,
                at=at,
                by=request.user.get_username(),
                source=Source.ADMIN,
                reason=reason,
                dry_run=dry_run,
            ),
        )

    def erased(self, request: HttpRequest, erasure: Erasure) -> HttpResponse:
        """Nothing said here names him: messages are kept in the browser."""
        customer = erasure.customer
        if erasure.is_repeated:
            self.message_user(request, f"{customer} had been erased before: nothing was done.")
        else:
            self.log_change(request, customer, "Erased.")
            count = len(erasure.receipts)
            ended = f"{count} enrolment{'' if count == 1 else 's'} ended"
            self.message_user(request, f"The customer is erased and called {customer} from now on; {ended}.")
        return HttpResponseRedirect(reverse("admin:targets_customer_change", args=[customer.pk]))

    def erase_page(self, request: HttpRequest, customer: Customer, form: EraseForm) -> HttpResponse:
        erasure = self.run(request, customer, dry_run=True)
        request.current_app = self.admin_site.name  # as Django's own admin views do
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Erase {customer}",
            "customer": customer,
            "erasure": erasure,
            "accounts": accounts(erasure.receipts),
            "form": form,
        }
        return TemplateResponse(request, "admin/enrollments/erase.html", context)
