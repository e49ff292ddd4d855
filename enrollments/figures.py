"""A target in figures: how many are in each cycle, have achieved it, have forfeited its reward, are still owed it.

One statement for each table, however many cycles there are; each reads all enrolments of the target, as nothing keeps
such sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count

from rewards.models import Grant, Reward
from targets.enums import Allocation
from targets.models import Cycle, StreakLevel, Target, TargetValue

# A stay adds one to each cycle from its first on and takes one away from its end on: an empty one changes nothing.
STEPS = """
SELECT step.cycle_number, sum(step.change)
  FROM enrollments_participation participation
  JOIN enrollments_stay stay ON stay.participation_id = participation.id
 CROSS JOIN LATERAL (VALUES (stay.first_cycle, 1), (stay.end_cycle, -1)) AS step (cycle_number, change)
 WHERE participation.target_id = %(target)s AND step.cycle_number IS NOT NULL
 GROUP BY step.cycle_number
"""
# Who is a member of the cycle and has reached its value. Owed is what its close has yet to give.
ACHIEVED = """
SELECT progress.cycle_number, count(*),
       count(*) FILTER (
         WHERE target_value.allocation = 'PERIOD_END' AND given.id IS NULL
           AND CASE WHEN %(has_own_calendars)s THEN participation.closed_through < progress.cycle_number
                    ELSE cycle.paid_at IS NULL END)
  FROM enrollments_participation participation
  JOIN enrollments_stay stay ON stay.participation_id = participation.id
  JOIN enrollments_progress progress
    ON progress.participation_id = participation.id AND progress.run_number = stay.run_number
   AND progress.cycle_number >= stay.first_cycle
   AND (stay.end_cycle IS NULL OR progress.cycle_number < stay.end_cycle)
  JOIN targets_cycle cycle ON cycle.target_group_id = %(group)s AND cycle.number = progress.cycle_number
  JOIN targets_targetvalue target_value
    ON target_value.target_id = participation.target_id AND target_value.cycle_id = cycle.id
  LEFT JOIN rewards_grant given
    ON given.customer_id = participation.customer_id AND given.target_id = participation.target_id
   AND given.cycle_number = progress.cycle_number AND given.level_id IS NULL
 WHERE participation.target_id = %(target)s
   AND CASE target_value.allocation WHEN 'PERIOD_END' THEN progress.value >= target_value.value
            ELSE progress.achieved_at IS NOT NULL END
 GROUP BY progress.cycle_number
"""
# By a leave that was not taken back, of somebody who is not a member again: else the close pays him (domain.md 4).
FORFEITED = """
SELECT receipt.running_cycle, count(DISTINCT receipt.participation_id)
  FROM enrollments_participation participation
  JOIN enrollments_receipt receipt ON receipt.participation_id = participation.id
 WHERE participation.target_id = %(target)s
   AND receipt.kind = 'UNENROLLED' AND receipt.running_verdict = 'left_reward_forfeited'
   AND NOT EXISTS (SELECT FROM enrollments_receipt taking_back WHERE taking_back.undoes_id = receipt.id)
   AND NOT EXISTS (
     SELECT FROM enrollments_stay stay
      WHERE stay.participation_id = participation.id AND stay.first_cycle <= receipt.running_cycle
        AND (stay.end_cycle IS NULL OR stay.end_cycle > receipt.running_cycle))
 GROUP BY receipt.running_cycle
