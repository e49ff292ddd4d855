"""By how much one activity changes the value of a cycle (domain.md 6): pure functions over loaded values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from targets.enums import Kpi
from targets.matching import amount_of
from targets.models import Target


class Event(Protocol):
    """What is to be known of an activity, delivered or stored."""

    @property
    def occurred_at(self) -> datetime: ...
    @property
    def amount(self) -> Decimal | None: ...
    @property
    def quantity(self) -> Decimal | None: ...
    @property
    def attributes(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Measure:
    """What an activity adds. `visit_on` is the local day that it makes a day with a visit."""

    delta: Decimal
    visit_on: date | None = None


def measure(target: Target, activity: Event, was_visited: Callable[[date], bool]) -> Measure | None:
    """What `activity` adds to the KPI of `target`; None where the attribute to add up is missing or no number.

    A missing amount or quantity adds 0. `was_visited(day)` tells whether an activity has counted for that local day,
    in the run and cycle in question; a day adds 1 once, whatever comes first, and a return is no visit.
    """
    match target.kpi:
        case Kpi.COUNT:
            return Measure(Decimal(-1 if is_return(activity) else 1))
        case Kpi.SALES | Kpi.GROSS_SALES:
            return Measure(activity.amount or Decimal(0))
        case Kpi.QUANTITY:
            return Measure(activity.quantity or Decimal(0))
        case Kpi.VISIT:
            day = activity.occurred_at.astimezone(ZoneInfo(target.target_group.time_zone)).date()
            is_visit = not is_return(activity) and not was_visited(day)
            return Measure(Decimal(1), day) if is_visit else Measure(Decimal(0))
        case Kpi.EVENT_ATTRIBUTE:
            number = amount_of(activity.attributes.get(target.attribute_name))
            return None if number is None else Measure(number)
    raise AssertionError(f"KPI {target.kpi} is not known.")  # the database lets no other in


def is_return(activity: Event) -> bool:
    """A negative amount or quantity."""
    return any(each is not None and each < 0 for each in (activity.amount, activity.quantity))
