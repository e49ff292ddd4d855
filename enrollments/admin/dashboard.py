"""The dashboard: what runs in a brand today, who left lately, what closes soon, what should have closed, and
what the API has refused.

A constant number of statements, each bounded by what people have defined or by a limit, whatever the brand has grown
to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from enrollments.admin.refused import MOST_CODES, RefusedLately, refused_lately
from enrollments.models import Participation, Receipt
from enrollments.tally import Changes, Tally, tally
from targets.brand_limits import of_brands_of
from targets.clock import brand_now
from targets.enums import EvaluationType
from targets.models import Brand, Cycle, RefusedCalls, Target, TargetGroup
from targets.queries import as_id

DAYS = 30
SOON = timedelta(days=7)
PATIENCE = timedelta(minutes=15)  # workers look more often than that
MOST_BRANDS = 200
MOST_LINES = 10
MOST_COUNTED = 100


@dataclass(frozen=True)
class Bar:
    """Of one day. Heights are of 100."""

    day: date
    changes: Changes
    x: int
    height: int
    lost_height: int

    @property
    def top(self) -> int:
        return 100 - self.height

    @property
    def lost_top(self) -> int:
        return 100 - self.lost_height


@dataclass(frozen=True)
class Chart:
    """Who left, day by day."""

    bars: list[Bar]
    total: Changes
    highest: int
    behind_since: datetime | None

    @property
    def width(self) -> int:
        return 10 * len(self.bars)

    @property
    def days(self) -> list[Bar]:
        """For a table: newest first, without those on which nothing happened."""
        return [bar for bar in reversed(self.bars) if bar.changes != Changes()]


@dataclass(frozen=True)
class Running:
    """A programme that runs, with its cycle; None where each customer has a calendar of his own."""

    group: TargetGroup
    cycle: Cycle | None
    enrolled: int | None


@dataclass(frozen=True)
class Dashboard:
    """`chart`, `refused` and `running` with its lists are None where he may not see what they are made of."""

    brand: Brand
    brands: list[Brand]
    now: datetime
    chart: Chart | None
    running: list[Running] | None
    closing: list[Cycle]
    overdue: list[Cycle]
    own_overdue: int
    refused: RefusedLately | None

    @property
    def overdue_count(self) -> int:
        return len(self.overdue) + self.own_overdue

    @property
    def zone(self) -> str:
        return self.brand.time_zone


def dashboard(request: HttpRequest) -> Dashboard | None:
    """Of the brand that `?brand=` names, or of his first one; None where he sees none."""
    found = Brand.objects.filter(of_brands_of(request.user, "pk"), is_active=True).order_by("sandbox", "name")
    brands = list(found[:MOST_BRANDS])
    if not brands:
        return None
    wanted = as_id(request.GET.get("brand", ""))
    brand = next((each for each in brands if each.pk == wanted), brands[0])
    now = brand_now(brand)
    sees_programmes = may_see(request, TargetGroup) and may_see(request, Cycle)
    counted = tally_of(brand, now) if may_see(request, Receipt) else None
    due = cycles_due(brand, now) if sees_programmes else []
    overdue = [cycle for cycle in due if is_past(cycle, now)]
    return Dashboard(
        brand=brand,
        brands=brands,
        now=now,
        chart=chart(counted, today(brand, now)) if counted else None,
        running=running(brand, now, counted.members if counted else None) if sees_programmes else None,
        closing=[cycle for cycle in due if cycle not in overdue],
        overdue=overdue,
        own_overdue=own_overdue(brand, now) if sees_programmes else 0,
        refused=refused_lately(brand, timezone.now()) if may_see(request, RefusedCalls) else None,
    )


def may_see(request: HttpRequest, model: type[Model]) -> bool:
    return admin.site.get_model_admin(model).has_view_permission(request)


def today(brand: Brand, now: datetime) -> date:
    return timezone.localdate(now, ZoneInfo(brand.time_zone))


def tally_of(brand: Brand, now: datetime) -> Tally:
    return tally(brand, today(brand, now) - timedelta(days=DAYS - 1))


def chart(counted: Tally, last: date) -> Chart:
    days = [last - timedelta(days=each) for each in reversed(range(DAYS))]
    of_day = [counted.by_day.get(day, Changes()) for day in days]
    highest = max(max(each.departed, each.forfeited) for each in of_day)
    bars = [
        Bar(day, each, 10 * place, share(each.departed, highest), share(each.forfeited, highest))
        for place, (day, each) in enumerate(zip(days, of_day, strict=True))
    ]
    return Chart(bars, sum(of_day, Changes()), highest, counted.behind_since)


def share(count: int, highest: int) -> int:
    """Of 100, rounded up, so that one is seen beside a thousand."""
    return -(-100 * count // highest) if count else 0


def running(brand: Brand, now: datetime, members: Mapping[int, int] | None) -> list[Running]:
    """Those whose cycle ends first come first; calendars of customers' own have no end to sort by."""
    groups = TargetGroup.objects.filter(brand=brand, is_active=True)
    cycles = Cycle.objects.filter(target_group__in=groups, starts_at__lte=now, ends_at__gt=now)
    found: list[tuple[TargetGroup, Cycle | None]] = [
        (cycle.target_group, cycle)
        for cycle in cycles.select_related("target_group").order_by("ends_at", "pk")[: MOST_LINES + 1]
    ]
    own = groups.exclude(evaluation_type=EvaluationType.FIXED_CALENDAR_WINDOW).order_by("-pk")
    found += [(group, None) for group in own[: MOST_LINES + 1]]
    shown = found[: MOST_LINES + 1]
    enrolled = None if members is None else enrolled_in([group for group, _ in shown], members)
    return [Running(group, cycle, enrolled[group.pk] if enrolled is not None else None) for group, cycle in shown]


def enrolled_in(groups: Sequence[TargetGroup], members: Mapping[int, int]) -> dict[int, int]:
    """Of each group, over all of its targets."""
    found = dict.fromkeys((group.pk for group in groups), 0)
    for pk, group_id in Target.objects.filter(target_group__in=groups).values_list("pk", "target_group"):
        found[group_id] += members.get(pk, 0)
    return found


def cycles_due(brand: Brand, now: datetime) -> list[Cycle]:
    """What is to close within a week, or should have. Cycles that are paid leave the index that serves this."""
    cycles = Cycle.objects.filter(target_group__brand=brand, paid_at=None, closes_at__lte=now + SOON)
    return list(cycles.select_related("target_group").order_by("closes_at", "pk")[:MOST_COUNTED])


def is_past(cycle: Cycle, now: datetime) -> bool:
    return cycle.closes_at is not None and cycle.closes_at <= now - PATIENCE


def own_overdue(brand: Brand, now: datetime) -> int:
    """Customers with a cycle of their own calendar that should have closed; counted up to `MOST_COUNTED`."""
    due = Participation.objects.filter(brand=brand, closes_next_at__lte=now - PATIENCE)
    return due.order_by("closes_next_at")[:MOST_COUNTED].count()


def context(request: HttpRequest) -> dict[str, Any]:
    """What the template of the dashboard asks for."""
    found = dashboard(request)
    return {
        "dashboard": found,
        "is_dashboard": True,
        "most_lines": MOST_LINES,
        "most_counted": MOST_COUNTED,
        "most_codes": MOST_CODES,
    }
