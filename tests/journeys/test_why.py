"""“Why?” in the published cases: over HTTP as integrators do, with the sentences that support and customers read."""

import pytest

from enrollments.enums import CycleStatus
from enrollments.models import Participation
from enrollments.standing import standings
from enrollments.why import cycle_status, known_of, why_cycle, why_level
from targets.clock import brand_now
from tests.journeys.programme import Programme


def asked(programme):
    """The standing, and what is known beside it."""
    programme.site.brand.refresh_from_db()
    at = brand_now(programme.site.brand)
    found = standings(list(Participation.objects.filter(brand=programme.site.brand)), at)
    return found[0], known_of(found, at)[0]


def sentences(programme):
    standing, known = asked(programme)
    return [why_cycle(standing, line, known).text for line in standing.cycles]


def levels(programme):
    standing, _ = asked(programme)
    return [why_level(standing, line).text for line in standing.levels]


def strip(programme):
    standing, known = asked(programme)
    return [cycle_status(line, known.at).value for line in standing.cycles]


def who_ended_it(programme):
    standing, known = asked(programme)
    return [
        each.left_by and each.left_by.actor for each in (why_cycle(standing, line, known) for line in standing.cycles)
    ]


def agrees_with_the_api(programme):
    """Whoever is told that something was granted has it, and the other way round."""
    cycles = [line["grantId"] is not None for line in programme.standing()["cycles"]]
    return [text.startswith("Granted on") for text in sentences(programme)] == cycles


AFTER_C1 = ["Not a member: the enrolment ended on 6 Jan 2026."] * 4


@pytest.mark.parametrize(
    ("allocation", "bought", "first", "status"),
    [
        (
            "IMMEDIATE",
            2,
            "Granted on 6 Jan 2026: 100 points. That stays so, although the enrolment ended on 6 Jan 2026.",
            CycleStatus.ACHIEVED,
        ),
        ("IMMEDIATE", 1, "Not achieved: 1 of 2 when the enrolment ended on 6 Jan 2026.", CycleStatus.LEFT),
        (
            "PERIOD_END",
            2,
            "Not granted: the target was reached, 2 of 2, but this reward is given only when the cycle closes, and the "
            "enrolment ended before, on 6 Jan 2026.",
            CycleStatus.FORFEITED,
        ),
        ("PERIOD_END", 1, "Not achieved: 1 of 2 when the enrolment ended on 6 Jan 2026.", CycleStatus.LEFT),
    ],
)
def test_abc_left_in_the_middle_of_c1(site, allocation, bought, first, status):
    abc = Programme.milestone(site, rewardAllocationType=allocation)
    abc.go_to(1)
    abc.enroll()
    abc.buy(bought)
    abc.unenroll()
    at_once = sentences(abc), strip(abc)
    abc.go_to(6)

    assert sentences(abc) == [first, *AFTER_C1]
    assert strip(abc) == [status, *["left"] * 4]
    assert at_once == (sentences(abc), strip(abc))
    assert who_ended_it(abc) == [site.username] * 5
    assert agrees_with_the_api(abc)


@pytest.mark.parametrize(
    ("allocation", "bought", "third"),
    [
        (
            "IMMEDIATE",
            2,
            "Granted on 26 Jan 2026: 100 points. That stays so, although the enrolment ended on 26 Jan 2026.",
        ),
        (
            "PERIOD_END",
            2,
            "Not granted: the target was reached, 2 of 2, but this reward is given only when the cycle closes, and the "
            "enrolment ended before, on 26 Jan 2026.",
        ),
        ("PERIOD_END", 1, "Not achieved: 1 of 2 when the enrolment ended on 26 Jan 2026."),
    ],
)
def test_abc_left_in_the_middle_of_c3(site, allocation, bought, third):
    abc = Programme.milestone(site, rewardAllocationType=allocation)
    abc.go_to(1, 0)
    abc.enroll()
    for cycle, times in ((1, 2), (2, 1), (3, bought)):
        abc.go_to(cycle)
        abc.buy(times)
    abc.unenroll()
    abc.go_to(6)

    granted_on = "6 Jan" if allocation == "IMMEDIATE" else "11 Jan"
    out = "Not a member: the enrolment ended on 26 Jan 2026."
    assert sentences(abc) == [f"Granted on {granted_on} 2026: 100 points.", "Not achieved: 1 of 2.", third, out, out]
    assert strip(abc)[:2] == ["achieved", "not_achieved"]
    assert agrees_with_the_api(abc)


