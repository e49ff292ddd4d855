"""The published case 1: milestone ABC with 5 cycles, left in the middle of c1 and of c3."""

import pytest

from tests.journeys.programme import CUSTOMER, Programme

LEFT = ["left"] * 4


def left_in_c1(site, allocation, *, achieved):
    abc = Programme.milestone(site, rewardAllocationType=allocation)
    abc.go_to(1, 0)
    assert abc.enroll()[1]["data"] == CUSTOMER
    abc.go_to(1)
    abc.buy(2 if achieved else 1)
    preview = abc.preview()
    status, answer = abc.unenroll()
    return abc, preview, status, answer


@pytest.mark.parametrize(
    ("allocation", "achieved", "first_verdict", "granted", "warned"),
    [
        ("IMMEDIATE", True, "left_reward_kept", ["c1"], None),
        ("IMMEDIATE", False, "left", [], None),
        ("PERIOD_END", True, "left_reward_forfeited", [], [310201]),
        ("PERIOD_END", False, "left", [], None),
    ],
)
def test_left_in_the_middle_of_c1(site, allocation, achieved, first_verdict, granted, warned):
    abc, preview, status, answer = left_in_c1(site, allocation, achieved=achieved)
    abc.go_to(6)

    codes = answer["warnings"] and [warning["code"] for warning in answer["warnings"]]
    assert (status, answer["data"], codes) == (200, CUSTOMER, warned)
    assert [line["verdict"] for line in preview["cycles"]] == [first_verdict, *LEFT]
    assert [line["verdict"] for line in abc.receipts()[-1]["cycles"]] == [first_verdict, *LEFT]
    assert abc.verdicts() == [first_verdict, *LEFT]
    assert abc.granted() == granted


@pytest.mark.parametrize(
    ("allocation", "achieved", "third_verdict", "granted"),
    [
        ("IMMEDIATE", True, "left_reward_kept", ["c1", "c2", "c3"]),
        ("IMMEDIATE", False, "left", ["c1", "c2"]),
        ("PERIOD_END", True, "left_reward_forfeited", ["c1", "c2"]),
        ("PERIOD_END", False, "left", ["c1", "c2"]),
    ],
)
def test_left_in_the_middle_of_c3(site, allocation, achieved, third_verdict, granted):
    abc = Programme.milestone(site, rewardAllocationType=allocation)
    abc.go_to(1, 0)
    abc.enroll()
    for cycle in (1, 2):
        abc.go_to(cycle)
        abc.buy(2)
    abc.go_to(3)
    abc.buy(2 if achieved else 1)
    before = abc.granted()
    abc.unenroll(reason="Moved abroad")
    abc.go_to(6)

    assert before == granted
    assert abc.granted() == granted
    assert abc.verdicts() == ["kept", "kept", third_verdict, "left", "left"]
    receipt = abc.receipts()[-1]
    assert (receipt["kind"], receipt["reason"], receipt["fromPeriod"]["refCode"]) == (
        "UNENROLLED",
        "Moved abroad",
        "c3",
    )
    assert [line["verdict"] for line in receipt["cycles"]] == ["kept", "kept", third_verdict, "left", "left"]


def test_close_of_c2_that_runs_after_leaving_in_c3_still_pays_c2(site):
    abc = Programme.milestone(site, rewardAllocationType="PERIOD_END", lateDays=7)
    abc.go_to(2, 0)
    abc.enroll()
    abc.buy(2)
    abc.go_to(3)
    abc.buy(2)
    abc.unenroll()
    when_leaving = abc.granted()
    late = abc.buy(1, cycle=2)
    too_late = abc.buy(1, cycle=3)
    abc.go_to(6)

    assert when_leaving == []
    assert late[0]["counted"][0]["value"] == 3
    assert too_late[0]["notCounted"][0]["reason"] == "not_enrolled"
    assert abc.granted() == ["c2"]
    assert abc.verdicts() == ["not_member", "kept", "left_reward_forfeited", "left", "left"]


