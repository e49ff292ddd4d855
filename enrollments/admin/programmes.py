"""A programme on its page: its rewards, its history, and the way to freeze it: a page that says what it means."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from enrollments.admin.figures import FiguresOfProgramme
from enrollments.admin.reward_form import Places
from enrollments.admin.rewarding import RewardingProgrammes
from enrollments.admin.uploading import PERMISSION, UploadingLists
from enrollments.enums import Source
from enrollments.operations import set_group_active
from targets.clock import run_at_now
from targets.errors import DomainError
from targets.models import ProgrammeChange, TargetGroup

MOST_CHANGES = 100  # on the page of a programme, the latest first

admin.site.unregister(TargetGroup)


@admin.register(TargetGroup)
class ChangeableTargetGroupAdmin(FiguresOfProgramme, UploadingLists, RewardingProgrammes):
    change_form_template = "admin/enrollments/target_group.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.active_view))
        return [path("<int:pk>/active/", view, name="targets_targetgroup_active"), *super().get_urls()]

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        places = Places(obj)
        context["may_see_figures"] = self.may_see_figures(request)
        context["may_edit"] = self.may(request, "targets.change_targetgroup")
        context["may_freeze"] = self.may(request, "targets.freeze_targetgroup")
        context["may_reward"] = self.may(request, "rewards.change_reward")
        context["may_unenrol_many"] = self.may(request, PERMISSION) and self.may(request, "enrollments.view_leaveplan")
        context["promises"] = list(places.promises())
        context["may_give_own"] = context["may_reward"] and bool(places.open_cycles)
        context["history"] = ProgrammeChange.objects.filter(target_group=obj).order_by("-version")[:MOST_CHANGES]
        response = super().render_change_form(request, context, add, change, form_url, obj)
        with timezone.override(obj.time_zone):  # its cycles begin at midnights there
            return response.render()  # type: ignore[attr-defined]  # a TemplateResponse, says Django

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's own knows nothing of what the operations have recorded."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(reverse("admin:targets_targetgroup_change", args=[object_id]) + "#history")

    def active_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The button says what is wanted, so that a second click, or somebody else's, undoes nothing."""
        self.refuse_unless_may(request, "targets.freeze_targetgroup")
        group = self.row_or_404(request, pk, "brand")
        refusal = ""
        if request.method == "POST":
            wanted = request.POST.get("wanted") == "active"
            try:
                changed = run_at_now(
                    group.brand,
                    lambda at: set_group_active(
                        target_group=group,
                        is_active=wanted,
                        at=at,
                        by=request.user.get_username(),
                        source=Source.ADMIN,
                        request_id=request.request_id,  # type: ignore[attr-defined]  # set by RequestIdMiddleware
                    ),
                )
            except (DomainError, OperationalError) as error:
                refusal = str(error)
            else:
                state = "active" if wanted else "frozen"
                self.message_user(request, f"{group} is {state}{'' if changed else ' already'}.")
                return HttpResponseRedirect(reverse("admin:targets_targetgroup_change", args=[pk]))
        request.current_app = self.admin_site.name  # as Django's own admin views do
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Freeze {group}" if group.is_active else f"Let {group} run again",
            "group": group,
            "refusal": refusal,
        }
        return TemplateResponse(request, "admin/enrollments/target_group_active.html", context)
