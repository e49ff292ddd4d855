"""Defining programmes together with what they give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from rewards.enums import RewardKind
from rewards.models import Reward
from targets.enums import TrackingType
from targets.errors import ImpossibleCombination, InvalidInput
from targets.exact_json import ExactJSONEncoder
from targets.fields import THREE_PLACES
from targets.models import MAX_VALUE, Brand, Cycle, StreakLevel, Target
from targets.operations import GroupData, Programme, create_target_group, refuse_target_group

LONGEST_NAME = 200
LONGEST_PAYLOAD = 10_000  # characters of JSON: each grant keeps a copy


@dataclass(frozen=True)
class RewardData:
    """What is promised; `value` is in units of the kind (points, for example)."""

    name: str
    kind: RewardKind
    value: Decimal | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PeriodReward:
    """What a target pays in the cycle of this name, instead of its own reward."""

    ref_code: str
    reward: RewardData


@dataclass(frozen=True)
class _Promise:
    """Of one thing that pays: a level, a cycle, or each cycle of the target that has no reward of its own."""

    target: Target
    reward: RewardData
    level: StreakLevel | None = None
    cycle: Cycle | None = None


def define_programme(
    *,
    brand: Brand,
    group: GroupData,
    rewards: Sequence[RewardData | None],
    level_rewards: Sequence[RewardData | None],
    at: datetime,
    by: str,
    period_rewards: Sequence[Sequence[PeriodReward]] = (),
    source: str = "",
    request_id: str = "",
) -> Programme:
    """Make a target group and its rewards: `rewards` and, if given, `period_rewards` one item for each target,
    `level_rewards` one for each level.

    A level's reward is promised for each target of the group. Raises what `create_target_group` raises,
    `InvalidInput` for a reward that cannot be, and `ImpossibleCombination` for a reward per period of a streak; then
    nothing is made.
    """
    of_periods = period_rewards or [()] * len(group.targets)
    _refuse_wrong_rewards(group, rewards, of_periods, level_rewards)
    with transaction.atomic():
        programme = create_target_group(brand=brand, data=group, at=at, by=by, source=source, request_id=request_id)
        cycles = {cycle.ref_code: cycle for cycle in programme.cycles}
        promises = [
            _Promise(target, reward)
            for target, reward in zip(programme.targets, rewards, strict=True)
            if reward is not None
        ]
        promises += [
            _Promise(target, each.reward, cycle=cycles[each.ref_code])
            for target, own in zip(programme.targets, of_periods, strict=True)
            for each in own
        ]
        promises += [
            _Promise(target, reward, level=level)
            for level, reward in zip(programme.levels, level_rewards, strict=True)
            for target in programme.targets
            if reward is not None
        ]
        Reward.objects.bulk_create(
            new_reward(each.reward, target=each.target, level=each.level, cycle=each.cycle, at=at, by=by)
            for each in promises
        )
        return programme


def refuse_programme(
    *,
    brand: Brand,
    group: GroupData,
    rewards: Sequence[RewardData | None],
    level_rewards: Sequence[RewardData | None],
    at: datetime,
) -> None:
    """Raise what `define_programme` would raise at `at`, naming the very field. Writes nothing."""
    _refuse_wrong_rewards(group, rewards, [()] * len(rewards), level_rewards)
    refuse_target_group(brand=brand, data=group, at=at)


def new_reward(
    data: RewardData,
    *,
    target: Target,
    level: StreakLevel | None,
    cycle: Cycle | None,
    at: datetime,
    by: str,
    is_from_start: bool = True,
) -> Reward:
    """The row that promises `data` from `at` on, unsaved. `is_from_start`: nobody is enrolled yet."""
    return Reward(
        target=target,
        level=level,
        cycle=cycle,
        name=data.name,
        kind=data.kind,
        value=data.value,
        payload=dict(data.payload),
        created_at=at,
        created_by=by,
        is_from_start=is_from_start,
    )


def _refuse_wrong_rewards(
    group: GroupData,
    rewards: Sequence[RewardData | None],
    period_rewards: Sequence[Sequence[PeriodReward]],
    level_rewards: Sequence[RewardData | None],
) -> None:
    is_streak = group.tracking_type != TrackingType.DEFAULT
    names = {period.ref_code for period in group.periods}
    for index, (reward, own) in enumerate(zip(rewards, period_rewards, strict=True)):
        path = f"targets[{index}]"
        if is_streak and (reward is not None or own):
            raise ImpossibleCombination(
                "A streak rewards its levels, not its periods: give the reward to a level.",
                field=f"{path}.reward" if reward is not None else f"{path}.periodRewards",
            )
        if reward is not None:
            refuse_wrong_reward(reward, f"{path}.reward")
        _refuse_wrong_periods(own, names, f"{path}.periodRewards")
    for index, reward in enumerate(level_rewards):
        if reward is not None:
            refuse_wrong_reward(reward, f"streaks[{index}].reward")


def _refuse_wrong_periods(own: Sequence[PeriodReward], names: set[str], path: str) -> None:
    seen: set[str] = set()
    for index, each in enumerate(own):
        if each.ref_code not in names:
            raise InvalidInput(f"There is no period {each.ref_code!r} here.", field=f"{path}[{index}].refCode")
        if each.ref_code in seen:
            raise InvalidInput(
                f"Period {each.ref_code!r} has a reward already: a period gives one.", field=f"{path}[{index}].refCode"
            )
        seen.add(each.ref_code)
        refuse_wrong_reward(each.reward, f"{path}[{index}].reward")


def refuse_wrong_reward(reward: RewardData, path: str) -> None:
    """Raises `InvalidInput` naming the field below `path`."""
    if not 1 <= len(reward.name.strip()) <= LONGEST_NAME:
        raise InvalidInput(f"The name of a reward has 1 to {LONGEST_NAME} characters.", field=f"{path}.name")
    if reward.kind == RewardKind.POINTS and reward.value is None:
        raise InvalidInput("Say how many points.", field=f"{path}.value")
    if reward.value is not None and not 0 < reward.value <= MAX_VALUE:
        raise InvalidInput(f"The value of a reward is greater than 0 and at most {MAX_VALUE}.", field=f"{path}.value")
    if reward.value is not None and reward.value != reward.value.quantize(THREE_PLACES):
        raise InvalidInput("The value of a reward has at most three decimal places.", field=f"{path}.value")
    if not isinstance(reward.payload, Mapping):
        raise InvalidInput("A payload is a JSON object.", field=f"{path}.payload")
    if len(ExactJSONEncoder().encode(dict(reward.payload))) > LONGEST_PAYLOAD:
        raise InvalidInput(
            f"A payload has at most {LONGEST_PAYLOAD:,} characters of JSON: each grant keeps a copy.",
            field=f"{path}.payload",
        )
