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
