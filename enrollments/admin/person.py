"""What the page of a customer shows: his programmes as strips of cycles with “why?”, and where their pages are."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from enrollments.admin.deeds import Deeds
from enrollments.admin.states import state, with_last_stay
from enrollments.admin.strips import around_now
from enrollments.enums import CycleStatus
from enrollments.models import Participation, Run
from enrollments.standing import CycleStanding, LevelStanding, Standing, standings
from enrollments.why import Known, Why, cycle_status, known_of, why_cycle, why_level
from rewards.models import Grant
from targets.clock import brand_now
from targets.models import Customer
from targets.queries import as_id

PROGRAMMES_AT_ONCE = 10
MOST_PROGRAMMES = 1_000

# Beside the colour and the words: told apart also where neither is seen.
SIGNS = {
    CycleStatus.ACHIEVED: "✓",
    CycleStatus.REACHED: "◔",
    CycleStatus.NOT_ACHIEVED: "–",
    CycleStatus.RUNNING: "▸",
    CycleStatus.TO_COME: "·",
    CycleStatus.FORFEITED: "✕",
    CycleStatus.LEFT: "↩",
    CycleStatus.NOT_MEMBER: "○",
}


@dataclass(frozen=True)
class CycleBox:
    """One cycle of a strip."""

    line: CycleStanding
    status: CycleStatus
    is_running: bool
    why: Why

    @property
    def sign(self) -> str:
        return SIGNS[self.status]


@dataclass(frozen=True)
class RunLine:
    """One run of a streak, and what it paid."""

    run: Run
    grants: list[Grant]


@dataclass(frozen=True)
class Programme:
    """An enrolment with the cycles around now. `others`: how many more cycles its own page has."""

    participation: Participation
    state: str
    deeds: Deeds
    standing: Standing
    cycles: list[CycleBox]
    others: int
    levels: list[tuple[LevelStanding, Why]]
    runs: list[RunLine]

    @property
    def zone(self) -> str:
        return self.participation.target.target_group.time_zone

    @property
    def running(self) -> list[CycleBox]:
        return [box for box in self.cycles if box.is_running]


@dataclass(frozen=True)
class Programmes:
    """A page of them. `is_cut`: there are more than were looked at."""

    shown: list[Programme]
    page: int
    pages: int
    count: int
    is_cut: bool

    @property
    def legend(self) -> list[tuple[CycleStatus, str]]:
        return list(SIGNS.items())


def programmes_of(customer: Customer, page: str, deeds_of: Callable[[Standing, datetime], Deeds]) -> Programmes:
    """Those he is enrolled in first, each kind newest first. `page`: its number, as it was asked for."""
    at = brand_now(customer.brand)
    rows = Participation.objects.filter(customer=customer).select_related("target__target_group").order_by("-pk")
    found: list[Any] = list(with_last_stay(rows)[: MOST_PROGRAMMES + 1])
    kept = found[:MOST_PROGRAMMES]
    for each in kept:
        each.customer, each.brand = customer, customer.brand
    kept.sort(key=lambda each: each.out_at is not None and each.out_at <= at)
    pages = max(1, -(-len(kept) // PROGRAMMES_AT_ONCE))
    number = min(as_id(page) or 1, pages)
    shown = kept[(number - 1) * PROGRAMMES_AT_ONCE : number * PROGRAMMES_AT_ONCE]
    return Programmes(_programmes(shown, at, deeds_of), number, pages, len(kept), is_cut=len(found) > MOST_PROGRAMMES)


def _programmes(
    participations: Sequence[Participation], at: datetime, deeds_of: Callable[[Standing, datetime], Deeds]
) -> list[Programme]:
    found = standings(participations, at)
    runs: dict[int, list[Run]] = defaultdict(list)
    for run in Run.objects.filter(participation__in=[each.pk for each in participations]).order_by("-number"):
        runs[run.participation_id].append(run)
    return [
        _programme(standing, known, runs[standing.participation.pk], deeds_of(standing, at))
        for standing, known in zip(found, known_of(found, at), strict=True)
    ]


def _programme(standing: Standing, known: Known, runs: list[Run], deeds: Deeds) -> Programme:
    lines = around_now(standing.cycles, known.at)
    is_streak = standing.participation.target.target_group.is_streak
    return Programme(
        participation=standing.participation,
        state=state(standing.participation),
        deeds=deeds,
        standing=standing,
        cycles=cycle_boxes(standing, lines, known),
        others=len(standing.cycles) - len(lines),
        levels=[(line, why_level(standing, line)) for line in standing.levels],
        runs=[_run_line(standing, run) for run in runs] if is_streak else [],
    )


def cycle_boxes(standing: Standing, lines: Sequence[CycleStanding], known: Known) -> list[CycleBox]:
    return [
        CycleBox(line, cycle_status(line, known.at), line.cycle.is_running(known.at), why_cycle(standing, line, known))
        for line in lines
    ]


def whys_of(standing: Standing, at: datetime) -> tuple[list[CycleBox], list[tuple[LevelStanding, Why]]]:
    """Every cycle and level of one enrolment."""
    (known,) = known_of([standing], at)
    levels = [(line, why_level(standing, line)) for line in standing.levels]
    return cycle_boxes(standing, standing.cycles, known), levels


def _run_line(standing: Standing, run: Run) -> RunLine:
    return RunLine(run, [grant for grant in standing.grants if grant.level_id and grant.run_number == run.number])
