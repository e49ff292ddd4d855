"""Receipts, grants, enrolments and a customer's programmes, as the API tells them (api.md 5 and 7)."""

import time

import pytest
from django.db import connection

from targets.models import TargetGroup
from tests.conftest import new_site
from tests.factories import freeze
from tests.journeys.programme import CUSTOMER, POINTS, Programme


def left_in_c3(site, **details):
    """Enrolled in c1, each of c1 to c3 achieved, left in c3."""
    abc = Programme.milestone(site, cycles=4, **details)
    abc.go_to(1, 0)
    abc.enroll()
    for cycle in (1, 2, 3):
        abc.go_to(cycle)
        abc.buy(2)
    abc.unenroll(reason="Moved abroad")
    return abc


def wait_for_other_transactions():
    """Feeds end before the oldest transaction of the database server: also those of tests that run beside this one."""
    give_up_at = time.monotonic() + 60
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")
        [now] = cursor.fetchone()
        is_over = False
        while not is_over:
            assert time.monotonic() < give_up_at
            time.sleep(0.01)
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) > %s::xid8", [now])
            [is_over] = cursor.fetchone()


def pages(site, path, limit):
    """All rows of a feed, page by page, and how many pages had any."""
    wait_for_other_transactions()
    rows, count, after = [], 0, ""
    while True:
        answer = site.get(f"{path}?limit={limit}&after={after}")[1]
        assert answer["pagination"]["limit"] == limit
        if not answer["data"]:
            assert answer["pagination"]["next"] == (after or None)
            return rows, count
        rows += answer["data"]
        count += 1
        after = answer["pagination"]["next"]


def test_receipt_says_everything_about_a_leave(committed_site):
    abc = left_in_c3(committed_site, rewardAllocationType="PERIOD_END")
    periods = abc.group["periods"]

    receipt = abc.receipts()[-1]

    grants = [grant["grantId"] for grant in abc.standing()["grants"]]
    lines = receipt.pop("cycles")
    warnings = receipt.pop("warnings")
    request_id, receipt_id = receipt.pop("requestId"), receipt.pop("receiptId")
    assert receipt == {
        "kind": "UNENROLLED",
        "undoes": None,
        "batchId": None,
        "customerId": CUSTOMER,
        "targetGroupId": abc.group["id"],
        "targetId": abc.group["targets"][0]["id"],
        "effectiveAt": "2026-01-26T12:00:00+00:00",
        "recordedAt": "2026-01-26T12:00:00+00:00",
        "source": "API",
        "actor": committed_site.username,
        "reason": "Moved abroad",
        "fromPeriod": {"id": periods[2]["id"], "number": 3, "refCode": "c3"},
        "run": 1,
        "streakCount": 0,
        "levels": [],
    }
    assert [warning["code"] for warning in warnings] == [310201]
    assert (len(request_id), isinstance(receipt_id, int)) == (32, True)
    assert [
        (each["number"], each["refCode"], each["periodId"], each["verdict"], each["value"], each["grantId"])
        for each in lines
    ] == [
        (1, "c1", periods[0]["id"], "kept", 2, grants[0]),
        (2, "c2", periods[1]["id"], "kept", 2, grants[1]),
        (3, "c3", periods[2]["id"], "left_reward_forfeited", 2, None),
        (4, "c4", periods[3]["id"], "left", None, None),
    ]
    assert (lines[0]["startDate"], lines[0]["endDate"]) == ("2026-01-01T00:00:00+00:00", "2026-01-11T00:00:00+00:00")
    assert (lines[0]["targetValue"], lines[0]["achievedAt"]) == (2, "2026-01-06T12:00:00+00:00")


def test_receipt_reads_the_same_for_ever(committed_site):
    abc = Programme.milestone(committed_site, rewardAllocationType="PERIOD_END", lateDays=7)
    abc.go_to(2, 0)
    abc.enroll()
    abc.buy(2)
    abc.go_to(3)
    abc.unenroll()
    when_written = abc.receipts()

    abc.buy(1, cycle=2)
    abc.go_to(3, 8)  # pays c2
    abc.enroll()
    abc.buy(2)
    abc.go_to(5)

    assert abc.granted() == ["c2", "c3"]
    assert abc.receipts()[:2] == when_written
    assert when_written[-1]["cycles"][1] | {"verdict": "kept", "grantId": None} == when_written[-1]["cycles"][1]


