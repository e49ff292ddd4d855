from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from rewards.models import Reward
from targets.models import Target


def in_force(at: datetime) -> Q:
    """Of rewards: those promised at `at`. Half-open: what replaces another at an instant is promised from it on."""
    return (Q(is_from_start=True) | Q(created_at__lte=at)) & (Q(retired_at=None) | Q(retired_at__gt=at))


def promised_reward(target: Target, cycle_id: int, at: datetime) -> Reward | None:
    """What a milestone pays in this cycle: the cycle's own reward if it has one, else the target's. One statement."""
    promised = Reward.objects.filter(in_force(at), Q(cycle=cycle_id) | Q(cycle=None), target=target, level=None)
    return promised.order_by("cycle_id", "-pk").first()  # NULL comes last


def promised_of(rewards: Iterable[Reward], cycle_id: int, at: datetime) -> Reward | None:
    """`promised_reward`, of the rewards of a target at hand, without those of levels."""
    in_force_then = [
        each
        for each in rewards
        if each.cycle_id in (None, cycle_id)
        and (each.is_from_start or each.created_at <= at)
        and (each.retired_at is None or each.retired_at > at)
    ]
    return max(in_force_then, key=lambda each: (each.cycle_id is not None, each.pk), default=None)