def test_leaving_at_the_end_of_c3_keeps_c3_and_its_reward(site):
    abc = Programme.milestone(site, rewardAllocationType="PERIOD_END")
    abc.go_to(3)
    abc.enroll()
    abc.buy(2)
    answer = abc.unenroll(effective="endOfCycle")[1]
    scheduled = abc.standing()
    abc.go_to(4)

    assert (answer["data"], answer["warnings"]) == (CUSTOMER, None)
    assert (scheduled["enrolled"], scheduled["leavesAtEndOf"]) == (True, "c3")
    assert abc.unenroll()[1]["errors"][0]["code"] == 310126
    assert (abc.standing()["enrolled"], abc.granted()) == (False, ["c3"])
    assert abc.verdicts() == ["not_member", "not_member", "kept", "left", "left"]


def test_scheduled_leave_is_cancelled_and_he_stays(site):
    abc = Programme.milestone(site)
    abc.go_to(3)
    abc.enroll()
    abc.unenroll(effective="endOfCycle")
    scheduled = abc.receipts()[-1]["receiptId"]

    status, answer = site.post(f"{abc.path}/unEnroll/cancel", [{"customerId": CUSTOMER, "reason": "Changed his mind"}])
    abc.go_to(4)

    assert (status, answer["data"]["kind"], answer["data"]["undoes"]) == (200, "LEAVE_CANCELLED", scheduled)
    assert abc.standing()["enrolled"] is True
    assert abc.verdicts() == ["not_member", "not_member", "kept", "member", "member"]


def test_scheduled_leave_turned_into_an_immediate_one_forfeits(site):
    abc = Programme.milestone(site, rewardAllocationType="PERIOD_END")
    abc.go_to(3)
    abc.enroll()
    abc.buy(2)
    abc.unenroll(effective="endOfCycle")

    answer = abc.unenroll()[1]
    abc.go_to(6)

    assert [warning["code"] for warning in answer["warnings"]] == [310201]
    assert (abc.granted(), abc.verdicts()[2]) == ([], "left_reward_forfeited")


def test_rejoining_the_cycle_left_carries_its_value_on_and_pays_it_at_the_end(site):
    abc = Programme.milestone(site, rewardAllocationType="PERIOD_END", target_value=3)
    abc.go_to(3, 0)
    abc.enroll()
    abc.buy(3)
    abc.unenroll()
    forfeited = abc.verdicts()[2]
    abc.go_to(3, 5)
    abc.enroll()
    abc.go_to(6)

    assert forfeited == "left_reward_forfeited"
    assert abc.granted() == ["c3"]
    assert abc.standing()["cycles"][2]["value"] == 3


def test_rejoining_a_later_cycle_starts_at_nothing(site):
    abc = Programme.milestone(site, target_value=3)
    abc.go_to(1)
    abc.enroll()
    abc.buy(2)
    abc.unenroll()
    abc.go_to(3)
    abc.enroll()

    answer = abc.buy(1)[0]

    assert answer["counted"][0]["value"] == 1
    assert abc.verdicts() == ["left", "left", "member", "member", "member"]


def test_activity_from_the_time_away_never_counts(site):
    abc = Programme.milestone(site)
    abc.go_to(1, 0)
    abc.enroll()
    abc.go_to(1, 2)
    abc.unenroll()
    abc.go_to(1, 6)
    away = abc.buy(1)[0]
    abc.enroll()
    site.post(
        "/v3/activities",
        {"eventId": "x", "eventName": "purchase", "customerId": CUSTOMER, "occurredAt": "2026-01-05T00:00:00Z"},
    )

    assert away["notCounted"][0]["reason"] == "not_enrolled"
    assert abc.standing()["cycles"][0]["value"] == 0
    assert abc.buy(1)[0]["counted"][0]["value"] == 1


def test_balance_at_enrolling_that_reaches_the_target_is_an_achievement(site):
    abc = Programme.milestone(site)
    abc.go_to(2)

    status, answer = abc.enroll(initialBalance=2, resetStreakStatus=False)

    assert (status, answer) == (200, {"data": CUSTOMER, "errors": None, "warnings": None})
    assert abc.granted() == ["c2"]