def test_feed_of_receipts_has_all_oldest_first_page_by_page(committed_site):
    abc = Programme.milestone(committed_site)
    abc.go_to(1)
    for _ in range(3):
        abc.enroll()
        abc.unenroll()

    rows, count = pages(committed_site, "/v3/receipts", 4)

    kinds = ["ENROLLED", "UNENROLLED", "REENROLLED", "UNENROLLED", "REENROLLED", "UNENROLLED"]
    assert (count, [row["kind"] for row in rows]) == (2, kinds)
    assert rows == abc.receipts()


def test_feed_of_grants_has_all_oldest_first_page_by_page(committed_site):
    abc = left_in_c3(committed_site)

    rows, count = pages(committed_site, "/v3/rewardGrants", 2)

    assert (count, [row["periodRefCode"] for row in rows]) == (2, ["c1", "c2", "c3"])
    assert rows == abc.standing()["grants"]
    assert rows[0] | {"grantId": 0, "periodId": 0} == {
        "grantId": 0,
        "customerId": CUSTOMER,
        "targetGroupId": abc.group["id"],
        "targetId": abc.group["targets"][0]["id"],
        "periodId": 0,
        "periodRefCode": "c1",
        "streakId": None,
        "streakName": None,
        "run": 1,
        "allocation": "IMMEDIATE",
        "reward": POINTS | {"payload": {}},
        "achievedAt": "2026-01-06T12:00:00+00:00",
        "grantedAt": "2026-01-06T12:00:00+00:00",
    }


def test_nothing_of_another_brand_is_seen(committed_site):
    abc = left_in_c3(committed_site)
    receipt_id = abc.receipts()[0]["receiptId"]
    target = f"/v3{abc.path}"
    other = new_site()
    other.put(f"/v3/customers/{CUSTOMER}", {})

    lists = [other.get(path)[1]["data"] for path in ("/v3/receipts", "/v3/rewardGrants")]
    programmes = other.get(f"/v3/users/{CUSTOMER}/targetGroups?includeInactive=true")[1]["data"]["targetGroups"]
    refusals = [
        other.get(path)[1]["errors"][0]["code"]
        for path in (
            f"/v3/receipts/{receipt_id}",
            f"/v3/targetGroups/{abc.group['id']}",
            f"{target}/enrollments/{CUSTOMER}",
        )
    ]

    assert (lists, programmes, refusals) == ([[], []], [], [4040, 310017, 310017])


def test_enrollment_tells_stays_progress_grants_and_receipts(committed_site):
    abc = left_in_c3(committed_site)
    abc.go_to(4)
    abc.enroll()

    standing = abc.standing()

    assert [(each["kind"], each["reason"]) for each in standing["receipts"]] == [
        ("ENROLLED", ""),
        ("UNENROLLED", "Moved abroad"),
        ("REENROLLED", ""),
    ]
    assert [each["periodRefCode"] for each in standing["grants"]] == ["c1", "c2", "c3"]
    assert [(each["verdict"], each["value"]) for each in standing["cycles"]] == [
        ("kept", 2),
        ("kept", 2),
        ("left_reward_kept", 2),
        ("member", 0),
    ]
    assert standing["stays"] == [
        {
            "firstPeriod": "c1",
            "endPeriod": "c3",
            "enrolledAt": "2026-01-01T12:00:00+00:00",
            "unenrolledAt": "2026-01-26T12:00:00+00:00",
            "reason": "Moved abroad",
            "run": 1,
        },
        {
            "firstPeriod": "c4",
            "endPeriod": None,
            "enrolledAt": "2026-02-05T12:00:00+00:00",
            "unenrolledAt": None,
            "reason": None,
            "run": 1,
        },
    ]
    assert {name: standing[name] for name in ("customerId", "enrolled", "leavesAtEndOf", "run", "streakCount")} == {
        "customerId": CUSTOMER,
        "enrolled": True,
        "leavesAtEndOf": None,
        "run": 1,
        "streakCount": 0,
    }


def test_enrollment_of_who_never_was_is_empty(site):
    abc = Programme.milestone(site)

    standing = abc.standing()

    assert (standing["enrolled"], standing["run"], standing["stays"], standing["receipts"]) == (False, None, [], [])
    assert abc.verdicts() == ["not_member"] * 5


