"""The published case 2: streak XYZ with 30 cycles and levels 4, 8, 12, left in the 13th."""

import pytest

from tests.journeys.programme import CUSTOMER, Programme


@pytest.fixture
def xyz(site):
    """Achieved in each of twelve cycles; now in the middle of the 13th, not achieved yet."""
    xyz = Programme.streak(site)
    xyz.go_to(1, 0)
    xyz.enroll()
    for cycle in range(1, 13):
        xyz.go_to(cycle)
        xyz.buy()
    xyz.go_to(13)
    return xyz


def test_left_in_the_13th_cycle_keeps_all_levels_and_leaves_c13_to_c30(xyz):
    preview = xyz.preview()
    xyz.unenroll()
    xyz.go_to(31)

    receipt = xyz.receipts()[-1]
    assert [line["verdict"] for line in receipt["cycles"]] == ["kept"] * 12 + ["left"] * 18
    assert [(line["targetCountOfSequence"], line["verdict"]) for line in receipt["levels"]] == [
        (4, "kept"),
        (8, "kept"),
        (12, "kept"),
    ]
    assert receipt["cycles"] == preview["cycles"]
    assert (receipt["streakCount"], receipt["run"], receipt["warnings"]) == (12, 1, [])
    assert xyz.granted() == ["XYZ 4", "XYZ 8", "XYZ 12"]
    assert xyz.verdicts() == ["kept"] * 12 + ["left"] * 18


def test_left_after_achieving_the_13th_cycle_shows_when_it_was_achieved(xyz):
    xyz.buy()

    xyz.unenroll()

    line = xyz.receipts()[-1]["cycles"][12]
    assert (line["verdict"], line["achievedAt"]) == ("left", "2026-05-06T12:00:00+00:00")


def test_reenrolled_without_reset_goes_on_counting_and_earns_no_level_again(xyz):
    xyz.unenroll()
    xyz.go_to(16)
    xyz.enroll(resetStreakStatus=False)
    for cycle in range(16, 21):
        xyz.go_to(cycle)
        xyz.buy()

    standing = xyz.standing()
    assert (standing["run"], standing["streakCount"]) == (1, 17)
    assert xyz.granted() == ["XYZ 4", "XYZ 8", "XYZ 12"]
    assert [line["verdict"] for line in standing["levels"]] == ["kept"] * 3


def test_reenrolled_with_reset_earns_the_levels_again(xyz):
    xyz.unenroll()
    xyz.go_to(16)
    xyz.enroll(resetStreakStatus=True)
    fresh = xyz.standing()
    for cycle in range(16, 28):
        xyz.go_to(cycle)
        xyz.buy()

    standing = xyz.standing()
    assert (fresh["run"], fresh["streakCount"], [line["verdict"] for line in fresh["levels"]]) == (
        2,
        0,
        ["not_reached"] * 3,
    )
    assert (standing["run"], standing["streakCount"]) == (2, 12)
    assert xyz.granted() == ["XYZ 4", "XYZ 8", "XYZ 12"] * 2
    assert [each["run"] for each in standing["grants"]] == [1, 1, 1, 2, 2, 2]


def test_reset_in_the_very_cycle_starts_it_from_nothing(xyz):
    xyz.buy()
    xyz.unenroll()
    xyz.go_to(13, 6)
    xyz.enroll(resetStreakStatus=True)

    assert xyz.standing()["cycles"][12]["value"] == 0
    assert xyz.buy()[0]["counted"][0]["value"] == 1
    assert xyz.standing()["streakCount"] == 1


def test_cycle_missed_while_a_member_breaks_the_chain(xyz):
    xyz.go_to(14)
    xyz.buy()

    assert xyz.standing()["streakCount"] == 1
    assert xyz.granted() == ["XYZ 4", "XYZ 8", "XYZ 12"]


def test_balance_on_a_streak_is_ignored_with_a_warning(site):
    xyz = Programme.streak(site)
    xyz.go_to(1)

    status, answer = xyz.enroll(initialBalance=1)

    assert (status, [each["code"] for each in answer["warnings"]]) == (200, [310202])
    assert xyz.standing()["streakCount"] == 0


def streaks_of(xyz):
    answer = xyz.site.get(f"/v3/users/{CUSTOMER}/targetGroups?includeInactive=true")[1]["data"]
    return answer["targetGroups"][0]["streaks"]


def achieve(xyz, *cycles):
    for cycle in cycles:
        xyz.go_to(cycle)
        xyz.buy()


def test_granted_level_names_the_cycle_that_earned_it_also_when_a_longer_chain_follows(site):
    xyz = Programme.streak(site, cycles=15, levels=(4, 8))
    xyz.go_to(1, 0)
    xyz.enroll()
    achieve(xyz, 1, 2, 3, 4)
    when_earned = streaks_of(xyz)[0]
    achieve(xyz, 7, 8, 9, 10, 11, 12)

    level = streaks_of(xyz)[0]

    assert level["streakAchievedUserTargetId"] == when_earned["streakAchievedUserTargetId"]
    assert level["streakAchievedDateTime"] == when_earned["streakAchievedDateTime"] == "2026-02-05T12:00:00.000+0000"


def test_level_without_reward_stays_achieved_when_it_first_was(site):
    xyz = Programme.streak(site, cycles=10, levels=(2,), reward=None)
    xyz.go_to(1, 0)
    xyz.enroll()
    achieve(xyz, 1, 2)
    when_achieved = streaks_of(xyz)[0]
    achieve(xyz, 5, 6, 7)

    level = streaks_of(xyz)[0]

    assert (level["status"], level["currentCount"]) == ("ACHIEVED", 3)
    assert level["streakAchievedDateTime"] == when_achieved["streakAchievedDateTime"] == "2026-01-16T12:00:00.000+0000"
    assert xyz.granted() == []


def test_streak_that_survives_a_missed_cycle_goes_on_where_it_was_also_after_a_time_away(site):
    xyz = Programme.streak(site, cycles=6, levels=(2, 3), kind="NON_CONTINUOUS_STREAKS")
    xyz.go_to(1, 0)
    xyz.enroll()
    xyz.buy()
    xyz.go_to(3)  # c2 was missed
    xyz.buy()
    xyz.unenroll()
    xyz.go_to(5)
    xyz.enroll()
    xyz.buy()

    assert xyz.granted() == ["XYZ 2", "XYZ 3"]
    assert (xyz.standing()["streakCount"], xyz.standing()["run"]) == (3, 1)
    assert xyz.verdicts() == ["kept", "kept", "left", "left", "member", "member"]
