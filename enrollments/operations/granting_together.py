"""What many achievements give at once: the set-based twin of `settle` (domain.md 6)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from enrollments.decisions import chain_through
from enrollments.models import Participation, Progress, Stay
from enrollments.operations import recording_statements as sql
from enrollments.operations.recording_statements import array_of
from rewards.models import Grant, Reward
from rewards.queries import in_force
from targets.enums import TrackingType
from targets.models import Cycle, StreakLevel
from targets.queries import ended_while_inactive


@dataclass(slots=True)
class Achievement:
    """A cycle of a first run that has just been achieved, and is not paid at its end.

    The participation has its target and group. `grant_ids` is filled in by `give`.
    """

    participation: Participation
    cycle_id: int
    cycle_number: int
    stays: Sequence[Stay]
    grant_ids: list[int] = field(default_factory=list)

    @property
    def is_of_streak(self) -> bool:
        return self.participation.target.target_group.is_streak


Due = tuple[Achievement, Reward]


def give(achievements: Sequence[Achievement], at: datetime) -> None:
    """Give what is due at once, and say it to each; in a constant number of statements.

    The achievements of a participation come in the order in which they were reached, and are not saved yet; the caller
    holds its lock.
    """
    milestones = [each for each in achievements if not each.is_of_streak]
    streaks = [each for each in achievements if each.is_of_streak]
    due: list[Due] = [*(_of_milestones(milestones, at) if milestones else ())]
    due += _of_streaks(streaks, at) if streaks else ()
    if not due:
        return
    order = {id(each): place for place, each in enumerate(achievements)}
    due.sort(key=lambda each: order[id(each[0])])
    with connection.cursor() as cursor:
        cursor.execute(
            sql.GIVE,
            {
                "brand": due[0][0].participation.brand_id,
                "at": at,
                "customers": array_of(each.participation.customer_id for each, _ in due),
                "cycles": array_of(each.cycle_number for each, _ in due),
                "runs": array_of(1 for _ in due),
                "rewards": array_of(reward.pk for _, reward in due),
            },
        )
        given = {(customer, cycle, reward): pk for customer, cycle, reward, pk in cursor.fetchall()}
    for each, reward in due:
        each.grant_ids.append(given[each.participation.customer_id, each.cycle_number, reward.pk])


def _of_milestones(achievements: Sequence[Achievement], at: datetime) -> Iterator[Due]:
    """The cycle's own reward, else the target's; once for a cycle."""
    targets = {each.participation.target_id for each in achievements}
    promised: dict[tuple[int, int | None], Reward] = {
        (reward.target_id, reward.cycle_id): reward
        for reward in Reward.objects.filter(in_force(at), target__in=targets, level=None).order_by("pk")
    }
    names: dict[str, Any] = {
        "customers": [each.participation.customer_id for each in achievements],
        "targets": list(targets),
    }
    with connection.cursor() as cursor:
        cursor.execute(sql.PAID, names)
        paid = set(cursor.fetchall())
    for each in achievements:
        customer_id, target_id = each.participation.customer_id, each.participation.target_id
        reward = promised.get((target_id, each.cycle_id)) or promised.get((target_id, None))
        if reward is not None and (customer_id, target_id, each.cycle_number) not in paid:
            yield each, reward


def _of_streaks(achievements: Sequence[Achievement], at: datetime) -> Iterator[Due]:
    """Every level up to the length of the chain that contains the achieved cycle, once in a run."""
    customers = {each.participation.customer_id for each in achievements}
    targets = {each.participation.target_id for each in achievements}
    groups = {each.participation.target.target_group_id for each in achievements}
    achieved: dict[int, set[int]] = defaultdict(set)
    before = Progress.objects.filter(
        participation__in={each.participation.pk for each in achievements}, run_number=1, achieved_at__isnull=False
    )
    for participation_id, number in before.values_list("participation", "cycle_number"):
        achieved[participation_id].add(number)
    breaking: dict[int, list[int]] = defaultdict(list)
    ended = Cycle.objects.filter(target_group__in=groups, ends_at__lte=at).exclude(ended_while_inactive())
    ended = ended.exclude(target_group__tracking_type=TrackingType.NON_CONTINUOUS_STREAKS)
    for group_id, number in ended.values_list("target_group", "number"):
        breaking[group_id].append(number)
    granted = set(
        Grant.objects.filter(customer__in=customers, target__in=targets, run_number=1, level__isnull=False).values_list(
            "customer", "target", "level"
        )
    )
    levels: dict[int, list[StreakLevel]] = defaultdict(list)
    for level in StreakLevel.objects.filter(target_group__in=groups).order_by("target_count"):
        levels[level.target_group_id].append(level)
    promised = Reward.objects.filter(in_force(at), target__in=targets, level__isnull=False).order_by("pk")
    rewards = {(reward.target_id, reward.level_id): reward for reward in promised}

    for each in achievements:
        participation, target = each.participation, each.participation.target
        reached = achieved[participation.pk]
        reached.add(each.cycle_number)
        missed = {
            number
            for number in breaking[target.target_group_id]
            if number not in reached and any(stay.covers(number) for stay in each.stays)
        }
        count = chain_through(each.cycle_number, reached, missed)
        for level in levels[target.target_group_id]:
            key = (participation.customer_id, target.pk, level.pk)
            reward = rewards.get((target.pk, level.pk))
            if level.target_count <= count and reward is not None and key not in granted:
                granted.add(key)
                yield each, reward
