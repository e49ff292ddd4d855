"""The admin site: its name, its models in the order in which support needs them, and the second factor before all."""

from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.admin.models import LogEntry
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import BigIntegerField, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path

from config import second_factor

# The sidebar: what belongs together for people, whatever app it is of. The last names are put away until asked for.
SECTIONS = {
    "Support": [
        "targets.Customer",
        "enrollments.Participation",
        "enrollments.Receipt",
        "enrollments.LeavePlan",
        "rewards.Grant",
        "targets.RefusedCalls",
    ],
    "Programmes": ["targets.TargetGroup", "targets.Target", "targets.Cycle", "targets.StreakLevel", "rewards.Reward"],
    "Access": [
        "targets.Brand",
        "targets.ApiUser",
        "targets.ApiClient",
        "auth.User",
        "auth.Group",
        "targets.AuditEntry",
    ],
    "Details": [
        "enrollments.Activity",
        "enrollments.ActivityOutcome",
        "enrollments.Stay",
        "enrollments.Run",
        "enrollments.Progress",
        "targets.TargetValue",
        "targets.Inactivity",
        "targets.ProgrammeChange",
        "targets.FormerCycle",
        "targets.FormerValue",
    ],
}
PUT_AWAY = ("Details",)
ORDER = [label for labels in SECTIONS.values() for label in labels]
PLACES = {label: place for place, label in enumerate(ORDER)}


@dataclass(frozen=True)
class Page:
    """A list in the sidebar."""

    name: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Section:
    name: str
    pages: list[Page]

    @property
    def is_put_away(self) -> bool:
        return self.name in PUT_AWAY

    @property
    def is_current(self) -> bool:
        return any(page.is_current for page in self.pages)


class SignInForm(AdminAuthenticationForm):
    """Django's takes a user name of any length, for which those that count failures have no room."""

    username = UsernameField(max_length=User._meta.get_field("username").max_length)


class Console(AdminSite):
    site_header = "Milestreak"
    site_title = "Milestreak"
    index_title = "Console"
    login_form = SignInForm

    def get_urls(self) -> list[URLPattern | URLResolver]:
        pages = [
            path("second_factor/", second_factor.SetUpView.as_view(), name=second_factor.SET_UP),
            path("second_factor/code/", second_factor.AskView.as_view(), name=second_factor.ASK),
            path("second_factor/remove/", second_factor.RemoveView.as_view(), name=second_factor.REMOVE),
        ]
        for page in pages:
            page.callback = self.admin_view(page.callback)
        return [*pages, *super().get_urls()]  # Django's own end with one that takes everything

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Every page of the admin comes by here: first who it is, then his second factor, then the page."""

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return second_factor.detour(request) or view(request, *args, **kwargs)

        return super().admin_view(guarded, cacheable)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        found = sections(context["available_apps"], request.path)
        return context | {"sections": found, "may_find_customers": self.may_find_customers(request)}

    def may_find_customers(self, request: HttpRequest) -> bool:
        """Whether the box that finds a customer is at the top of his pages."""
        from targets.models import Customer  # models cannot be loaded as early as this very site

        return self.has_permission(request) and self.get_model_admin(Customer).has_view_permission(request)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from enrollments.admin.dashboard import context  # admin modules are registered with this very site

        return super().index(request, context(request) | (extra_context or {}))

    def get_log_entries(self, request: HttpRequest) -> QuerySet[LogEntry]:
        """For “Recent actions”: what was done to rows that he may still see."""
        from targets.admin.lists import ConsoleAdmin, ReadOnlyAdmin  # these are registered with this very site

        entries = super().get_log_entries(request)
        if not request.user.is_authenticated:  # the page of the log-in
            return entries.none()
        if request.user.is_superuser:
            return entries
        mine = Q(pk__in=[])
        for model, console in self._registry.items():
            is_logged = isinstance(console, ConsoleAdmin) and not isinstance(console, ReadOnlyAdmin)
            if is_logged and console.has_view_permission(request):
                rows = console.get_queryset(request).filter(pk=Cast(OuterRef("object_id"), BigIntegerField()))
                mine |= Q(Exists(rows), content_type=ContentType.objects.get_for_model(model))
        return entries.filter(mine)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """What is not in `ORDER` comes last, in Django's own order."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda each: PLACES.get(each["model"]._meta.label, len(ORDER)))
        return sorted(
            apps, key=lambda app: min(PLACES.get(each["model"]._meta.label, len(ORDER)) for each in app["models"])
        )


def sections(apps: list[Any], path: str) -> list[Section]:
    """What he may see of `apps`, those of `get_app_list`, as `SECTIONS` has it, and the rest at the end.

    `path`: of the page that is shown.
    """
    models = {each["model"]._meta.label: each for app in apps for each in app["models"] if each["admin_url"]}
    rest = [label for label in models if label not in PLACES]
    found = [
        Section(
            name,
            [
                Page(
                    str(models[label]["name"]), models[label]["admin_url"], path.startswith(models[label]["admin_url"])
                )
                for label in [*labels, *(rest if name in PUT_AWAY else [])]
                if label in models
            ],
        )
        for name, labels in SECTIONS.items()
    ]
    return [section for section in found if section.pages]
