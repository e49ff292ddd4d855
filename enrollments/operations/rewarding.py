"""Changing what is promised while a programme runs: later grants only (domain.md 6 and 7)."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from enrollments.locks import bar_calendar
from enrollments.models import Participation
from rewards.enums import RewardKind
from rewards.models import Grant, Reward
from rewards.operations import RewardData, new_reward, refuse_wrong_reward
from rewards.wording import given_in_detail
from targets.errors import ChangedMeanwhile, ImpossibleCombination, InvalidInput, StaleInstant
from targets.models import Cycle, StreakLevel, Target, TargetGroup
from targets.operations import Author, Change, record_change


def change_reward(
    *,
    target: Target,
    reward: RewardData | None,
    at: datetime,
    by: str,
    level: StreakLevel | None = None,
    cycle: Cycle | None = None,
    source: str = "",
    request_id: str = "",
    expected_version: int | None = None,
) -> Reward | None:
    """From `at` on `target` pays `reward`, or nothing, for reaching `level`, in `cycle`, or else in each cycle that has
    no reward of its own. Answers what is in force now.

    What was given stays as it was given, and what was achieved before is not paid again. A cycle that has closed pays
    what was promised when it closed. Waits for everybody who counts or closes in the group, so each of them was before
    or after. It is put on record as a change of the programme; what is promised already changes nothing.
    Raises `InvalidInput`, `ImpossibleCombination`; `ChangedMeanwhile` where the programme is not at `expected_version`
    any more; `StaleInstant` if somebody was active, a cycle was closed or the reward was changed after `at`.
    """
    with transaction.atomic():
        bar_calendar(target.target_group_id)
        group = TargetGroup.objects.select_for_update(of=("self",), no_key=True).get(pk=target.target_group_id)
        if expected_version not in (None, group.version):
            raise ChangedMeanwhile()
        change = preview_reward(target=target, reward=reward, level=level, cycle=cycle)
        rewards = Reward.objects.filter(target=target, level=level, cycle=cycle)
        before = rewards.filter(retired_at=None).first()
        if change is None:
            return before
        _refuse_stale(target, at)
        if rewards.filter(Q(created_at__gt=at) | Q(retired_at__gt=at)).exists():
            raise StaleInstant(at)
        if before is not None:
            Reward.objects.filter(pk=before.pk).update(retired_at=at, retired_by=by)
        record_change(group, [change], Author(at, by, source, request_id))
        if reward is None:
            return None
        is_from_start = not Participation.objects.filter(target=target).exists()
        made = new_reward(reward, target=target, level=level, cycle=cycle, at=at, by=by, is_from_start=is_from_start)
        made.save()
        return made


def preview_reward(
    *, target: Target, reward: RewardData | None, level: StreakLevel | None = None, cycle: Cycle | None = None
) -> Change | None:
    """What `change_reward` would change, nothing written and nobody kept waiting; None where that is promised already.

    Raises what that raises, but for what only whoever waits finds out.
    """
    _refuse_impossible(target, level, cycle)
    if reward is not None:
        refuse_wrong_reward(reward, "reward")
    if cycle is not None and Cycle.objects.filter(pk=cycle.pk, closed_at__isnull=False).exists():
        raise InvalidInput(f"Period {cycle.ref_code!r} has closed: it pays nothing more.", field="cycle")
    before = promised(target, level, cycle)
    return None if before == reward else _change(target, level, cycle, before, reward)


def promised(target: Target, level: StreakLevel | None = None, cycle: Cycle | None = None) -> RewardData | None:
    """What is promised now for just this."""
    now = Reward.objects.filter(target=target, level=level, cycle=cycle, retired_at=None).first()
    return None if now is None else RewardData(now.name, RewardKind(now.kind), now.value, now.payload)


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


def _change(
    target: Target, level: StreakLevel | None, cycle: Cycle | None, before: RewardData | None, after: RewardData | None
) -> Change:
    what = f"reward of {target.name}"
    if cycle is not None:
        what = f"own reward of {target.name} in {cycle.ref_code}"  # without it the cycle gives what the target gives
    elif level is not None:
        what = f"{what} at level {level.name}"
    return Change(what, given_in_detail(before, None), given_in_detail(after, before))


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