def test_abc_left_in_c3_is_still_told_when_c2_will_be_paid_and_what_came_too_late(site):
    abc = Programme.milestone(site, rewardAllocationType="PERIOD_END", lateDays=7)
    abc.go_to(2, 0)
    abc.enroll()
    abc.buy(2)
    abc.go_to(3)
    abc.buy(1)
    abc.unenroll()
    abc.buy(1, cycle=3)
    before = sentences(abc)
    abc.go_to(6)

    assert before == [
        "Not a member: the enrolment of 11 Jan 2026 begins with c2.",
        "Will be granted when the cycle closes on 28 Jan 2026: 2 of 2 reached.",
        "Not achieved: 1 of 2 when the enrolment ended on 26 Jan 2026. The activity “purchase” of 21 Jan 2026, 12:00 "
        "was not counted because no enrolment covered this cycle when it arrived.",
        "Not a member: the enrolment ended on 26 Jan 2026.",
        "Not a member: the enrolment ended on 26 Jan 2026.",
    ]
    assert sentences(abc)[1] == "Granted on 28 Jan 2026: 100 points."
    assert agrees_with_the_api(abc)


def test_abc_running_cycle_of_one_who_stays(site):
    abc = Programme.milestone(site, rewardAllocationType="PERIOD_END")
    abc.go_to(1, 0)
    abc.enroll()
    abc.buy(1)
    one = sentences(abc), strip(abc)
    abc.buy(1)
    two = sentences(abc), strip(abc)

    to_come = [
        f"Has not begun: it begins on {on}." for on in ("11 Jan 2026", "21 Jan 2026", "31 Jan 2026", "10 Feb 2026")
    ]
    assert one == (
        ["Not achieved yet: 1 of 2, and the cycle runs until 10 Jan 2026.", *to_come],
        ["running", *["to_come"] * 4],
    )
    assert two == (
        ["Will be granted when the cycle closes on 11 Jan 2026: 2 of 2 reached.", *to_come],
        ["reached", *["to_come"] * 4],
    )


def test_abc_leaving_at_the_end_of_c1(site):
    abc = Programme.milestone(site, rewardAllocationType="PERIOD_END")
    abc.go_to(1, 0)
    abc.enroll()
    abc.buy(2)
    abc.unenroll(effective="endOfCycle")
    before = sentences(abc)
    abc.go_to(2)

    assert before[:2] == [
        "Will be granted when the cycle closes on 11 Jan 2026: 2 of 2 reached.",
        "Not a member: the enrolment ends with c1, on 10 Jan 2026.",
    ]
    assert before[2:] == [before[1]] * 3
    assert sentences(abc)[:2] == [
        "Granted on 11 Jan 2026: 100 points.",
        "Not a member: the enrolment ended with c1, on 10 Jan 2026.",
    ]


def test_abc_joined_ahead_and_leaving_before_is_told_with_which_cycle_he_leaves(site):
    abc = Programme.milestone(site)
    abc.go_to(1, 0)
    abc.enroll(periodName="c4")
    abc.unenroll(effective="endOfCycle")

    assert sentences(abc)[3:] == ["Not a member: the enrolment ends with c1, on 10 Jan 2026."] * 2


def test_abc_enrolled_again_in_the_cycle_he_left_is_told_why_what_he_did_between_does_not_count(site):
    abc = Programme.milestone(site)
    abc.go_to(1, 0)
    abc.enroll()
    abc.unenroll()
    abc.buy()
    abc.go_to(1, 1)
    abc.enroll()

    assert sentences(abc)[0] == (
        "Not achieved yet: 0 of 2, and the cycle runs until 10 Jan 2026. The activity “purchase” of 1 Jan 2026, 12:00 "
        "was not counted because no enrolment covered this cycle when it arrived."
    )


