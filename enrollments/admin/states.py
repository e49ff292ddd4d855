"""Whether somebody is enrolled, for lists: one query, whatever their length."""

from datetime import datetime
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.html import format_html
from django.utils.safestring import SafeString

from enrollments.models import Participation, Stay
from targets.clock import brand_now
from targets.models import Cycle
from targets.wording import day, instant


def with_last_stay(participations: QuerySet[Participation]) -> QuerySet[Participation]:
    """Each with `out_at`: from when on its last stay is over; None where no leave is decided, or nobody knows yet.

    `leaves_after` is set where a leave at the end of a cycle was decided.
    """
    ends_at = Cycle.objects.filter(
        target_group=OuterRef("participation__target__target_group"), number=OuterRef("leaves_after")
    ).values("ends_at")
    last_stay = (
        Stay.objects.filter(participation=OuterRef("pk"))
        .annotate(out_at=Coalesce(F("left_at"), F("leaves_at"), Subquery(ends_at)))
        .order_by("-pk")
    )
    return participations.annotate(
        out_at=Subquery(last_stay.values("out_at")[:1]), leaves_after=Subquery(last_stay.values("leaves_after")[:1])
    )


def state(participation: Any) -> str:
    """In words, of a participation that `with_last_stay` has loaded with its brand and target group."""
    out_at: datetime | None = participation.out_at
    if out_at is None:
        return "Enrolled" if participation.leaves_after is None else "Enrolled, leaves when his cycle ends"
    when = day(out_at, participation.target.target_group.time_zone)
    return f"Enrolled, leaves {when}" if out_at > brand_now(participation.brand) else f"Left {when}"


def badge(participation: Any) -> SafeString:
    """The same, coloured."""
    out_at: datetime | None = participation.out_at
    is_out = out_at is not None and out_at <= brand_now(participation.brand)
    kind = "left" if is_out else "member" if participation.leaves_after is None else "scheduled"
    return format_html('<span class="badge {}">{}</span>', kind, state(participation))


def zoned(at: datetime, participation: Participation) -> str:
    """On the programme's wall clock, with the name of its zone."""
    zone = participation.target.target_group.time_zone
    return f"{instant(at, zone)} ({zone})"


def is_inactive(participation: Participation) -> bool:
    """Whether its programme is frozen (domain.md 7)."""
    target = participation.target
    return not (target.is_active and target.target_group.is_active)
