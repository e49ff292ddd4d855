"""An uploaded list: what it would mean, line by line; approved, carried out chunk by chunk, and handed out as CSV."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from enrollments.admin.plan_lines import chosen_lines, counts_of, lines_of
from enrollments.admin.plan_result import result_rows
from enrollments.admin.uploading import PERMISSION
from enrollments.enums import LeaveOutcome, PlanState
from enrollments.leave_plans import plan_chunk, run_chunk, try_again
from enrollments.models import LeavePlan
from enrollments.operations import PlanRefused, approve_plan, start_plan, withdraw_plan
from enrollments.planned import NOT_NOW
from targets.admin.lists import ReadOnlyAdmin
from targets.admin.typed_filters import TargetGroupFilter
from targets.errors import DomainError
from targets.queries import as_id

LINES = 50  # on a page
APPROVE = "enrollments.approve_bulk"


@admin.register(LeavePlan)
class LeavePlanAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "state", "leaving", "rows", "uploaded_by", "uploaded_at", "approved_by", "brand")
    list_filter = ("state", "brand", TargetGroupFilter)
    list_select_related = ("target", "brand")
    change_form_template = "admin/enrollments/leave_plan.html"

    def get_urls(self) -> list[URLPattern]:
        pages = {
            "go_on": require_POST(self.go_on_view),
            "approve": require_POST(self.approve_view),
            "withdraw": require_POST(self.withdraw_view),
            "result": require_GET(self.result_view),
        }
        own = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"enrollments_leaveplan_{name}")
            for name, view in pages.items()
        ]
        return [*own, *super().get_urls()]

    def plan_or_404(self, request: HttpRequest, pk: int) -> LeavePlan:
        plan: LeavePlan = self.row_or_404(request, pk, "brand", "target__target_group")
        plan.target.brand = plan.target.target_group.brand = plan.brand
        return plan

    # What is done, each by a POST

    def go_on_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The next step of the state that was on the page, and nothing where it is another one by now.

        So a page that goes on by itself never begins what somebody is yet to decide.
        """
        self.refuse_unless_may(request, PERMISSION)
        plan = self.plan_or_404(request, pk)
        if request.POST.get("seen") != plan.state:
            return self.to_page(plan)
        who: dict[str, Any] = {"at": timezone.now(), "by": request.user.get_username()}
        request_id = request.request_id  # type: ignore[attr-defined]  # set by RequestIdMiddleware
        steps: dict[str, Callable[[], LeavePlan]] = {
            PlanState.PLANNING: lambda: plan_chunk(plan=plan, **who),
            PlanState.PLANNED: lambda: start_plan(plan=plan, **who),
            PlanState.RUNNING: lambda: run_chunk(plan=plan, request_id=request_id, **who),
            PlanState.DONE: lambda: try_again(plan=plan),
        }
        return self.done(request, plan, steps.get(plan.state, lambda: plan))

    def approve_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.refuse_unless_may(request, APPROVE)
        plan = self.plan_or_404(request, pk)
        by = request.user.get_username()
        return self.done(request, plan, lambda: approve_plan(plan=plan, at=timezone.now(), by=by))

    def withdraw_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """By whoever uploads such lists, or refused by whoever approves them."""
        if not self.may(request, APPROVE):
            self.refuse_unless_may(request, PERMISSION)
        plan = self.plan_or_404(request, pk)
        by = request.user.get_username()
        return self.done(request, plan, lambda: withdraw_plan(plan=plan, at=timezone.now(), by=by))

    def done(self, request: HttpRequest, plan: LeavePlan, step: Callable[[], LeavePlan]) -> HttpResponse:
        try:
            plan = step()
        except (PlanRefused, DomainError, OperationalError) as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return self.to_page(plan, is_paused=True)
        return self.to_page(plan)

    def to_page(self, plan: LeavePlan, *, is_paused: bool = False) -> HttpResponse:
        address = reverse("admin:enrollments_leaveplan_change", args=[plan.pk])
        return HttpResponseRedirect(f"{address}?paused=1" if is_paused else address)

    # What is shown

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        return found and self.plan_or_404(request, found.pk)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        counted = list(
            obj.lines.order_by()
            .values_list("verdict", "outcome")
            .annotate(
                lines=Count("pk"),
                forfeiting=Count("pk", filter=~Q(forfeited="")),
                leaving=Count("pk", filter=~Q(facts="")),
            )
        )
        shown, chosen = chosen_lines(request)
        counts = counts_of(obj, counted, chosen)
        number = next((each.count for each in counts if each.is_shown), 0)
        pages = max(1, -(-number // LINES))
        page = min(as_id(request.GET.get("page", "")) or 1, pages)
        rows = obj.lines.filter(shown).select_related("customer").order_by("line")
        may_unenrol, may_approve = self.may(request, PERMISSION), self.may(request, APPROVE)
        is_open = "verdict" if obj.state == PlanState.PLANNING else "outcome"
        told = {
            "title": str(obj),
            "subtitle": None,
            "zone": obj.target.target_group.time_zone,
            "counts": counts,
            "lines": lines_of(obj, list(rows[(page - 1) * LINES : page * LINES])),
            "page": page,
            "pages": pages,
            "before": urlencode(chosen | {"page": str(page - 1)}) if page > 1 else "",
            "after": urlencode(chosen | {"page": str(page + 1)}) if page < pages else "",
            "looked_at": obj.rows - sum(row[2] for row in counted if not row[0 if is_open == "verdict" else 1]),
            "forfeiting": sum(row[3] for row in counted),
            "has_left": sum(row[2] for row in counted if row[1] in (LeaveOutcome.UNENROLLED, LeaveOutcome.SCHEDULED)),
            "again": sum(row[4] for row in counted if row[1] in NOT_NOW),
            "may_go_on": may_unenrol,
            "may_approve": may_approve and obj.uploaded_by != request.user.get_username(),
            "may_withdraw": may_unenrol or may_approve,
            "awaits_approval": obj.needs_approval and not obj.approved_by,
            "is_paused": "paused" in request.GET,
        }
        return super().render_change_form(request, context | told, add, change, form_url, obj)

    def result_view(self, request: HttpRequest, pk: int) -> HttpResponse | StreamingHttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        plan = self.plan_or_404(request, pk)
        name = f"unenrolment-{plan.pk}-{plan.state.lower()}.csv"
        return StreamingHttpResponse(
            result_rows(plan),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