@pytest.fixture
def xyz(site):
    """Achieved in each of twelve cycles; left in the middle of the 13th."""
    xyz = Programme.streak(site)
    xyz.go_to(1, 0)
    xyz.enroll()
    for cycle in range(1, 13):
        xyz.go_to(cycle)
        xyz.buy()
    xyz.go_to(13)
    return xyz


PAID = [
    "Granted on 5 Feb 2026: 100 points. Reached with c4.",
    "Granted on 17 Mar 2026: 100 points. Reached with c8.",
    "Granted on 26 Apr 2026: 100 points. Reached with c12.",
]


def test_xyz_left_in_c13(xyz):
    xyz.unenroll()

    found = sentences(xyz)
    assert found[0] == "Achieved on 6 Jan 2026, 1 of 1: it counts for the streak."
    assert found[12] == "Not achieved: 0 of 1 when the enrolment ended on 6 May 2026."
    assert found[13:] == ["Not a member: the enrolment ended on 6 May 2026."] * 17
    assert strip(xyz) == ["achieved"] * 12 + ["left"] * 18
    assert levels(xyz) == PAID


def test_xyz_left_in_c13_after_achieving_it(xyz):
    xyz.buy()
    xyz.unenroll()

    assert sentences(xyz)[12] == (
        "Achieved on 6 May 2026, 1 of 1: it counts for the streak. That stays so, although the enrolment ended on "
        "6 May 2026."
    )


def test_xyz_enrolled_again_without_a_reset_goes_on(xyz):
    xyz.unenroll()
    xyz.go_to(16)
    xyz.enroll(resetStreakStatus=False)
    xyz.buy()

    assert levels(xyz) == PAID
    assert sentences(xyz)[12:16] == [
        "Not achieved: 0 of 1 when the enrolment ended on 6 May 2026.",
        "Not a member: the enrolment ended on 6 May 2026.",
        "Not a member: the enrolment ended on 6 May 2026.",
        "Achieved on 5 Jun 2026, 1 of 1: it counts for the streak.",
    ]


def test_xyz_enrolled_again_with_a_reset_begins_anew(xyz):
    xyz.unenroll()
    xyz.go_to(16)
    xyz.enroll(resetStreakStatus=True)
    for cycle in range(16, 20):
        xyz.go_to(cycle)
        xyz.buy()

    assert sentences(xyz)[11] == "Achieved on 26 Apr 2026, 1 of 1: it counted for the streak in run 1."
    assert sentences(xyz)[18] == "Achieved on 5 Jul 2026, 1 of 1: it counts for the streak."
    assert levels(xyz) == [
        "Granted on 5 Jul 2026: 100 points. Reached with c19, in run 2.",
        "Not reached: 4 of 8 cycles in a row. The count began anew with the enrolment of 5 Jun 2026.",
        "Not reached: 4 of 12 cycles in a row. The count began anew with the enrolment of 5 Jun 2026.",
    ]


def test_streak_that_was_broken_says_by_what_and_one_that_was_left_says_when(site):
    xyz = Programme.streak(site, cycles=6, levels=(2,))
    xyz.go_to(1, 0)
    xyz.enroll()
    xyz.buy()
    xyz.go_to(3)
    xyz.buy()
    broken = levels(xyz)
    assert [sentences(xyz)[number] for number in (0, 2)] == [
        "Achieved on 1 Jan 2026, 1 of 1: it counted for the streak, which was broken since.",
        "Achieved on 26 Jan 2026, 1 of 1: it counts for the streak.",
    ]
    xyz.unenroll()

    assert broken == ["Not reached: 1 of 2 cycles in a row. c2 ended without being achieved, so the count began anew."]
    assert levels(xyz) == [f"{broken[0]} The enrolment ended on 26 Jan 2026."]


def test_inactive_programme_says_so(site):
    abc = Programme.milestone(site)
    abc.go_to(1, 0)
    abc.enroll()
    standing, known = asked(abc)
    standing.participation.target.is_active = False

    assert why_cycle(standing, standing.cycles[0], known).text == (
        "Not achieved yet: 0 of 2, and the cycle runs until 10 Jan 2026. The programme is inactive: nothing counts at "
        "present."
    )
