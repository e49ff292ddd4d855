"""When the cycles are: for everybody at the same time, or for each customer at his own (domain.md 10).

A personal calendar is worked out again from facts at each question. What has not begun has no instants yet: they are
`NOT_YET`, which is later than every other. Written from `docs/domain.md` alone, like the rest of the model.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from tests.properties.programme import DAYS, MONTHS, NOT_YET, Cycle, Programme


class Calendar:
    """`FIXED_CALENDAR_WINDOW`: as the programme says, whoever asks."""

    def __init__(self, cycles: Sequence[Cycle]) -> None:
        self.cycles = tuple(cycles)

    @property
    def boundaries(self) -> list[datetime]:
        """Starts, ends and closing instants that are known, for tests that aim at them."""
        found = {instant for each in self.cycles for instant in (each.starts_at, each.ends_at, each.closes_at)}
        return sorted(found - {NOT_YET})

    def is_over(self, at: datetime) -> bool:
        """Every cycle has closed."""
        return all(each.closes_at <= at for each in self.cycles)

    def running_or_next(self, at: datetime) -> Cycle | None:
        """The first cycle that ends after `at`: the running one, else the next (domain.md 5)."""
        for cycle in self.cycles:
            if cycle.ends_at > at:
                return cycle
        return None

    def has_begun(self, cycle: Cycle, at: datetime) -> bool:
        return cycle.starts_at <= at

    def is_running(self, cycle: Cycle, at: datetime) -> bool:
        return self.has_begun(cycle, at) and at < cycle.ends_at

    def may_name(self, cycle: Cycle, at: datetime) -> bool:
        """Whether `periodName` may be this cycle: any that has not ended (domain.md 4)."""
        return cycle.ends_at > at

    def of_activity(self, at: datetime, occurred_at: datetime) -> Cycle | None:
        """The cycle containing `occurred_at`; starts belong to a cycle, ends do not (domain.md 1 and 6)."""
        for cycle in self.cycles:
            if cycle.starts_at <= occurred_at < cycle.ends_at:
                return cycle
        return None


class CyclicCalendar(Calendar):
    """`CYCLIC_WINDOW`: n cycles of one length from the anchor on; None: not begun, cycle 1 is the next.

    The anchor may lie five minutes ahead of the clock. Cycle 1 has begun all the same.
    """

    def __init__(self, programme: Programme, anchor: datetime | None) -> None:
        super().__init__(programme.cycles if anchor is None else _cycles_from(programme, anchor))
        self._is_anchored = anchor is not None

    def has_begun(self, cycle: Cycle, at: datetime) -> bool:
        return cycle.starts_at <= at or (cycle.number == 1 and self._is_anchored)

    def may_name(self, cycle: Cycle, at: datetime) -> bool:
        """The running or next one, or the one after the running one."""
        current = self.running_or_next(at)
        if current is None:
            return False
        last = current.number + 1 if self.is_running(current, at) else current.number
        return current.number <= cycle.number <= last


class AgnosticCalendar(Calendar):
    """`PERIOD_AGNOSTIC_WINDOW`: cycle 1 begins with the first enrolment, and each ends when it is achieved.

    `instants`: of the first enrolment, and of the achievements so far.
    """

    def __init__(self, programme: Programme, instants: Sequence[datetime]) -> None:
        known = [*instants, *[NOT_YET] * (len(programme.cycles) + 1 - len(instants))]
        super().__init__(
            [
                replace(cycle, starts_at=starts_at, ends_at=ends_at, closes_at=ends_at)
                for cycle, (starts_at, ends_at) in zip(programme.cycles, pairwise(known), strict=True)
            ]
        )

    def has_begun(self, cycle: Cycle, at: datetime) -> bool:
        """Enrolling for the first time begins cycle 1, an achievement each other: that is known when it happens."""
        return cycle.number == 1 or cycle.starts_at != NOT_YET

    def may_name(self, cycle: Cycle, at: datetime) -> bool:
        """Only the open one."""
        return cycle == self.running_or_next(at)

    def of_activity(self, at: datetime, occurred_at: datetime) -> Cycle | None:
        """The cycle open when it is processed, whenever it occurred."""
        return self.running_or_next(at)


def _cycles_from(programme: Programme, anchor: datetime) -> list[Cycle]:
    """Each boundary is counted from the anchor, and read on the clocks of the group's zone."""
    zone = ZoneInfo(programme.time_zone)
    boundaries = [anchor, *[_boundary(programme, anchor, each.number, zone) for each in programme.cycles]]
    return [
        replace(
            cycle, starts_at=starts_at, ends_at=ends_at, closes_at=_closing_instant(ends_at, programme.late_days, zone)
        )
        for cycle, (starts_at, ends_at) in zip(programme.cycles, pairwise(boundaries), strict=True)
    ]


def _boundary(programme: Programme, anchor: datetime, lengths: int, zone: ZoneInfo) -> datetime:
    """The wall time of the anchor so many lengths later."""
    local = anchor.astimezone(zone)
    units = lengths * programme.frequency
    if programme.frequency_type in DAYS:
        day = local.date() + timedelta(days=units * DAYS[programme.frequency_type])
    else:
        day = _months_later(local.date(), units * MONTHS[programme.frequency_type])
    return _instant(day, local.time(), zone)


def _months_later(day: date, months: int) -> date:
    """The same day of a later month, or the last one of a shorter month."""
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _instant(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """A wall time that exists twice is the first; one that does not exist is read with the offset before the gap."""
    return datetime.combine(day, wall.replace(fold=0), zone).astimezone(UTC)


def _closing_instant(ends_at: datetime, late_days: int, zone: ZoneInfo) -> datetime:
    """The same local time so many days later; what ends as a day begins closes as a day begins (domain.md 3)."""
    local = ends_at.astimezone(zone)
    closes_on = local.date() + timedelta(days=late_days)
    if ends_at == _instant(local.date(), time(), zone):
        return _instant(closes_on, time(), zone)
    return _instant(closes_on, local.time(), zone)
