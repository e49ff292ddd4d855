"""What the API has refused to a brand's systems lately, for the dashboard."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Max, Min, Sum
from django.utils import timezone

from targets.errors import REFUSALS
from targets.models import Brand, RefusedCalls

DAYS = 7
MOST_CODES = 5


@dataclass(frozen=True)
class RefusedCode:
    """One code: how often it was answered, and since which of those days. Without `meaning`: of a former version."""

    code: int
    meaning: str
    calls: int
    since: date
    last_at: datetime


@dataclass(frozen=True)
class RefusedLately:
    """Of the last `DAYS` days of the brand's calendar, by the real clock: today is one of them. `codes`: most first."""

    calls: int
    codes: list[RefusedCode]

    @property
    def has_more(self) -> bool:
        return len(self.codes) > MOST_CODES


def refused_lately(brand: Brand, at: datetime) -> RefusedLately:
    """`at`: the real time, also in a sandbox."""
    first = timezone.localdate(at, ZoneInfo(brand.time_zone)) - timedelta(days=DAYS - 1)
    found = (
        RefusedCalls.objects.filter(brand=brand, day__gte=first)
        .values_list("code")
        .annotate(total=Sum("calls"), since=Min("day"), last=Max("last_at"))
        .order_by("-total", "code")
    )
    codes = [RefusedCode(code, meaning(code), *counted) for code, *counted in found]
    return RefusedLately(sum(each.calls for each in codes), codes)


def meaning(code: int) -> str:
    return REFUSALS[code].meaning if code in REFUSALS else ""
