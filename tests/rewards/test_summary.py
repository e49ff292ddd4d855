"""What a programme means, in plain sentences."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from rewards.admin.draft import Definition
from rewards.admin.summary import sentences
from rewards.enums import RewardKind
from rewards.operations import RewardData
from targets.enums import Allocation, FrequencyType, Kpi, TrackingType
from targets.models import Brand
from targets.operations import GroupData, LevelData, PeriodData, TargetData

ONE, TEN = Decimal(1), Decimal(10)
VISITS = TargetData("Visits", Kpi.VISIT, [ONE, ONE], event_name="check-in")
GROUP = GroupData(
    name="XYZ",
    tracking_type=TrackingType.STREAKS,
    time_zone="UTC",
    periods=[
        PeriodData("c1", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
        PeriodData("c2", datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)),
    ],
    targets=[VISITS],
    levels=[LevelData("Bronze", 1), LevelData("Silver", 2)],
    frequency_type=FrequencyType.DAILY,
    frequency=1,
    counts_before_enrolment=False,
)
BADGE = RewardData("Silver badge", RewardKind.BADGE)
TIMES = [
    "2 cycles of 1 day each, from 1 Jan 2026 to 2 Jan 2026, the same for everybody; days begin at midnight in UTC.",
    "A cycle takes no activity after its end, not even late one. Activity before the enrolment does not count.",
]


def said(group, rewards=(None,), level_rewards=()):
    return sentences(Definition(Brand(), group, list(rewards), list(level_rewards)))


def test_streak_names_each_level_and_what_a_missed_cycle_does():
    assert said(GROUP, level_rewards=[None, BADGE]) == [
        "A cycle is achieved by reaching 1 day with an activity of “check-in”.",
        "Bronze: nothing for 1 cycle achieved in a row, at once.",
        "Silver: a badge (“Silver badge”) for 2 cycles achieved in a row, at once.",
        "Whoever misses a cycle begins again at zero.",
        *TIMES,
    ]


def test_streak_that_survives_of_two_targets():
    group = replace(GROUP, tracking_type=TrackingType.NON_CONTINUOUS_STREAKS, targets=[VISITS, VISITS])

    assert said(group, [None, None], [BADGE, BADGE])[2:6] == [
        "Bronze: a badge (“Silver badge”) for 1 cycle achieved in a row or not, at once.",
        "Silver: a badge (“Silver badge”) for 2 cycles achieved in a row or not, at once.",
        "Whoever misses a cycle keeps the count and goes on from there.",
        "Each target has a streak of its own, and each streak gives the rewards of the levels.",
    ]


def test_streak_without_levels_gives_nothing():
    assert (
        said(replace(GROUP, levels=[]))[1] == "There are no levels: the streak is tracked, but nothing is given for it."
    )


@pytest.mark.parametrize(
    ("target", "reward", "sentence"),
    [
        (
            TargetData("T", Kpi.COUNT, [ONE]),
            None,
            "T: reaching 1 activity within a cycle is tracked, but nothing is given for it.",
        ),
        (
            TargetData("T", Kpi.COUNT, [TEN, Decimal("12.5")]),
            RewardData("One", RewardKind.POINTS, ONE),
            "T: each customer gets 1 point (“One”) for reaching 10 to 12.5 activities (see the table) within a cycle, "
            "at once.",
        ),
        (
            TargetData("T", Kpi.QUANTITY, [TEN], match={"store": {"in": ["A", "B"]}, "gift": {"equals": False}}),
            RewardData("Ten off", RewardKind.COUPON, TEN),
            "T: each customer gets a coupon worth 10 (“Ten off”) for reaching 10 as the sum of quantities, where "
            "“store” is one of “A”, “B” and “gift” is no, within a cycle, at once.",
        ),
        (
            TargetData(
                "T",
                Kpi.EVENT_ATTRIBUTE,
                [TEN],
                attribute_name="km",
                match={"bike": {"equals": 7, "atLeast": 2, "atMost": Decimal("9.50")}},
                allocation=Allocation.PERIOD_END,
            ),
            RewardData("Thanks", RewardKind.CUSTOM),
            "T: each customer gets a reward (“Thanks”) for reaching 10 as the sum of “km”, where “bike” is 7 and "
            "“bike” is at least 2 and “bike” is at most 9.5, within a cycle, when the cycle closes, if the value is "
            "still reached then.",
        ),
        (
            TargetData("T", Kpi.GROSS_SALES, [Decimal(100_000)], event_name="purchase"),
            RewardData("A lot", RewardKind.POINTS, Decimal(1500)),
            "T: each customer gets 1,500 points (“A lot”) for reaching 100,000 as the sum of gross amounts of "
            "“purchase” within a cycle, at once.",
        ),
    ],
)
def test_milestone_says_who_gets_what_for_what_and_when(target, reward, sentence):
    group = replace(GROUP, tracking_type=TrackingType.DEFAULT, targets=[target], levels=[])

    assert said(group, [reward])[0] == sentence
