"""Up to 1,000 activities in one call, each answered for itself."""

from decimal import Decimal

from enrollments.models import Activity
from tests.journeys.programme import CUSTOMER, Programme

NOON = "2026-01-06T12:00:00Z"


def running(site):
    abc = Programme.milestone(site, target_value=995)
    abc.go_to(1)
    abc.enroll()
    return abc


def event(event_id, **details):
    return {"eventId": event_id, "eventName": "purchase", "customerId": CUSTOMER, "occurredAt": NOON} | details


def counted(abc, event_id, value, *, achieved=False, grants=()):
    line = {
        "targetId": abc.group["targets"][0]["id"],
        "periodId": abc.group["periods"][0]["id"],
        "value": Decimal(value),
        "achieved": achieved,
        "grants": list(grants),
    }
    return {"eventId": event_id, "counted": [line], "notCounted": []}


def not_counted(event_id, reason, target_id=None):
    return {"eventId": event_id, "counted": [], "notCounted": [{"targetId": target_id, "reason": reason}]}


def test_each_of_a_thousand_is_answered_in_order_whatever_becomes_of_the_others(site):
    abc = running(site)
    target_id = abc.group["targets"][0]["id"]
    refused = [
        event("stranger", customerId=99),
        event("e1", amount=5),
        event("unknown name", eventName="visit"),
        event("too early", occurredAt="2025-12-31T23:59:59Z"),
        event("e2"),
    ]
    sound = [event(f"e{number}") for number in range(1, 996)]
    batch = [*sound[:500], *refused, *sound[500:]]

    status, answer = site.post("/v3/activities", batch)

    answers = answer["data"]
    [grant] = abc.standing()["grants"]
    again = counted(abc, "e2", 2)
    again["notCounted"] = [{"targetId": None, "reason": "duplicate"}]
    assert (status, len(answers)) == (200, 1000)
    assert answers[500:505] == [
        not_counted("stranger", "unknown_customer"),
        not_counted("e1", "event_id_conflict"),
        not_counted("unknown name", "no_target"),
        not_counted("too early", "no_cycle", target_id),
        again,
    ]
    assert answers[:500] + answers[505:-1] == [counted(abc, f"e{number}", number) for number in range(1, 995)]
    assert answers[-1] == counted(abc, "e995", 995, achieved=True, grants=[grant["grantId"]])


def test_batch_sent_again_answers_the_first_outcomes_and_changes_nothing(site):
    abc = running(site)
    batch = [event("e1"), event("e2", occurredAt="2026-02-25T12:00:00Z"), event("e3")]
    first = site.post("/v3/activities", batch)[1]["data"]

    status, answer = site.post("/v3/activities", batch)

    said = [{"targetId": None, "reason": "duplicate"}]
    assert (status, answer["data"]) == (200, [each | {"notCounted": each["notCounted"] + said} for each in first])
    assert (abc.standing()["cycles"][0]["value"], Activity.objects.count()) == (2, 3)


def test_batch_with_one_that_cannot_be_read_is_refused_as_a_whole_naming_it(site):
    running(site)

    status, answer = site.post("/v3/activities", [event("e1"), event("e2", occurredAt="yesterday"), event("e3")])

    assert (status, [(each["code"], each["field"]) for each in answer["errors"]]) == (
        400,
        [(300004, "[1].occurredAt")],
    )
    assert Activity.objects.count() == 0


def test_batch_of_more_than_a_thousand_is_refused(site):
    running(site)

    status, answer = site.post("/v3/activities", [event(f"e{number}") for number in range(1001)])

    assert (status, answer["errors"][0]["code"], Activity.objects.count()) == (400, 300004, 0)
