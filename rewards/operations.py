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
from targets.models import Brand, StreakLevel, Target
from targets.operations import GroupData, Programme, create_target_group, refuse_target_group


@dataclass(frozen=True)
class RewardData:
    """What is promised; `value` is in units of the kind (points, for example)."""

    name: str
    kind: RewardKind
    value: Decimal | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)


def define_programme(
    *,
    brand: Brand,
    group: GroupData,
    rewards: Sequence[RewardData | None],
    level_rewards: Sequence[RewardData | None],
    at: datetime,
    by: str,
) -> Programme:
    """Make a target group and its rewards: `rewards` one for each target, `level_rewards` one for each level.

    A level's reward is promised for each target of the group. Raises what `create_target_group` raises, and
    `ImpossibleCombination` for a reward per period of a streak, `InvalidInput` for points without a number; then
    nothing is made.
    """
    _refuse_rewards(group, rewards, level_rewards)
    with transaction.atomic():
        programme = create_target_group(brand=brand, data=group, at=at, by=by)
        promised: list[tuple[Target, StreakLevel | None, RewardData]] = [
            (target, None, reward)
            for target, reward in zip(programme.targets, rewards, strict=True)
            if reward is not None
        ]
        promised += [
            (target, level, reward)
            for level, reward in zip(programme.levels, level_rewards, strict=True)
            for target in programme.targets
            if reward is not None
        ]
        Reward.objects.bulk_create(
            Reward(
                target=target,
                level=level,
                name=reward.name,
                kind=reward.kind,
                value=reward.value,
                payload=dict(reward.payload),
                created_at=at,
            )
            for target, level, reward in promised
        )
        return programme


def refuse_programme(
    *,
    brand: Brand,
    group: GroupData,
    rewards: Sequence[RewardData | None],
    level_rewards: Sequence[RewardData | None],
) -> None:
    """Raise what `define_programme` would raise now, naming the very field. Writes nothing."""
    _refuse_rewards(group, rewards, level_rewards)
    refuse_target_group(brand=brand, data=group)


def _refuse_rewards(
    group: GroupData, rewards: Sequence[RewardData | None], level_rewards: Sequence[RewardData | None]
) -> None:
    is_streak = group.tracking_type != TrackingType.DEFAULT
    for index, reward in enumerate(rewards):
        if is_streak and reward is not None:
            raise ImpossibleCombination(
                "A streak rewards its levels, not its periods: give the reward to a level.",
                field=f"targets[{index}].reward",
            )
    for path, promised in (("targets", rewards), ("streaks", level_rewards)):
        for index, reward in enumerate(promised):
            if reward is not None and reward.kind == RewardKind.POINTS and reward.value is None:
                raise InvalidInput("Say how many points.", field=f"{path}[{index}].reward.value")
