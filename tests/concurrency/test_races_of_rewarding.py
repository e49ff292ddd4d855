"""A reward is changed while customers achieve, and by two at once (domain.md 7 and 8)."""

from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from enrollments.operations import change_reward
from rewards.enums import RewardKind
from rewards.models import Grant, Reward
from rewards.operations import RewardData
from targets.models import Target
from tests.concurrency.racing import CALENDAR_LOCK, FEWER_ROUNDS, ROW_LOCK, UNGUARDED_ROUNDS, Race
from tests.concurrency.scenes import answer, at_door, buys, enrolled, running_programme

BEFORE_RETIRING = 'UPDATE "rewards_reward"'
BEFORE_GIVING = 'INSERT INTO "rewards_grant"'

_names = count(1)


class Seen(NamedTuple):
    """`given`: which reward an achievement got. `flaws` names what no order of the two could have left."""

    answers: tuple[object, ...]
    given: str = ""
    flaws: tuple[str, ...] = ()


def changes(target: Target) -> Callable[[], object]:
    """Promises something else than anybody before."""
    reward = RewardData(f"Reward {next(_names)}", RewardKind.BADGE)

    def operation() -> object:
        return at_door(target.brand, lambda at: change_reward(target=target, reward=reward, at=at, by="test"))

    return operation


def changed(result: object) -> object:
    return "changed" if isinstance(result, Reward) else answer(result)


def test_achievement_gets_what_was_promised_at_its_instant(race: Race) -> None:
    target = running_programme(target_value=1)

    def one_round() -> Seen:
        customer = enrolled(target)
        before = Reward.objects.get(target=target, retired_at=None)
        bought, change = race.run(buys(customer), changes(target))
        grant = Grant.objects.select_related("reward").get(customer=customer)
        retired_at = grant.reward.retired_at
        flaws = ("was retired",) if retired_at and retired_at <= grant.granted_at else ()
        return Seen((answer(bought), changed(change)), "old" if grant.reward == before else "new", flaws)

    with race.without(CALENDAR_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=("", BEFORE_RETIRING), ahead=1)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_GIVING, BEFORE_RETIRING))

    old = Seen(("counted", "changed"), "old")
    assert unguarded == {old._replace(flaws=("was retired",))}
    assert guarded == {old, old._replace(given="new")}


def test_two_changes_at_once_leave_one_promise(race: Race) -> None:
    target = running_programme()

    def one_round() -> Seen:
        results = race.run(changes(target), changes(target))
        in_force = Reward.objects.filter(target=target, retired_at=None).count()
        return Seen(tuple(map(changed, results)), flaws=() if in_force == 1 else (f"{in_force} in force",))

    with race.without(CALENDAR_LOCK, ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_RETIRING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_RETIRING, BEFORE_RETIRING))

    assert unguarded == {Seen(("change_unique_per_version", "changed"))}
    assert guarded == {Seen(("changed", "changed"))}
