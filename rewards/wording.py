"""How what is given is said to people."""

from rewards.enums import RewardKind
from rewards.operations import RewardData
from targets.wording import amount

NOTHING = "nothing"


def given(reward: RewardData | None) -> str:
    """“50 points (“Welcome”)”, “a coupon (“Ten off”)”, “nothing”"""
    if reward is None:
        return NOTHING
    name = f"(“{reward.name}”)"
    if reward.kind == RewardKind.POINTS and reward.value is not None:
        return f"{amount(reward.value)} {'point' if reward.value == 1 else 'points'} {name}"
    noun = {RewardKind.COUPON: "a coupon", RewardKind.BADGE: "a badge"}.get(reward.kind, "a reward")
    worth = "" if reward.value is None else f" worth {amount(reward.value)}"
    return f"{noun}{worth} {name}"


def given_in_detail(reward: RewardData | None, instead_of: RewardData | None) -> str:
    """The same, and that the details for other systems are others where nothing else differs."""
    words = given(reward)
    if reward is not None and reward != instead_of and words == given(instead_of):
        return f"{words} with other details"
    return words