"""


@dataclass(frozen=True)
class CycleFigures:
    """One cycle of a target. `achieved` and `owed` are of its members; `granted` also of those who have left since.

    `reward` is what a member who achieves it is paid; None where nothing is promised, and then nothing is owed.
    """

    cycle: Cycle
    target_value: Decimal
    allocation: Allocation
    reward: Reward | None
    members: int
    achieved: int
    granted: int
    owed: int
    forfeited: int

    @property
    def achieved_share(self) -> Decimal | None:
        """Of its members, in per cent."""
        return share(self.achieved, self.members)

    @property
    def forfeited_share(self) -> Decimal | None:
        """Of all who had achieved it and were to be paid at its end, in per cent."""
        if self.allocation != Allocation.PERIOD_END:
            return None
        return share(self.forfeited, self.achieved + self.forfeited)

    @property
    def owed_value(self) -> Decimal | None:
        """In the unit of the reward; None where it has no value of its own."""
        return None if self.reward is None or self.reward.value is None else self.owed * self.reward.value


@dataclass(frozen=True)
class LevelFigures:
    level: StreakLevel
    granted: int


@dataclass(frozen=True)
class Figures:
    """`at`: when they were counted. Levels only of a streak."""

    target: Target
    at: datetime
    cycles: list[CycleFigures]
    levels: list[LevelFigures]

    @property
    def owed(self) -> int:
        return sum(each.owed for each in self.cycles)

    @property
    def granted(self) -> int:
        return sum(each.granted for each in self.cycles) + sum(each.granted for each in self.levels)

    @property
    def forfeited(self) -> int:
        return sum(each.forfeited for each in self.cycles)


def share(part: int, whole: int) -> Decimal | None:
    """Per cent with one place; None of nothing."""
    return (Decimal(100 * part) / whole).quantize(Decimal("0.1")) if whole else None


def figures(target: Target, at: datetime) -> Figures:
    """`target` with its group. What is promised is what is in force at `at`, of a closed cycle when it was closed."""
    values = TargetValue.objects.filter(target=target).select_related("cycle").order_by("cycle__number")
    rewards = list(Reward.objects.filter(target=target, level=None))
    members, steps = 0, _steps(target)
    achieved = _achieved(target)
    forfeited = dict(_rows(FORFEITED, target))
    granted = Grant.objects.filter(target=target, level=None).values_list("cycle_number").annotate(Count("pk"))
    granted_in = dict(granted.order_by("cycle_number"))
    cycles = []
    for each in values:
        number = each.cycle.number
        members += steps.get(number, 0)
        reached, owed = achieved.get(number, (0, 0))
        reward = promised(rewards, each.cycle, each.cycle.closed_at or at)
        cycles.append(
            CycleFigures(
                cycle=each.cycle,
                target_value=each.value,
                allocation=Allocation(each.allocation),
                reward=reward,
                members=members,
                achieved=reached,
                granted=granted_in.get(number, 0),
                owed=owed if reward else 0,
                forfeited=forfeited.get(number, 0),
            )
        )
    return Figures(target, at, cycles, _levels(target))


def promised(rewards: Sequence[Reward], cycle: Cycle, at: datetime) -> Reward | None:
    """Of a target's rewards what the cycle pays: `rewards.queries.promised_reward`, of rows at hand."""
    in_force = [
        each
        for each in rewards
        if each.cycle_id in (None, cycle.pk)
        and (each.is_from_start or each.created_at <= at)
        and (each.retired_at is None or each.retired_at > at)
    ]
    return max(in_force, key=lambda each: (each.cycle_id is not None, each.pk), default=None)


def _steps(target: Target) -> dict[int, int]:
    return {number: int(change) for number, change in _rows(STEPS, target)}


def _achieved(target: Target) -> dict[int, tuple[int, int]]:
    """By cycle: how many, and how many of them are owed a reward if one is promised."""
    return {number: (reached, owed) for number, reached, owed in _rows(ACHIEVED, target)}


def _levels(target: Target) -> list[LevelFigures]:
    if not target.target_group.is_streak:
        return []
    given = Grant.objects.filter(target=target, level__isnull=False).values_list("level").annotate(Count("pk"))
    granted = dict(given.order_by("level"))
    levels = StreakLevel.objects.filter(target_group=target.target_group_id).order_by("target_count")
    return [LevelFigures(level, granted.get(level.pk, 0)) for level in levels]


def _rows(statement: str, target: Target) -> list[Any]:
    group = target.target_group
    names = {"target": target.pk, "group": group.pk, "has_own_calendars": group.has_own_calendars}
    with connection.cursor() as cursor:
        cursor.execute(statement, names)
        return cursor.fetchall()