def test_balance_that_would_achieve_a_cycle_to_come_is_refused(site):
    abc = Programme.milestone(site)
    abc.go_to(2)

    status, answer = abc.enroll(initialBalance=2, periodName="c3")

    assert (status, answer["errors"][0]["code"], abc.receipts()) == (400, 300004, [])


def test_leaving_before_the_joined_cycle_began_leaves_nothing_behind_but_two_receipts(site):
    abc = Programme.milestone(site)
    abc.go_to(1)
    abc.enroll(periodName="c3")

    abc.unenroll()

    assert [each["kind"] for each in abc.receipts()] == ["ENROLLED", "UNENROLLED"]
    assert abc.standing()["stays"][0]["firstPeriod"] == abc.standing()["stays"][0]["endPeriod"] == "c3"
    assert abc.verdicts() == ["not_member", "not_member", "left", "left", "left"]


def test_programme_that_is_over_can_neither_be_left_nor_joined(site):
    abc = Programme.milestone(site)
    abc.go_to(5)
    abc.enroll()
    abc.go_to(6)

    left, joined = abc.unenroll(), abc.enroll()

    assert [each[1]["errors"][0]["code"] for each in (left, joined)] == [310019, 310119]
    assert len(abc.receipts()) == 1


def test_forfeited_then_left_again_below_the_target_is_just_left(site):
    abc = Programme.milestone(site, rewardAllocationType="PERIOD_END")
    abc.go_to(3)
    abc.enroll()
    abc.buy(2)
    abc.unenroll()
    forfeited = abc.verdicts()[2]
    abc.enroll(initialBalance=0)

    status, answer = abc.unenroll()

    assert forfeited == "left_reward_forfeited"
    assert (status, answer["warnings"]) == (200, None)
    assert (abc.receipts()[-1]["cycles"][2]["verdict"], abc.verdicts()[2]) == ("left", "left")


def test_reason_of_every_stay_is_known_however_many_there_are(site):
    abc = Programme.milestone(site)
    abc.go_to(1)
    for number in range(60):
        abc.enroll()
        abc.unenroll(reason=f"R{number}")

    standing = abc.standing()

    assert [stay["reason"] for stay in standing["stays"]] == [f"R{number}" for number in range(60)]
    assert len(standing["receipts"]) == 100


def test_event_ids_that_differ_in_a_blank_are_two_events(site):
    abc = Programme.milestone(site)
    abc.go_to(1)
    abc.enroll()
    event = {"eventName": "purchase", "customerId": CUSTOMER, "occurredAt": "2026-01-02T00:00:00Z"}

    answers = [site.post("/v3/activities", event | {"eventId": name})[1]["data"] for name in ("e1", " e1 ", "e1")]

    assert [each["counted"][0]["value"] for each in answers] == [1, 2, 1]
    assert [each["notCounted"] for each in answers] == [[], [], [{"targetId": None, "reason": "duplicate"}]]


def test_event_of_no_target_that_is_sent_again_answers_its_first_reason_too(site):
    Programme.milestone(site)
    event = {"eventId": "e1", "eventName": "visit", "customerId": CUSTOMER, "occurredAt": "2026-01-02T00:00:00Z"}

    first, again = (site.post("/v3/activities", event)[1]["data"]["notCounted"] for _ in range(2))

    assert [each["reason"] for each in first] == ["no_target"]
    assert [each["reason"] for each in again] == ["no_target", "duplicate"]


def test_preview_of_a_leave_that_is_scheduled_already_answers_the_receipt_in_force(site):
    abc = Programme.milestone(site)
    abc.go_to(3)
    abc.enroll()
    abc.unenroll(effective="endOfCycle", reason="Moved")

    record = {"customerId": CUSTOMER, "effective": "endOfCycle", "reason": "Another"}
    preview = site.post(f"{abc.path}/unEnroll/preview", [record])[1]["data"]

    assert preview == abc.receipts()[-1]
    assert (preview["kind"], preview["reason"]) == ("LEAVE_SCHEDULED", "Moved")
