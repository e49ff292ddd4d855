"""Achievements and the grants that follow at once, in the transaction of what achieved them."""

from datetime import datetime

from enrollments.decisions import chain_through
from enrollments.models import Participation, Progress, Stay
from enrollments.queries import streak
from rewards.models import Grant, Reward
from rewards.queries import in_force, promised_reward
from targets.enums import Allocation
from targets.models import StreakLevel, Target, TargetValue


def settle(
    *,
    participation: Participation,
    target: Target,
    progress: Progress,
    target_value: TargetValue,
    stays: list[Stay],
    at: datetime,
) -> list[Grant]:
    """Judge the value of `progress` (domain.md 6), save it, and give what is due at once.

    `target_value` is that of the cycle of `progress`. An IMMEDIATE achievement is final. A PERIOD_END one follows the
    value until the cycle closes. Returns the grants given now. The caller holds the lock of the participation.
    """
    is_due = judge(progress, target_value, at)
    progress.save()
    if not is_due:
        return []
    if target.target_group.is_streak:
        return _grant_levels(participation, target, progress, stays, at)
    reward = promised_reward(target, target_value.cycle_id, at)
    already = Grant.objects.filter(
        customer=participation.customer_id, target=target, cycle_number=progress.cycle_number, level=None
    ).exists()
    return [] if reward is None or already else [_grant(participation, target, progress, reward, None, at)]


def judge(progress: Progress, target_value: TargetValue, at: datetime) -> bool:
    """Set when it was achieved, as the value says; whether that is new, and something may be due at once."""
    newly_achieved = progress.achieved_at is None and progress.value >= target_value.value
    if newly_achieved:
        progress.achieved_at = at
    elif target_value.allocation == Allocation.PERIOD_END and progress.value < target_value.value:
        progress.achieved_at = None
    return newly_achieved and target_value.allocation != Allocation.PERIOD_END


def _grant_levels(
    participation: Participation, target: Target, progress: Progress, stays: list[Stay], at: datetime
) -> list[Grant]:
    """Every level up to the length of the chain that contains the achieved cycle, once in a run."""
    state = streak(participation, target, progress.run_number, at, stays)
    count = chain_through(progress.cycle_number, state.achieved, state.missed)
    granted = Grant.objects.filter(
        customer=participation.customer_id, target=target, run_number=progress.run_number, level__isnull=False
    ).values("level")
    levels = StreakLevel.objects.filter(target_group=target.target_group_id, target_count__lte=count)
    promised = Reward.objects.filter(in_force(at), target=target, level__isnull=False).order_by("pk")
    rewards = {reward.level_id: reward for reward in promised}
    return [
        _grant(participation, target, progress, rewards[level.pk], level, at)
        for level in levels.exclude(pk__in=granted).order_by("target_count")
        if level.pk in rewards
    ]


def _grant(
    participation: Participation,
    target: Target,
    progress: Progress,
    reward: Reward,
    level: StreakLevel | None,
    at: datetime,
) -> Grant:
    return Grant.objects.create(
        brand_id=participation.brand_id,
        customer_id=participation.customer_id,
        target=target,
        cycle_number=progress.cycle_number,
        run_number=progress.run_number,
        level=level,
        allocation=Allocation.IMMEDIATE,
        reward=reward,
        reward_name=reward.name,
        reward_kind=reward.kind,
        reward_value=reward.value,
        reward_payload=reward.payload,
        achieved_at=progress.achieved_at or at,
        granted_at=at,
    )
