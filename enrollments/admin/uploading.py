"""Uploading a list of customers on the page of a programme; what becomes of it is on a page of its own."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from enrollments.admin.upload_form import UploadForm
from enrollments.enums import Effective
from enrollments.models import LeavePlan
from enrollments.operations import upload_plan
from targets.admin.lists import ConsoleAdmin
from targets.models import TargetGroup

MOST_PLANS = 20  # shown of a programme, the latest first
PERMISSION = "enrollments.bulk_unenroll"


class UploadingLists(ConsoleAdmin):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.unenrol_many_view))
        return [path("<int:pk>/unenrol_many/", view, name="targets_targetgroup_unenrol_many"), *super().get_urls()]

    def unenrol_many_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A POST takes the list. What it would mean stands on its page, and nobody leaves before somebody says so."""
        self.refuse_unless_may(request, PERMISSION)
        self.refuse_unless_may(request, "enrollments.view_leaveplan")
        group = self.row_or_404(request, pk, "brand")
        if request.method == "GET":
            return self.upload_page(request, group, UploadForm(group))
        size = int(request.META.get("CONTENT_LENGTH") or 0)
        form = UploadForm(group, request.POST, request.FILES, is_too_large=size > settings.FILE_UPLOAD_MAX_MEMORY_SIZE)
        if not form.is_valid():
            return self.upload_page(request, group, form)
        plan = upload_plan(
            target=form.cleaned_data["target"],
            given=form.given,
            effective=Effective(form.cleaned_data["effective"]),
            reason=form.cleaned_data["reason"],
            include_inactive=form.cleaned_data.get("include_inactive", False),
            file_name=form.file_name,
            at=timezone.now(),
            by=request.user.get_username(),
        )
        return HttpResponseRedirect(reverse("admin:enrollments_leaveplan_change", args=[plan.pk]))

    def upload_page(self, request: HttpRequest, group: TargetGroup, form: UploadForm) -> HttpResponse:
        request.current_app = self.admin_site.name  # as Django's own admin views do
        plans = LeavePlan.objects.filter(target__target_group=group).select_related("target").order_by("-pk")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Unenrol many from {group}",
            "group": group,
            "form": form,
            "approval_above": settings.BULK_APPROVAL_ABOVE,
            "plans": plans[:MOST_PLANS],
        }
        return TemplateResponse(request, "admin/enrollments/unenrol_many.html", context)
