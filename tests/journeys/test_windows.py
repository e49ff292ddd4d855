"""Calendars that are each customer's own, over HTTP: defined, lived through by the clock, left and read."""

from tests.journeys.programme import CUSTOMER, POINTS, Programme, target_of

LENGTH = {"frequencyType": "DAILY", "frequency": 10, "totalPeriods": 3}


def define(site, window, **details):
    allocation = details.pop("rewardAllocationType", "IMMEDIATE")
    target = target_of("ABC", 2) | {"rewardAllocationType": allocation, "reward": POINTS}
    body = {"name": "ABC", "trackingType": "DEFAULT", "timeZoneName": "UTC", "targetEvaluationType": window}
    status, answer = site.post("/v3/targetGroups", body | {"targets": [target]} | LENGTH | details)
    assert status == 201, answer
    assert site.put(f"/v3/customers/{CUSTOMER}", {})[0] == 201
    return Programme(site, answer["data"])


def published(site):
    groups = site.get(f"/v3/users/{CUSTOMER}/targetGroups?includeInactive=true")[1]["data"]["targetGroups"]
    return [
        (each["periodRefCode"], each["periodStartDate"], each["periodEndDate"], each["currentPeriod"])
        for each in groups[0]["targets"]
    ]


def test_cyclic_milestone_is_left_in_his_third_cycle(site):
    abc = define(site, "CYCLIC_WINDOW", rewardAllocationType="PERIOD_END")
    abc.enroll()
    not_begun = published(site)
    site.set_clock("2026-01-05T15:00:00Z")
    [[first], [second]] = [each["counted"] for each in abc.buy(2)]
    site.set_clock("2026-01-16T15:00:00Z")
    abc.buy(2)
    site.set_clock("2026-01-26T15:00:00Z")
    abc.buy(2)
    preview = abc.preview()
    status, answer = abc.unenroll(reason="Moved abroad")
    site.set_clock("2026-03-01T00:00:00Z")

    assert not_begun == [(f"Cycle_{number}", None, None, False) for number in (1, 2, 3)]
    assert (first["value"], second["value"], second["achieved"], second["grants"]) == (1, 2, True, [])
    assert (status, answer["data"], [each["code"] for each in answer["warnings"]]) == (200, CUSTOMER, [310201])
    assert [line["verdict"] for line in preview["cycles"]] == ["kept", "kept", "left_reward_forfeited"]
    receipt = abc.receipts()[-1]
    assert [(line["startDate"], line["endDate"], line["verdict"]) for line in receipt["cycles"]] == [
        ("2026-01-05T15:00:00+00:00", "2026-01-15T15:00:00+00:00", "kept"),
        ("2026-01-15T15:00:00+00:00", "2026-01-25T15:00:00+00:00", "kept"),
        ("2026-01-25T15:00:00+00:00", "2026-02-04T15:00:00+00:00", "left_reward_forfeited"),
    ]
    assert abc.verdicts() == ["kept", "kept", "left_reward_forfeited"]
    grants = abc.standing()["grants"]
    assert [(each["periodRefCode"], each["grantedAt"]) for each in grants] == [
        ("Cycle_1", "2026-01-15T15:00:00+00:00"),
        ("Cycle_2", "2026-01-25T15:00:00+00:00"),
    ]
    assert published(site) == [
        ("Cycle_1", "2026-01-05", "2026-01-15", False),
        ("Cycle_2", "2026-01-15", "2026-01-25", False),
        ("Cycle_3", "2026-01-25", "2026-02-04", False),
    ]


def test_cyclic_milestone_is_joined_again_while_his_calendar_runs_on(site):
    abc = define(site, "CYCLIC_WINDOW")
    abc.enroll()
    site.set_clock("2026-01-05T15:00:00Z")
    abc.buy(2)
    abc.unenroll()
    site.set_clock("2026-01-17T00:00:00Z")
    enrolled = abc.enroll()
    abc.buy(2)

    assert (enrolled[0], abc.granted()) == (200, ["Cycle_1", "Cycle_2"])
    assert abc.verdicts() == ["left_reward_kept", "member", "member"]
    site.set_clock("2026-02-04T15:00:00Z")
    assert [each["code"] for each in abc.unenroll()[1]["errors"]] == [310019]


def test_agnostic_milestone_goes_on_as_he_achieves_until_he_leaves(site):
    abc = define(site, "PERIOD_AGNOSTIC_WINDOW", frequencyType=None, frequency=None)
    abc.enroll()
    site.set_clock("2026-01-05T15:00:00Z")
    [*_, third] = abc.buy(3)
    running = published(site)
    abc.unenroll()
    site.set_clock("2026-05-01T00:00:00Z")
    away = abc.buy()[0]
    again = abc.enroll()[0]
    [[last]] = [each["counted"] for each in abc.buy()]

    [counted] = third["counted"]
    assert (counted["value"], counted["achieved"]) == (1, False)
    assert running == [
        ("Cycle_1", "2026-01-02", "2026-01-05", False),
        ("Cycle_2", "2026-01-05", None, True),
        ("Cycle_3", None, None, False),
    ]
    assert away["notCounted"] == [{"targetId": counted["targetId"], "reason": "not_enrolled"}]
    assert (again, last["value"], last["achieved"], abc.granted()) == (200, 2, True, ["Cycle_1", "Cycle_2"])
    assert abc.verdicts() == ["kept", "kept", "member"]
    assert [each["kind"] for each in abc.receipts()] == ["ENROLLED", "UNENROLLED", "REENROLLED"]


def test_leave_at_the_end_of_the_open_cycle_is_in_the_log_when_it_is_achieved(site):
    abc = define(site, "PERIOD_AGNOSTIC_WINDOW")
    abc.enroll()
    abc.unenroll(effective="endOfCycle")
    path = f"/v3/users/{CUSTOMER}/trackedTargetEvents/{abc.group['targets'][0]['id']}"
    before = [each["eventName"] for each in site.get(path)[1]["data"]]
    enrolled = abc.standing()["enrolled"]
    site.set_clock("2026-02-05T15:00:00Z")
    abc.buy(2)

    assert (enrolled, abc.standing()["enrolled"], abc.standing()["leavesAtEndOf"]) == (True, False, None)
    assert abc.standing()["stays"][0]["unenrolledAt"] == "2026-02-05T15:00:00+00:00"
    after = [each["eventName"] for each in site.get(path)[1]["data"]]
    assert (before, after) == (["ENROL"], ["ENROL", "ADD_TRANSACTION", "ADD_TRANSACTION", "UNENROL"])
