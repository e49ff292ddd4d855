"""A changed reward is for later grants only, whatever it is for and whoever is at work meanwhile (domain.md 7)."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from enrollments.editing import CycleEdit, ProgrammeEdit
from enrollments.enums import Source
from enrollments.integrity import all_violations
from enrollments.operations import ActivityData, change_reward, close_cycles, edit_programme, enroll, record_activity
from enrollments.operations.closing import close_cycle
from rewards.enums import RewardKind
from rewards.models import Grant, Reward
from rewards.operations import RewardData
from targets.enums import Allocation, TrackingType
from targets.errors import ChangedMeanwhile, ImpossibleCombination, InvalidInput, StaleInstant
from targets.models import Cycle, ProgrammeChange, TargetGroup
from tests.factories import START, CustomerFactory, make_programme, own_rewards
from tests.faults import everything

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
END = START + 30 * DAY  # of c1
ACT = {"by": "test", "source": Source.API}
COFFEE = RewardData("Coffee", RewardKind.COUPON, payload={"series": Decimal("4711.50")})
FIVE = RewardData("Five", RewardKind.POINTS, Decimal(5))
OLD, NEW = ("100 points", "POINTS", 100, {}), ("Coffee", "COUPON", None, {"series": Decimal("4711.50")})


def milestone(**details):
    return make_programme(**{"cycles": 3, "target_value": 1} | details)


def streak(**details):
    return milestone(tracking_type=TrackingType.STREAKS, levels=(1,), **details)


def level_of(target):
    return target.target_group.levels.get()


def cycle_of(target, number=1):
    return target.target_group.cycles.get(number=number)


def change(target, reward, at, **what):
    return change_reward(target=target, reward=reward, at=at, by="marketing", **what)


def achieved(target, at):
    """A new customer who reaches the value at `at`."""
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=at, **ACT)
    event = ActivityData(f"of {customer.pk}", "purchase", customer.customer_id, at)
    record_activity(brand=target.brand, activity=event, at=at)
    return customer


def given():
    snapshot = ("reward_name", "reward_kind", "reward_value", "reward_payload")
    return [*Grant.objects.order_by("pk").values_list(*snapshot)]


def rewards():
    return [*Reward.objects.order_by("pk").values("name", "created_at", "retired_at", "created_by", "retired_by")]


@pytest.mark.parametrize(
    ("make", "of_what"),
    [
        (milestone, lambda target: {}),
        (milestone, lambda target: {"cycle": cycle_of(target)}),
        (streak, lambda target: {"level": level_of(target)}),
    ],
)
def test_changed_reward_is_given_from_then_on_and_nothing_given_changes(make, of_what):
    target = make()
    achieved(target, START)

    made = change(target, COFFEE, START + DAY, **of_what(target))
    achieved(target, START + DAY)
    change(target, None, START + 2 * DAY, **of_what(target))
    achieved(target, START + 2 * DAY)

    last = [OLD] if "cycle" in of_what(target) else []  # without its own reward the cycle pays the target's again
    assert given() == [OLD, NEW, *last]
    assert (made.created_by, made.is_from_start) == ("marketing", False)
    assert list(all_violations()) == []


def test_reward_of_one_cycle_changes_no_other():
    target = milestone()

    change(target, COFFEE, START, cycle=cycle_of(target, 2))
    achieved(target, START)
    achieved(target, END)

    assert given() == [OLD, NEW]


def test_reward_of_one_target_changes_no_other():
    target, other = milestone(), milestone(event_name="visit")

    change(target, COFFEE, START)
    achieved(target, START)

    assert given() == [NEW]
    assert Reward.objects.filter(target=other).values_list("name", "retired_at").get() == ("100 points", None)


def test_what_was_achieved_without_a_reward_is_not_paid_later():
    target = milestone(rewarded=False)
    customer = achieved(target, START)

    change(target, COFFEE, START + DAY)
    again = ActivityData("more", "purchase", customer.customer_id, START + DAY)
    record_activity(brand=target.brand, activity=again, at=START + DAY)

    assert given() == []
    assert list(all_violations()) == []


@pytest.mark.parametrize("make", [milestone, streak])
def test_what_changes_while_the_clock_stands_still_is_told_apart_by_its_order(make):
    target = make(rewarded=False)
    what = {"level": level_of(target)} if target.target_group.is_streak else {}

    achieved(target, START)
    change(target, COFFEE, START, **what)
    achieved(target, START)
    change(target, RewardData("Cake", RewardKind.BADGE), START, **what)
    achieved(target, START)
    change(target, None, START, **what)
    achieved(target, START)

    assert [name for name, *_ in given()] == ["Coffee", "Cake"]
    assert list(all_violations()) == []


def test_close_pays_every_member_what_was_promised_when_it_began():
    target = milestone(allocation=Allocation.PERIOD_END)
    for _ in range(3):
        achieved(target, START)
    asked = iter([False, True])
    close_cycle(cycle_of(target), END, chunk=1, is_to_stop=lambda: next(asked))

    change(target, COFFEE, END + DAY)
    interrupted = given()
    list(close_cycles(brand=target.brand, at=END + 2 * DAY))

    assert interrupted == [OLD]
    assert given() == [OLD] * 3
    assert list(all_violations()) == []


@pytest.mark.parametrize("changed_at", [END, END - DAY])
def test_close_pays_what_was_promised_by_then(changed_at):
    target = milestone(allocation=Allocation.PERIOD_END)
    achieved(target, START)

    change(target, COFFEE, changed_at)
    list(close_cycles(brand=target.brand, at=END))

    assert given() == [NEW]
    assert list(all_violations()) == []


def test_reward_that_comes_at_the_instant_of_a_finished_close_is_for_the_next_cycle():
    target = milestone(allocation=Allocation.PERIOD_END, rewarded=False)
    achieved(target, START)
    list(close_cycles(brand=target.brand, at=END))

    change(target, COFFEE, END)
    achieved(target, END)
    list(close_cycles(brand=target.brand, at=END + 30 * DAY))

    assert given() == [NEW]
    assert list(all_violations()) == []


def test_activity_that_was_overtaken_by_the_change_gives_what_was_promised_at_its_instant():
    target = milestone()
    enrolled = [CustomerFactory(brand=target.brand) for _ in range(2)]
    for customer in enrolled:
        enroll(customer=customer, target=target, at=START, **ACT)

    change(target, None, START + 2 * DAY)
    for customer, at in zip(enrolled, (START + DAY, START + 2 * DAY), strict=True):
        event = ActivityData(f"of {customer.pk}", "purchase", customer.customer_id, at)
        record_activity(brand=target.brand, activity=event, at=at)

    assert given() == [OLD]
    assert list(all_violations()) == []


def an_achievement(target):
    achieved(target, START + DAY)


def an_unfinished_close(target):
    edit = ProgrammeEdit(cycles={1: CycleEdit(ends_at=START + DAY)})
    edit_programme(target_group=target.target_group, edit=edit, at=START, by="test", source=Source.API)
    Cycle.objects.filter(target_group=target.target_group, number=1).update(closed_at=START + DAY)


def another_change(target):
    change(target, RewardData("Cake", RewardKind.BADGE), START + DAY)


@pytest.mark.parametrize("later", [an_achievement, an_unfinished_close, another_change])
def test_change_that_was_overtaken_is_refused_and_changes_nothing(later):
    target = milestone()
    later(target)
    before = rewards()

    at = START + DAY - timedelta(microseconds=1)
    with pytest.raises(StaleInstant):
        change(target, COFFEE, at)

    assert rewards() == before


def test_change_at_the_instant_of_a_close_that_is_still_paying_is_refused():
    target = milestone()
    an_unfinished_close(target)

    with pytest.raises(StaleInstant):
        change(target, COFFEE, START + DAY)

    assert Reward.objects.get().retired_at is None


def test_history_of_a_reward_says_when_and_by_whom_it_was_changed():
    target = milestone()

    change(target, COFFEE, START + DAY)
    change(target, None, START + 2 * DAY)

    assert [tuple(each.values()) for each in rewards()] == [
        ("100 points", START, START + DAY, "", "marketing"),
        ("Coffee", START + DAY, START + 2 * DAY, "marketing", "marketing"),
    ]


def test_each_change_is_put_on_record_with_who_made_it_and_through_which_door():
    target, of_levels = milestone(name="ABC"), streak(name="XYZ")
    cycle = cycle_of(target, 2)

    change(target, COFFEE, START, source=Source.ADMIN, request_id="r7", expected_version=1)
    change(target, replace(COFFEE, payload={"series": 1}), START + DAY)
    change(target, FIVE, START + DAY, cycle=cycle)
    change(target, None, START + 2 * DAY, cycle=cycle)
    change(of_levels, None, START, level=level_of(of_levels))

    history = ProgrammeChange.objects.order_by("target_group", "version")
    assert [(each.version, each.at, each.by, each.source, each.request_id) for each in history] == [
        (2, START, "marketing", Source.ADMIN, "r7"),
        (3, START + DAY, "marketing", "", ""),
        (4, START + DAY, "marketing", "", ""),
        (5, START + 2 * DAY, "marketing", "", ""),
        (2, START, "marketing", "", ""),
    ]
    assert [(line["what"], line["before"], line["after"]) for each in history for line in each.changes] == [
        ("reward of ABC", "100 points (“100 points”)", "a coupon (“Coffee”)"),
        ("reward of ABC", "a coupon (“Coffee”)", "a coupon (“Coffee”) with other details"),
        ("own reward of ABC in c2", "nothing", "5 points (“Five”)"),
        ("own reward of ABC in c2", "5 points (“Five”)", "nothing"),
        ("reward of XYZ at level XYZ, level 1", "100 points (“100 points”)", "nothing"),
    ]
    assert [*TargetGroup.objects.order_by("pk").values_list("version", flat=True)] == [5, 2]


def test_change_of_a_programme_that_was_changed_meanwhile_is_refused_and_changes_nothing():
    target = milestone()
    change(target, FIVE, START)
    before = everything()

    with pytest.raises(ChangedMeanwhile):
        change(target, COFFEE, START, expected_version=1)

    assert everything() == before


@pytest.mark.parametrize("reward", [COFFEE, None])
def test_what_is_promised_already_changes_nothing(reward):
    target = milestone()
    first = change(target, reward, START)
    before = everything()

    second = change(target, reward, START + DAY)

    assert (second, everything()) == (first, before)


def test_change_before_anybody_is_enrolled_is_from_the_start():
    target = milestone()

    made = change(target, COFFEE, START)

    assert made.is_from_start is True


POINTS = RewardKind.POINTS
REFUSED = {
    "points without a number": ({"reward": RewardData("x", POINTS)}, InvalidInput, "reward.value"),
    "no points": ({"reward": RewardData("x", POINTS, Decimal(0))}, InvalidInput, "reward.value"),
    "too many points": ({"reward": RewardData("x", POINTS, Decimal(10**15))}, InvalidInput, "reward.value"),
    "coupon of a negative value": (
        {"reward": RewardData("x", RewardKind.COUPON, Decimal(-1))},
        InvalidInput,
        "reward.value",
    ),
    "fraction of a thousandth": ({"reward": RewardData("x", POINTS, Decimal("0.0001"))}, InvalidInput, "reward.value"),
    "no name": ({"reward": RewardData(" ", POINTS, Decimal(1))}, InvalidInput, "reward.name"),
    "long name": ({"reward": RewardData("x" * 201, POINTS, Decimal(1))}, InvalidInput, "reward.name"),
    "payload that is a list": (
        {"reward": RewardData("x", RewardKind.CUSTOM, payload=["a"])},
        InvalidInput,
        "reward.payload",
    ),
    "large payload": (
        {"reward": RewardData("x", RewardKind.CUSTOM, payload={"a": "x" * 10_000})},
        InvalidInput,
        "reward.payload",
    ),
    "level of another group": ({"level": "foreign"}, InvalidInput, "level"),
    "cycle of another group": ({"cycle": "foreign"}, InvalidInput, "cycle"),
    "cycle that has closed": ({"cycle": "closed"}, InvalidInput, "cycle"),
    "streak without level": ({"target": "streak"}, ImpossibleCombination, "level"),
    "cycle of a streak": ({"target": "streak", "cycle": "of streak"}, ImpossibleCombination, "cycle"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_change_is_refused_naming_the_field_and_changes_nothing(case):
    details, refusal, field = REFUSED[case]
    target, of_streak = milestone(), streak()
    own_rewards(target)
    list(close_cycles(brand=target.brand, at=END))
    named = {
        "foreign": level_of(of_streak) if "level" in details else cycle_of(of_streak),
        "closed": cycle_of(target),
        "streak": of_streak,
        "of streak": cycle_of(of_streak),
    }
    wanted = {key: named[value] if isinstance(value, str) else value for key, value in details.items()}
    before = rewards()

    with pytest.raises(refusal) as refused:
        change_reward(**{"target": target, "reward": COFFEE, "at": END, "by": "marketing"} | wanted)

    assert refused.value.field == field
    assert rewards() == before
