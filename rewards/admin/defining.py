"""Defining a programme: a page to fill in, a preview of what it means, and a POST that makes it (api.md 6).

Nothing is kept between the steps but what the page sends: what was typed travels along in hidden fields.
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods

from rewards.admin.draft import Definition, Draft
from rewards.admin.refusals import show_refusal
from rewards.admin.summary import sentences
from rewards.operations import define_programme, refuse_programme
from targets.admin.programmes import TargetGroupAdmin
from targets.brand_limits import of_brands_of
from targets.clock import brand_now
from targets.enums import Source
from targets.errors import DomainError
from targets.models import Brand, TargetGroup

BUTTONS = ("csrfmiddlewaretoken", "preview", "create", "back", "add_target", "add_level")
OF_CALENDAR = ("cycle-", "shown-")
BUSY = "The database is busy. Nothing was made: try again."


class TargetGroupWithDefiningAdmin(TargetGroupAdmin):
    """Not registered here: the app above adds what it can do to a programme, and registers both."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("targets.add_targetgroup")

    @method_decorator(require_http_methods(["GET", "POST"]))
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Fill in, look at the preview, create. Nothing but a POST with `create` changes anything."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        brands = Brand.objects.filter(of_brands_of(request.user, "pk"))
        if request.method == "GET":
            return self.form_page(request, Draft(None, brands))
        data = request.POST
        if "back" in data or "add_target" in data or "add_level" in data:
            more = "target" if "add_target" in data else "level" if "add_level" in data else ""
            return self.form_page(request, Draft(data, brands, is_judged=False, more=more))
        draft = Draft(data, brands)
        definition = foreseen(draft)
        if definition is not None and "create" in data:
            group = define(draft, definition, request)
            if group is not None:
                return self.to_group(request, group)
        if definition is not None and not draft.problems and draft.is_right():
            return self.preview_page(request, draft, sentences(definition))
        if is_calendar_wrong(draft):
            return self.preview_page(request, draft, [])
        return self.form_page(request, draft)

    def to_group(self, request: HttpRequest, group: TargetGroup) -> HttpResponse:
        """The page of what was made, where it may be seen."""
        self.message_user(request, f"{group} was created.")
        if self.has_view_permission(request):
            return HttpResponseRedirect(reverse("admin:targets_targetgroup_change", args=[group.pk]))
        return HttpResponseRedirect(reverse("admin:index"))

    def form_page(self, request: HttpRequest, draft: Draft) -> HttpResponse:
        carried = [(name, value) for name, value in request.POST.items() if name.startswith(OF_CALENDAR)]
        return self.page(
            request, "admin/rewards/define.html", draft, {"title": "Define a programme", "carried": carried}
        )

    def preview_page(self, request: HttpRequest, draft: Draft, summary: list[str]) -> HttpResponse:
        """`summary` is empty where a name or a value in the table is wrong: that comes first."""
        carried = [
            (name, value)
            for name, value in request.POST.items()
            if name not in BUTTONS and not name.startswith(OF_CALENDAR)
        ]
        late_days = draft.programme.cleaned_data["late_days"]
        context = {
            "title": "Preview of the programme",
            "carried": carried + draft.calendar.shown(),
            "summary": summary,
            "lines": draft.calendar.lines(draft.zone, late_days, brand_now(draft.brand)),
            "zone": draft.zone.key,
        }
        return self.page(request, "admin/rewards/define_preview.html", draft, context)

    def page(self, request: HttpRequest, template: str, draft: Draft, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name  # as Django's own admin views do
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "draft": draft,
            **context,
        }
        return TemplateResponse(request, template, context)


def foreseen(draft: Draft) -> Definition | None:
    """What would be defined, if it can be; else the refusal stands at its field."""
    if not draft.is_right():
        return None
    try:
        if not draft.calendar.is_valid():
            return None
        definition = draft.definition()
        refuse_programme(
            brand=definition.brand,
            group=definition.group,
            rewards=definition.rewards,
            level_rewards=definition.level_rewards,
            at=brand_now(definition.brand),
        )
    except DomainError as error:
        show_refusal(draft, error)
        return None
    return definition


def define(draft: Draft, definition: Definition, request: HttpRequest) -> TargetGroup | None:
    """The group that was made. None if somebody was faster with a name, or the database is busy: nothing was made."""
    try:
        programme = define_programme(
            brand=definition.brand,
            group=definition.group,
            rewards=definition.rewards,
            level_rewards=definition.level_rewards,
            at=brand_now(definition.brand),
            by=request.user.get_username(),
            source=Source.ADMIN,
            request_id=request.request_id,  # type: ignore[attr-defined]  # set by RequestIdMiddleware
        )
    except DomainError as error:
        show_refusal(draft, error)
        return None
    except OperationalError:
        draft.problems.append(BUSY)
        return None
    return programme.group


def is_calendar_wrong(draft: Draft) -> bool:
    """Whether all is right but for a name or a value in the table of cycles."""
    return draft.is_right() and not draft.problems and bool(draft.calendar.errors)
