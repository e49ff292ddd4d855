"""Taking a leave back: a page that shows what that means and asks why, and a POST that does it (domain.md 5)."""

from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods

from enrollments.admin.forms import UndoForm
from enrollments.admin.strips import strip_of
from enrollments.enums import Source
from enrollments.models import Receipt
from enrollments.operations import Undone, undo_leave
from enrollments.queries import find_receipt
from enrollments.receipts import account
from targets.admin.lists import ConsoleAdmin
from targets.clock import run_at_now
from targets.errors import ChangedSince, DomainError

PERMISSION = "enrollments.undo_unenrolment"


class UndoingPage(ConsoleAdmin):
    """The page behind the button of a receipt of leaving."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.undo_view))
        return [path("<int:pk>/undo/", view, name="enrollments_receipt_undo"), *super().get_urls()]

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.refuse_unless_may(request, PERMISSION)
        receipt = self.row_or_404(
            request, pk, "brand", "participation__customer", "participation__target__target_group"
        )
        form = UndoForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                undone = self.undo(request, receipt, form.cleaned_data["reason"])
            except (DomainError, OperationalError) as refusal:
                form.add_error(None, str(refusal))
            else:
                self.message_user(request, f"Taken back: {undone.receipt}.")
                return HttpResponseRedirect(reverse("admin:enrollments_receipt_change", args=[undone.receipt.pk]))
        return self.undo_page(request, receipt, form)

    def undo(self, request: HttpRequest, receipt: Receipt, reason: str, *, dry_run: bool = False) -> Undone:
        """Raises `ChangedSince` too where it would count or give something else than was shown."""

        def operation(at: datetime) -> Undone:
            with transaction.atomic():
                undone = undo_leave(
                    receipt=find_receipt(receipt.brand, receipt.pk),
                    at=at,
                    by=request.user.get_username(),
                    source=Source.ADMIN,
                    reason=reason,
                    request_id=request.request_id,  # type: ignore[attr-defined]  # set by RequestIdMiddleware
                    dry_run=dry_run,
                )
                if not dry_run and shown(undone) != request.POST.get("shown"):
                    raise ChangedSince("What would be counted has changed meanwhile. Look at it again.")
                return undone

        return run_at_now(receipt.brand, operation)

    def undo_page(self, request: HttpRequest, receipt: Receipt, form: UndoForm) -> HttpResponse:
        undone, refusal = None, ""
        try:
            undone = self.undo(request, receipt, "", dry_run=True)
        except (DomainError, OperationalError) as error:
            refusal = str(error)
        found = account(undone.receipt) if undone else None
        request.current_app = self.admin_site.name  # as Django's own admin views do
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": Receipt._meta,  # whose pages the way back leads over
            "title": "Take the leave back",
            "receipt": receipt,
            "participation": receipt.participation,
            "zone": receipt.participation.target.target_group.time_zone,
            "undone": undone,
            "account": found,
            "strip": strip_of(found) if found else None,
            "shown": shown(undone) if undone else "",
            "refusal": refusal,
            "form": form,
        }
        return TemplateResponse(request, "admin/enrollments/undo.html", context)


def shown(undone: Undone) -> str:
    """What somebody agrees to who has seen the page."""
    return f"{undone.receipt.kind}.{undone.counted}.{undone.granted}"
