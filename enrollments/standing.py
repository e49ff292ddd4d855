"""Where customers stand now: every cycle and level of a participation, for the reading calls and the admin.

A receipt is as of its instant (receipts.py); a standing is as of `at`. The number of statements does not depend on
how many participations, cycles or stays there are.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F, prefetch_related_objects

from enrollments.calendars import filled, own_calendar
from enrollments.decisions import shown_count
from enrollments.enums import LevelVerdict, Verdict
from enrollments.models import Participation, Progress, Receipt, Stay
from enrollments.queries import out_since
from enrollments.receipts import grouped
from rewards.models import Grant
from targets.enums import Allocation, TrackingType
from targets.models import Cycle, StreakLevel, TargetGroup, TargetValue
from targets.queries import ended_while_inactive


@dataclass(frozen=True)
class CycleStanding:
    """One cycle: what it is to him now. `stay` covers it, or is the one by which he left it."""

    cycle: Cycle
    verdict: Verdict
    stay: Stay | None
    progress: Progress | None
    target_value: Decimal
    allocation: Allocation
    grant: Grant | None

    @property
    def value(self) -> Decimal:
        return self.progress.value if self.progress else Decimal(0)

    @property
    def achieved_at(self) -> datetime | None:
        return self.progress.achieved_at if self.progress else None


@dataclass(frozen=True)
class LevelStanding:
    """One level in the current run. `achieved_at` is empty until the chain has been long enough."""

    level: StreakLevel
    verdict: LevelVerdict
    achieved_at: datetime | None
    achieved_by: Progress | None
    grant: Grant | None


@dataclass(frozen=True)
class Standing:
    """A participation as it stands. `leaves_at_end_of` is the cycle after which a scheduled leave takes effect.

    `left_at` says for each stay, by its id, from when on he is out, and `leaves` has the receipt of that leave.
    `broken_by` is the last cycle that broke the streak.
    """

    participation: Participation
    is_enrolled: bool
    leaves_at_end_of: Cycle | None
    stays: list[Stay]
    left_at: dict[int, datetime | None]
    leaves: dict[int, Receipt]
    streak_count: int
    broken_by: Cycle | None
    cycles: list[CycleStanding]
    levels: list[LevelStanding]
    grants: list[Grant]


def standings(participations: Sequence[Participation], at: datetime) -> list[Standing]:
    """In their order. Leaves `customer` and `target.target_group` of each participation loaded."""
    prefetch_related_objects(participations, "customer", "target__target_group")
    return _Loader(participations, at).standings()


class _Loader:
    """What the standings need, one statement for each table."""

    def __init__(self, participations: Sequence[Participation], at: datetime) -> None:
        self.participations = participations
        self.at = at
        ids = {each.pk for each in participations}
        targets = {each.target_id for each in participations}
        groups = {each.target.target_group_id for each in participations}
        self.cycles = grouped(Cycle.objects.filter(target_group__in=groups).order_by("number"), "target_group_id")
        self.excused = ended_inactive({each.target.target_group for each in participations})
        self.levels = grouped(
            StreakLevel.objects.filter(target_group__in=groups).order_by("target_count"), "target_group_id"
        )
        self.target_values = {
            (each.target_id, each.cycle_id): each for each in TargetValue.objects.filter(target__in=targets)
        }
        self.stays = grouped(Stay.objects.filter(participation__in=ids).order_by("pk"), "participation_id")
        self.progress = grouped(Progress.objects.filter(participation__in=ids), "participation_id")
        self.grants = grouped(
            Grant.objects.filter(target__in=targets, customer__in={each.customer_id for each in participations})
            .select_related("customer", "level")
            .order_by("pk"),
            "target_id",
        )
        # Of the leaves in force: what became of the cycle that was running then.
        self.receipts = {
            each.pk: each for each in Receipt.objects.filter(participation__in=ids, stay__leave_receipt=F("pk"))
        }

    def standings(self) -> list[Standing]:
        return [self._standing(each) for each in self.participations]

    def _standing(self, participation: Participation) -> Standing:
        target = participation.target
        cycles = self._cycles(participation)
        stays = self.stays[participation.pk]
        ends = {cycle.number: cycle.ends_at for cycle in cycles}
        left_at = {stay.pk: out_since(stay, ends) for stay in stays}
        last = stays[-1] if stays else None
        out = left_at[last.pk] if last else None
        is_enrolled = last is not None and last.left_at is None and (out is None or self.at < out)
        scheduled = last.leaves_after if last and is_enrolled else None
        grants = [each for each in self.grants[target.pk] if each.customer_id == participation.customer_id]
        progress = {(each.run_number, each.cycle_number): each for each in self.progress[participation.pk]}
        by_cycle = {grant.cycle_number: grant for grant in grants if grant.level_id is None}
        lines = [self._cycle(participation, cycle, stays, progress, by_cycle.get(cycle.number)) for cycle in cycles]
        streak_count, broken_by, levels = self._streak(participation, cycles, stays, progress, grants)
        return Standing(
            participation=participation,
            is_enrolled=is_enrolled,
            leaves_at_end_of=next((cycle for cycle in cycles if cycle.number == scheduled), None),
            stays=stays,
            left_at=left_at,
            leaves={stay.pk: self.receipts[stay.leave_receipt_id] for stay in stays if stay.leave_receipt_id},
            cycles=lines,
            grants=grants,
            streak_count=streak_count,
            broken_by=broken_by,
            levels=levels,
        )

    def _cycles(self, participation: Participation) -> list[Cycle]:
        """With his own instants, if he has a calendar of his own."""
        group = participation.target.target_group
        cycles = self.cycles[group.pk]
        if not group.has_own_calendars:
            return cycles
        achieved_at = {
            each.cycle_number: each.achieved_at for each in self.progress[participation.pk] if each.achieved_at
        }
        calendar = own_calendar(group, participation, achieved_at)
        return [filled(cycle, calendar) for cycle in cycles]

    def _cycle(
        self,
        participation: Participation,
        cycle: Cycle,
        stays: list[Stay],
        progress: dict[tuple[int, int], Progress],
        grant: Grant | None,
    ) -> CycleStanding:
        covering = next((stay for stay in stays if stay.covers(cycle.number)), None)
        # Left by the latest leave that he had joined before or in it.
        leaving = next((stay for stay in reversed(stays) if stay.end_cycle and stay.end_cycle <= cycle.number), None)
        stay = covering or leaving
        target_value = self.target_values[participation.target_id, cycle.pk]
        if covering is not None:
            verdict = Verdict.KEPT if cycle.has_ended(self.at) else Verdict.MEMBER
        elif leaving is None:
            verdict = Verdict.NOT_MEMBER
        elif grant is not None:
            verdict = Verdict.LEFT_REWARD_KEPT
        else:
            verdict = self._left(cycle, leaving)
        return CycleStanding(
            cycle=cycle,
            verdict=verdict,
            stay=stay,
            progress=progress.get((stay.run_number, cycle.number)) if stay else None,
            target_value=target_value.value,
            allocation=Allocation(target_value.allocation),
            grant=grant,
        )

    def _left(self, cycle: Cycle, leaving: Stay) -> Verdict:
        """Forfeited if it was the running cycle of the leave in force, and that forfeited it; others are just left."""
        receipt = self.receipts[leaving.leave_receipt_id or 0]
        is_forfeited = (
            receipt.running_verdict == Verdict.LEFT_REWARD_FORFEITED and receipt.running_cycle == cycle.number
        )
        return Verdict.LEFT_REWARD_FORFEITED if is_forfeited else Verdict.LEFT

    def _streak(
        self,
        participation: Participation,
        cycles: list[Cycle],
        stays: list[Stay],
        progress: dict[tuple[int, int], Progress],
        grants: list[Grant],
    ) -> tuple[int, Cycle | None, list[LevelStanding]]:
        """The count shown, the last cycle that broke it, and the levels of the current run."""
        group = participation.target.target_group
        if not group.is_streak:
            return 0, None, []
        run = participation.run_number
        achieved = {number: each for (of_run, number), each in progress.items() if of_run == run and each.achieved_at}
        missed: set[int] = set()
        if group.tracking_type != TrackingType.NON_CONTINUOUS_STREAKS:
            missed = {
                cycle.number
                for cycle in cycles
                if cycle.has_ended(self.at)
                and cycle.number not in achieved
                and cycle.pk not in self.excused
                and any(stay.run_number == run and stay.covers(cycle.number) for stay in stays)
            }
        by_level = {grant.level_id: grant for grant in grants if grant.level_id and grant.run_number == run}
        chains = _chains(achieved, missed)
        levels = [_level(level, by_level.get(level.pk), achieved, chains) for level in self.levels[group.pk]]
        broken_by = next((cycle for cycle in reversed(cycles) if cycle.number in missed), None)
        return shown_count(achieved, missed), broken_by, levels


def ended_inactive(groups: set[TargetGroup]) -> set[int]:
    """The ids of the cycles of streaks that ended while their group was inactive. No statement for milestones."""
    streaks = [group.pk for group in groups if group.is_streak]
    return set(Cycle.objects.filter(ended_while_inactive(), target_group__in=streaks).values_list("pk", flat=True))


def _level(
    level: StreakLevel, grant: Grant | None, achieved: dict[int, Progress], chains: list[list[Progress]]
) -> LevelStanding:
    """Reached in the cycle that its grant names; without a grant in the one that first made a chain long enough."""
    count = level.target_count
    reaching = [chain[count - 1] for chain in chains if len(chain) >= count]
    by = achieved.get(grant.cycle_number) if grant else min(reaching, key=_order_of_achievement, default=None)
    return LevelStanding(
        level=level,
        verdict=LevelVerdict.KEPT if grant else LevelVerdict.NOT_REACHED,
        achieved_at=grant.achieved_at if grant else by.achieved_at if by else None,
        achieved_by=by,
        grant=grant,
    )


def _chains(achieved: dict[int, Progress], missed: set[int]) -> list[list[Progress]]:
    """Each unbroken chain, in the order in which its cycles were achieved: the n-th made it n long."""
    chains: dict[int, list[Progress]] = defaultdict(list)
    for number, each in achieved.items():
        broken_before = max((other for other in missed if other < number), default=0)
        chains[broken_before].append(each)
    return [sorted(chain, key=_order_of_achievement) for chain in chains.values()]


def _order_of_achievement(progress: Progress) -> tuple[datetime, int]:
    assert progress.achieved_at is not None  # noqa: S101 - tells the type: only achieved ones come here
    return progress.achieved_at, progress.cycle_number