def test_programmes_of_a_customer_have_the_published_shape(site):
    abc = left_in_c3(site)
    group, target = abc.group, abc.group["targets"][0]

    status, answer = site.get(f"/users/{CUSTOMER}/targetGroups?includeInactive=true")

    data = answer["data"]
    (programme,) = data.pop("targetGroups")
    lines = programme.pop("targets")
    assert (status, answer["errors"], answer["warnings"]) == (200, None, None)
    assert data == {
        "userId": CUSTOMER,
        "customer": {"id": CUSTOMER, "profiles": [], "loyaltyInfo": {}, "customFields": {}},
    }
    assert programme == {
        "id": group["id"],
        "name": "ABC",
        "trackingType": "DEFAULT",
        "targetEvaluationType": "FIXED_CALENDAR_WINDOW",
        "preferredTillId": None,
        "attribution": group["attribution"],
    }
    assert isinstance(lines[0].pop("targetId"), int)
    assert lines[0] == {
        "targetRuleId": target["id"],
        "targetName": "ABC",
        "targetType": "COUNT",
        "targetEntity": "TRANSACTION",
        "eventName": "purchase",
        "periodId": group["periods"][0]["id"],
        "periodRefCode": "c1",
        "periodStartDate": "2026-01-01",
        "periodEndDate": "2026-01-10",
        "periodStartDateWithTimeStamp": "2026-01-01T00:00:00.000Z",
        "periodEndDateWithTimeStamp": "2026-01-10T23:59:59.000Z",
        "targetValue": 2,
        "targetAchievedValue": 2,
        "targetAchievedDateTime": "2026-01-06T12:00:00.000+0000",
        "enrolledOn": "2026-01-01T12:00:00.000+0000",
        "currentPeriod": False,
        "milestones": None,
        "unEnrolled": False,
    }
    assert [line["unEnrolled"] for line in lines] == [False, False, True, True]
    assert lines[3]["targetId"] is None


def test_programmes_list_the_running_period_only_unless_asked_for_all(site):
    left_in_c3(site)

    lines = site.get(f"/v3/users/{CUSTOMER}/targetGroups")[1]["data"]["targetGroups"][0]["targets"]

    assert [(line["periodRefCode"], line["currentPeriod"], line["unEnrolled"]) for line in lines] == [
        ("c3", True, True)
    ]


@pytest.mark.parametrize(("query", "found"), [("", 0), ("includeInactiveTargets=true", 1)])
def test_inactive_programmes_are_listed_when_asked_for(site, query, found):
    abc = left_in_c3(site)
    freeze(TargetGroup.objects.get(pk=abc.group["id"]))

    groups = site.get(f"/v3/users/{CUSTOMER}/targetGroups?{query}")[1]["data"]["targetGroups"]

    assert len(groups) == found


def test_programmes_can_be_asked_for_one_target(site):
    abc = left_in_c3(site)

    found = [
        len(site.get(f"/v3/users/{CUSTOMER}/targetGroups?targetRuleId={number}")[1]["data"]["targetGroups"])
        for number in (abc.group["targets"][0]["id"], 0, 2**63)
    ]

    assert found == [1, 0, 0]


def test_streak_has_an_entry_for_each_level(site):
    xyz = Programme.streak(site, cycles=5, levels=(1, 3))
    xyz.go_to(1)
    xyz.enroll()
    xyz.buy()

    (programme,) = site.get(f"/v3/users/{CUSTOMER}/targetGroups")[1]["data"]["targetGroups"]

    first, second = xyz.group["streaks"]
    progress = programme["targets"][0]["targetId"]
    grant = xyz.standing()["grants"][0]["grantId"]
    assert programme["streaks"] == [
        {
            "userStreakId": grant,
            "streakId": first["id"],
            "streakName": "XYZ 1",
            "status": "ACHIEVED",
            "currentCount": 1,
            "totalTargetCountOfSequence": 1,
            "streakAchievedUserTargetId": progress,
            "streakAchievedDateTime": "2026-01-06T12:00:00.000+0000",
        },
        {
            "userStreakId": None,
            "streakId": second["id"],
            "streakName": "XYZ 3",
            "status": "INPROGRESS",
            "currentCount": 1,
            "totalTargetCountOfSequence": 3,
            "streakAchievedUserTargetId": None,
            "streakAchievedDateTime": None,
        },
    ]
