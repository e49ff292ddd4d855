"""The admin site: its name, and its models in the order in which support needs them."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest

ORDER = [
    "targets.Customer",
    "targets.TargetGroup",
    "targets.Target",
    "targets.Cycle",
    "targets.TargetValue",
    "targets.StreakLevel",
    "targets.Inactivity",
    "targets.ProgrammeChange",
    "targets.FormerCycle",
    "targets.FormerValue",
    "targets.Brand",
    "targets.ApiUser",
    "targets.ApiClient",
    "targets.AuditEntry",
    "enrollments.Participation",
    "enrollments.Receipt",
    "enrollments.Activity",
    "enrollments.ActivityOutcome",
    "enrollments.Stay",
    "enrollments.Run",
    "enrollments.Progress",
    "rewards.Grant",
    "rewards.Reward",
]
PLACES = {label: place for place, label in enumerate(ORDER)}


class Console(AdminSite):
    site_header = "Milestreak"
    site_title = "Milestreak"
    index_title = "Console"
    enable_nav_sidebar = False  # the room is for the tables

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """What is not in `ORDER` comes last, in Django's own order."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda each: PLACES.get(each["model"]._meta.label, len(ORDER)))
        return sorted(
            apps, key=lambda app: min(PLACES.get(each["model"]._meta.label, len(ORDER)) for each in app["models"])
        )
