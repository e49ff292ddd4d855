"""The figures of a programme, target by target: a page to look at, and the same as a table to download."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from enrollments.figures import CycleFigures, Figures, figures
from targets.admin.csv_answer import csv_answer
from targets.admin.lists import ConsoleAdmin
from targets.clock import brand_now
from targets.models import Cycle, Target, TargetGroup
from targets.queries import as_id
from targets.wording import instant

NEEDED = ("enrollments.view_participation", "rewards.view_grant")
MOST_TARGETS = 100  # offered on the page
HEADINGS = (
    "Cycle",
    "Begins",
    "Ends",
    "State",
    "Target value",
    "Members",
    "Achieved",
    "Achieved %",
    "Granted",
    "Owed",
    "Reward",
    "Value owed",
    "Forfeited",
    "Forfeited %",
)


@dataclass(frozen=True)
class Bar:
    """One cycle in the picture, in its units: the heights stand on the line at HEIGHT."""

    WIDTH, HEIGHT, STEP = 28, 120, 34

    figures: CycleFigures
    place: int
    most: int

    @property
    def x(self) -> int:
        return self.place * self.STEP

    @property
    def middle(self) -> int:
        return self.x + self.WIDTH // 2

    @property
    def members(self) -> tuple[int, int]:
        return self._box(self.figures.members)

    @property
    def achieved(self) -> tuple[int, int]:
        return self._box(self.figures.achieved)

    @property
    def forfeited(self) -> tuple[int, int]:
        """On top of those who are still members."""
        top, height = self._box(self.figures.forfeited)
        return top - self.members[1], height

    def _box(self, count: int) -> tuple[int, int]:
        """Where it begins, and how high it is; a few among many are still to be seen."""
        height = max(round(self.HEIGHT * count / self.most), 1 if count else 0)
        return self.HEIGHT - height, height


def bars(found: Figures) -> list[Bar]:
    most = max((each.members + each.forfeited for each in found.cycles), default=0) or 1
    return [Bar(each, place, most) for place, each in enumerate(found.cycles)]


class FiguresOfProgramme(ConsoleAdmin):
    """The page, for whoever may see enrolments and what was given."""

    def get_urls(self) -> list[URLPattern]:
        pages = {"figures": self.figures_view, "figures.csv": self.figures_csv_view}
        views = {address: self.admin_site.admin_view(require_safe(view)) for address, view in pages.items()}
        return [
            path("<int:pk>/figures/", views["figures"], name="targets_targetgroup_figures"),
            path("<int:pk>/figures.csv", views["figures.csv"], name="targets_targetgroup_figures_csv"),
            *super().get_urls(),
        ]

    def may_see_figures(self, request: HttpRequest) -> bool:
        return all(self.may(request, each) for each in NEEDED)

    def figures_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        group, targets, target = self.target_asked_for(request, pk)
        found = figures(target, brand_now(group.brand))
        request.current_app = self.admin_site.name  # as Django's own admin views do
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Figures of {target}",
            "target": target,
            "group": group,
            "targets": targets[:MOST_TARGETS],
            "has_more_targets": len(targets) > MOST_TARGETS,
            "found": found,
            "zone": group.time_zone,
        }
        if found is not None:
            context |= {
                "bars": bars(found),
                "bar_width": Bar.WIDTH,
                "height": Bar.HEIGHT,
                "width": len(found.cycles) * Bar.STEP,
                "lines": [(each, state_of(each.cycle, found.at, group)) for each in found.cycles],
            }
        return TemplateResponse(request, "admin/enrollments/figures.html", context)

    def figures_csv_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        group, _, target = self.target_asked_for(request, pk)
        found = figures(target, brand_now(group.brand))
        if found is None:
            raise Http404
        return csv_answer(f"figures-{group.pk}-{target.pk}.csv", rows_of(group, found))

    def target_asked_for(self, request: HttpRequest, pk: int) -> tuple[TargetGroup, list[Target], Target]:
        """All targets, and the one named by `target`, or the first. Raises `PermissionDenied`, `Http404`."""
        if not self.may_see_figures(request):
            raise PermissionDenied
        group = self.row_or_404(request, pk, "brand")
        targets = list(Target.objects.filter(target_group=group).order_by("pk"))
        wanted = as_id(request.GET.get("target", "")) if "target" in request.GET else targets[0].pk
        target = next((each for each in targets if each.pk == wanted), None)
        if target is None:
            raise Http404
        target.target_group, target.brand = group, group.brand
        return group, targets, target


def state_of(cycle: Cycle, at: datetime, group: TargetGroup) -> str:
    """In words. Where everybody has a calendar of his own a cycle is in no one state."""
    if group.has_own_calendars or cycle.starts_at is None or cycle.ends_at is None or cycle.closes_at is None:
        return ""
    if cycle.paid_at is not None:
        return f"Closed {instant(cycle.closed_at, group.time_zone)}"
    if cycle.closed_at is not None:
        return "Being paid"
    if cycle.closes_at <= at:
        return f"Overdue: to be closed since {instant(cycle.closes_at, group.time_zone)}"
    if cycle.ends_at <= at:
        return f"Ended, closes {instant(cycle.closes_at, group.time_zone)}"
    return "Running" if cycle.starts_at <= at else "To come"


def rows_of(group: TargetGroup, found: Figures) -> Iterator[list[Any]]:
    yield list(HEADINGS)
    for each in found.cycles:
        yield [
            each.cycle.ref_code,
            instant(each.cycle.starts_at, group.time_zone),
            instant(each.cycle.ends_at, group.time_zone),
            state_of(each.cycle, found.at, group),
            each.target_value,
            each.members,
            each.achieved,
            each.achieved_share,
            each.granted,
            each.owed,
            each.reward.name if each.reward else "",
            each.owed_value,
            each.forfeited,
            each.forfeited_share,
        ]
