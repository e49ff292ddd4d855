"""A target in figures: how many are in each cycle, have achieved it, have forfeited its reward, are still owed it.

Counting reads everything of the target, some 70 microseconds for each enrolment. A page counts up to
`MOST_COUNTED_AT_ONCE`; of larger targets it shows what `count_figures` has counted last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from enrollments.models import CountedTarget, Participation
from rewards.models import Reward
from rewards.queries import promised_of
from targets.enums import Allocation
from targets.models import Cycle, StreakLevel, Target, TargetValue

Row = tuple[str, int, int, int]

MOST_COUNTED_AT_ONCE = 20_000  # enrolments: one second or two

# Customer by customer, each by indexes (OFFSET keeps the planner from reading whole tables instead), and once for all:
#
# - members: a stay adds one to each cycle from its first on and takes one away from its end on;
# - achieved: members who have reached the value, and how many of them the close has yet to pay;
# - forfeited: by the last of the leaves that left the cycle, unless he is a member again: else the close pays him.
COUNT = """
WITH membership AS MATERIALIZED (
  SELECT participation.id, participation.customer_id, participation.closed_through, stay.*
    FROM enrollments_participation participation
   CROSS JOIN LATERAL (
     SELECT each.id AS stay_id, each.run_number, each.first_cycle, each.end_cycle, each.leave_receipt_id
       FROM enrollments_stay each WHERE each.participation_id = participation.id OFFSET 0) stay
   WHERE participation.target_id = %(target)s
), progressed AS MATERIALIZED (
  SELECT membership.*, progress.cycle_number, progress.value, progress.achieved_at
    FROM membership
   CROSS JOIN LATERAL (
     SELECT each.cycle_number, each.value, each.achieved_at FROM enrollments_progress each
      WHERE each.participation_id = membership.id AND each.run_number = membership.run_number
        AND each.cycle_number >= membership.first_cycle
        AND (membership.end_cycle IS NULL OR each.cycle_number < membership.end_cycle) OFFSET 0) progress
), cycles AS MATERIALIZED (
  SELECT cycle.number, cycle.paid_at, target_value.value, target_value.allocation
    FROM targets_targetvalue target_value JOIN targets_cycle cycle ON cycle.id = target_value.cycle_id
   WHERE target_value.target_id = %(target)s
), achieved AS MATERIALIZED (
  SELECT progressed.customer_id, progressed.cycle_number,
         cycles.allocation = 'PERIOD_END' AND CASE WHEN %(has_own_calendars)s
           THEN progressed.closed_through < progressed.cycle_number ELSE cycles.paid_at IS NULL END AS is_unpaid
    FROM progressed JOIN cycles ON cycles.number = progressed.cycle_number
   WHERE CASE cycles.allocation WHEN 'PERIOD_END' THEN progressed.value >= cycles.value
              ELSE progressed.achieved_at IS NOT NULL END
)
SELECT 'members', step.cycle_number, sum(step.change), 0
  FROM membership
 CROSS JOIN LATERAL (VALUES (membership.first_cycle, 1), (membership.end_cycle, -1)) AS step (cycle_number, change)
 WHERE step.cycle_number IS NOT NULL
 GROUP BY step.cycle_number
UNION ALL
SELECT 'achieved', achieved.cycle_number, count(*),
       count(*) FILTER (WHERE achieved.is_unpaid AND NOT EXISTS (
         SELECT FROM rewards_grant given
          WHERE given.customer_id = achieved.customer_id AND given.target_id = %(target)s
            AND given.cycle_number = achieved.cycle_number AND given.level_id IS NULL OFFSET 0))
  FROM achieved
 GROUP BY achieved.cycle_number
UNION ALL
SELECT 'forfeited', receipt.running_cycle, count(*), 0
  FROM membership
 CROSS JOIN LATERAL (
   SELECT each.running_cycle FROM enrollments_receipt each
    WHERE each.id = membership.leave_receipt_id AND each.running_verdict = 'left_reward_forfeited' OFFSET 0) receipt
 WHERE NOT EXISTS (
     SELECT FROM enrollments_stay later
      WHERE later.participation_id = membership.id AND later.id > membership.stay_id
        AND later.first_cycle <= receipt.running_cycle OFFSET 0)
 GROUP BY receipt.running_cycle
UNION ALL
SELECT 'granted', given.cycle_number, count(*), 0
  FROM rewards_grant given WHERE given.target_id = %(target)s AND given.level_id IS NULL
 GROUP BY given.cycle_number
UNION ALL
SELECT 'levels', given.level_id, count(*), 0
  FROM rewards_grant given WHERE given.target_id = %(target)s AND given.level_id IS NOT NULL
 GROUP BY given.level_id
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


def figures(target: Target, at: datetime) -> Figures | None:
    """`target` with its group. Of a large target as it was when it was last counted; None where it never was."""
    if not is_large(target):
        return told(target, counted(target), at)
    stored = CountedTarget.objects.filter(target=target).first()
    return None if stored is None else told(target, stored.counts, stored.counted_at)


def is_large(target: Target) -> bool:
    """Whether it has more enrolments than a page may count."""
    enrolments = Participation.objects.filter(target=target).order_by()
    return enrolments[MOST_COUNTED_AT_ONCE:].exists()


def counted(target: Target) -> list[Row]:
    """Everything there is to count: what, of which cycle (or level), how many, and how many of them are unpaid."""
    names = {"target": target.pk, "has_own_calendars": target.target_group.has_own_calendars}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")  # it takes as long as counting ten thousand
        cursor.execute(COUNT, names)
        return [(what, number, int(count), unpaid) for what, number, count, unpaid in cursor.fetchall()]


def told(target: Target, counts: Iterable[Sequence[Any]], at: datetime) -> Figures:
    """The counts with calendar and rewards: what is promised at `at`, of a closed cycle what was when it was closed."""
    found = {(what, number): (count, unpaid) for what, number, count, unpaid in counts}

    def count(what: str, number: int) -> int:
        return found.get((what, number), (0, 0))[0]

    rewards = list(Reward.objects.filter(target=target, level=None))
    members, cycles = 0, []
    for each in TargetValue.objects.filter(target=target).select_related("cycle").order_by("cycle__number"):
        number = each.cycle.number
        members += count("members", number)
        reward = promised_of(rewards, each.cycle.pk, each.cycle.closed_at or at)
        cycles.append(
            CycleFigures(
                cycle=each.cycle,
                target_value=each.value,
                allocation=Allocation(each.allocation),
                reward=reward,
                members=members,
                achieved=count("achieved", number),
                granted=count("granted", number),
                owed=found.get(("achieved", number), (0, 0))[1] if reward else 0,
                forfeited=count("forfeited", number),
            )
        )
    levels = StreakLevel.objects.filter(target_group=target.target_group_id).order_by("target_count")
    return Figures(target, at, cycles, [LevelFigures(level, count("levels", level.pk)) for level in levels])
