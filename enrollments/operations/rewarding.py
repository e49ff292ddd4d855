"""Changing what is promised while a programme runs: later grants only (domain.md 6 and 7)."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from enrollments.locks import bar_calendar
from enrollments.models import Participation
from rewards.enums import RewardKind
from rewards.models import Grant, Reward
from rewards.operations import RewardData, new_reward, refuse_wrong_reward
from targets.errors import ImpossibleCombination, InvalidInput, StaleInstant
from targets.models import Cycle, StreakLevel, Target


def change_reward(
    *,
    target: Target,
    reward: RewardData | None,
    at: datetime,
    by: str,
    level: StreakLevel | None = None,
    cycle: Cycle | None = None,
) -> Reward | None:
    """From `at` on `target` pays `reward`, or nothing, for reaching `level`, in `cycle`, or else in each cycle that has
    no reward of its own. Answers what is in force now.

    What was given stays as it was given, and what was achieved before is not paid again. A cycle that has closed pays
    what was promised when it closed. Waits for everybody who counts or closes in the group, so each of them was before
    or after. What is promised already changes nothing.
    Raises `InvalidInput`, `ImpossibleCombination`; `StaleInstant` if somebody was active, a cycle was closed or the
    reward was changed after `at`.
    """
    _refuse_impossible(target, level, cycle)
    if reward is not None:
        refuse_wrong_reward(reward, "reward")
    with transaction.atomic():
        bar_calendar(target.target_group_id)
        if cycle is not None and Cycle.objects.filter(pk=cycle.pk, closed_at__isnull=False).exists():
            raise InvalidInput(f"Period {cycle.ref_code!r} has closed: it pays nothing more.", field="cycle")
        rewards = Reward.objects.filter(target=target, level=level, cycle=cycle)
        before = rewards.filter(retired_at=None).first()
        if _is_promised(before, reward):
            return before
        _refuse_stale(target, at)
        if rewards.filter(Q(created_at__gt=at) | Q(retired_at__gt=at)).exists():
            raise StaleInstant(at)
        if before is not None:
            Reward.objects.filter(pk=before.pk).update(retired_at=at, retired_by=by)
        if reward is None:
            return None
        is_from_start = not Participation.objects.filter(target=target).exists()
        made = new_reward(reward, target=target, level=level, cycle=cycle, at=at, by=by, is_from_start=is_from_start)
        made.save()
        return made


def _refuse_impossible(target: Target, level: StreakLevel | None, cycle: Cycle | None) -> None:
    if level is not None and level.target_group_id != target.target_group_id:
        raise InvalidInput("The level is not one of this target's group.", field="level")
    if cycle is not None and cycle.target_group_id != target.target_group_id:
        raise InvalidInput("The period is not one of this target's group.", field="cycle")
    if target.target_group.is_streak and (level is None or cycle is not None):
        raise ImpossibleCombination(
            "A streak rewards its levels, not its periods: give the reward to a level.",
            field="level" if cycle is None else "cycle",
        )


def _is_promised(before: Reward | None, reward: RewardData | None) -> bool:
    if before is None or reward is None:
        return before is None and reward is None
    return RewardData(before.name, RewardKind(before.kind), before.value, before.payload) == reward


def _refuse_stale(target: Target, at: datetime) -> None:
    """Whoever has achieved something after `at` was paid by what is to be retired at `at`.

    So was the close that is still paying: it asks for what was in force when it began, which must not change at that
    very instant. Whoever comes after this transaction with an earlier instant is paid what was promised then.
    """
    closing = Q(closed_at__gt=at) | Q(closed_at=at, paid_at=None)
    if (
        Participation.objects.filter(target=target, changed_at__gt=at).exists()
        or Cycle.objects.filter(closing, target_group=target.target_group_id).exists()
        # A cycle of somebody's own calendar leaves no other trace of when it was closed.
        or (target.target_group.has_own_calendars and Grant.objects.filter(target=target, granted_at__gt=at).exists())
    ):
        raise StaleInstant(at)
