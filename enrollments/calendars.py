"""When the cycles of one participation are, where each customer has a calendar of his own (domain.md 10).

A cycle of such a calendar is a copy of the group's, which has the name, with his instants filled in; it is never
saved. A fixed calendar needs none of this: its cycles are as the database holds them.
"""

from bisect import bisect_right
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from enrollments.models import Participation, Progress
from targets.calendar import closing_instant, own_boundary
from targets.enums import EvaluationType, FrequencyType
from targets.models import Cycle, TargetGroup


@dataclass(frozen=True)
class CyclicCalendar:
    """Cycles of equal length from `anchored_at` on, the first counted activity; before there is one, none has begun.

    It runs on while the customer is away. The cycles up to `closed_through` are closed and paid.
    """

    group: TargetGroup
    anchored_at: datetime | None = None
    closed_through: int = 0

    def starts_at(self, number: int) -> datetime | None:
        return None if self.anchored_at is None else self._boundary(self.anchored_at, number - 1)

    def ends_at(self, number: int) -> datetime | None:
        return None if self.anchored_at is None else self._boundary(self.anchored_at, number)

    def _boundary(self, anchor: datetime, number: int) -> datetime:
        frequency_type, frequency = FrequencyType(self.group.frequency_type), self.group.frequency or 1
        return own_boundary(anchor, frequency_type, frequency, number, ZoneInfo(self.group.time_zone))

    def running_or_next(self, at: datetime) -> int | None:
        """The first cycle that ends after `at`; None when the last one has ended. One not begun has not ended."""
        if self.anchored_at is None:
            return 1
        anchor, numbers = self.anchored_at, range(1, self.group.cycle_count + 1)
        ended = bisect_right(numbers, at, key=lambda number: self._boundary(anchor, number))
        return numbers[ended] if ended < len(numbers) else None

    def containing(self, instant: datetime) -> int | None:
        """The cycle of what happened at `instant`."""
        is_before = self.anchored_at is None or instant < self.anchored_at
        return None if is_before else self.running_or_next(instant)


@dataclass(frozen=True)
class AgnosticCalendar:
    """Each cycle ends when it is achieved, and the next begins at once; the first one begins with the first enrolment.

    `achieved_at` has the instants of achieved cycles by their numbers: all of them, or just the last.
    """

    group: TargetGroup
    began_at: datetime | None = None
    achieved_at: Mapping[int, datetime] = field(default_factory=dict)

    @property
    def closed_through(self) -> int:
        return max(self.achieved_at, default=0)

    def starts_at(self, number: int) -> datetime | None:
        return self.began_at if number == 1 else self.achieved_at.get(number - 1)

    def ends_at(self, number: int) -> datetime | None:
        return self.achieved_at.get(number)

    def running_or_next(self, at: datetime) -> int | None:
        """The open cycle, whatever `at` is; None when the last one is achieved."""
        is_over = self.closed_through >= self.group.cycle_count
        return None if is_over else self.closed_through + 1

    def containing(self, instant: datetime) -> int | None:
        """An activity counts for the cycle that is open when it is processed."""
        return self.running_or_next(instant)


OwnCalendar = CyclicCalendar | AgnosticCalendar


def own_calendar(
    group: TargetGroup, participation: Participation | None, achieved_at: Mapping[int, datetime] | None = None
) -> OwnCalendar:
    """The calendar of a participation, or of somebody who has none yet.

    `achieved_at`: see `AgnosticCalendar`; what is not given is looked up, in one statement.
    """
    if group.evaluation_type == EvaluationType.CYCLIC_WINDOW:
        if participation is None:
            return CyclicCalendar(group)
        return CyclicCalendar(group, participation.anchored_at, participation.closed_through)
    if participation is None:
        return AgnosticCalendar(group)
    if achieved_at is None:
        achieved = Progress.objects.filter(participation=participation, achieved_at__isnull=False)
        last = achieved.order_by("-run_number", "-cycle_number").first()
        achieved_at = {last.cycle_number: last.achieved_at} if last and last.achieved_at else {}
    return AgnosticCalendar(group, participation.first_enrolled_at, achieved_at)


def filled(cycle: Cycle, calendar: OwnCalendar) -> Cycle:
    """A copy of the group's cycle with the instants of `calendar`. `closed_at` tells only whether it is closed."""
    own = copy(cycle)
    own.starts_at, own.ends_at = calendar.starts_at(cycle.number), calendar.ends_at(cycle.number)
    own.closes_at = closes_at(calendar, cycle.number)
    own.closed_at = own.closes_at if cycle.number <= calendar.closed_through else None
    return own


def closes_at(calendar: OwnCalendar, number: int) -> datetime | None:
    """From when on the cycle accepts no activity."""
    ends_at = calendar.ends_at(number)
    late_days = calendar.group.late_days
    if ends_at is None or not late_days:
        return ends_at
    return closing_instant(ends_at, late_days, ZoneInfo(calendar.group.time_zone))


def has_begun(cycle: Cycle, group: TargetGroup, at: datetime) -> bool:
    """An own calendar has begun as soon as it is anchored: by an activity that may lie five minutes ahead of `at`.
    Where a cycle begins when the one before is achieved, it has begun as soon as anybody knows when.
    """
    if cycle.starts_at is None:
        return False
    is_anchored = group.evaluation_type == EvaluationType.CYCLIC_WINDOW and cycle.number == 1
    is_agnostic = group.evaluation_type == EvaluationType.PERIOD_AGNOSTIC_WINDOW
    return is_anchored or is_agnostic or cycle.starts_at <= at
