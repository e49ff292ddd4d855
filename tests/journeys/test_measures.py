"""What customers do, measured KPI by KPI and matched by attributes, over HTTP."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.journeys.programme import CUSTOMER, Programme, first_day, target_of


def defined(site, *, zone="UTC", kind="DEFAULT", value=100, cycles=2, levels=(), **details):
    """A programme of 10-day periods in which the customer is enrolled at noon of the first day."""
    target = target_of("ABC", value) | {"rewardAllocationType": "IMMEDIATE"} | details
    streaks = [{"name": f"level {level}", "targetCountOfSequence": level} for level in levels]
    body = {"name": "ABC", "trackingType": kind, "targets": [target], "streaks": streaks}
    abc = Programme.define(site, body, cycles)
    abc.go_to(1, 0)
    assert abc.enroll()[0] == 200
    return abc


def act(abc, name, day=0, *, hour=12, cycle=1, **details):
    """Deliver an event of a day and hour of a cycle; the answer without the event's id."""
    occurred_at = f"{first_day(cycle) + timedelta(days=day)}T{hour:02}:00:00Z"
    event = {"eventId": name, "eventName": "purchase", "customerId": CUSTOMER, "occurredAt": occurred_at}
    return abc.site.post("/v3/activities", event | details)[1]["data"]


def values(answers):
    return [each["counted"][0]["value"] for each in answers]


@pytest.mark.parametrize(
    ("kpi", "total"), [("COUNT", 1), ("SALES", "90.5"), ("GROSS_SALES", "90.5"), ("QUANTITY", 5), ("VISIT", 1)]
)
def test_purchases_and_a_return_are_measured_by_kpi(site, kpi, total):
    abc = defined(site, targetType=kpi)

    answers = [
        act(abc, "e1", amount=Decimal("60.25"), quantity=2),
        act(abc, "e2", amount=Decimal("50.25"), quantity=4),
        act(abc, "e3", amount=-20, quantity=-1),
    ]

    assert values(answers)[-1] == Decimal(total)
    assert abc.standing()["cycles"][0]["value"] == Decimal(total)


def test_numbers_of_an_attribute_are_added_up_and_what_is_none_is_told(site):
    abc = defined(site, targetEntity="EVENT", targetType="EVENT_ATTRIBUTE", attributeName="steps")

    answers = [
        act(abc, "e1", attributes={"steps": Decimal("60.125")}),
        act(abc, "e2", attributes={"steps": "5000"}),
        act(abc, "e3", attributes={"distance": 5}),
        act(abc, "e4", attributes={"steps": 40}, amount=-3),
    ]

    target = abc.group["targets"][0]["id"]
    untold = [{"targetId": target, "reason": "no_number"}]
    assert [each["notCounted"] for each in answers] == [[], untold, untold, []]
    assert (values([answers[0], answers[3]]), answers[3]["counted"][0]["achieved"]) == (
        [Decimal("60.125"), Decimal("100.125")],
        True,
    )


def test_visits_are_days_of_the_groups_zone_in_whatever_order_they_arrive(site):
    abc = defined(site, targetType="VISIT", value=3)
    abc.go_to(1, 4)

    answers = [
        act(abc, "e1", 4, hour=1),
        act(abc, "e2", 2, hour=9),
        act(abc, "e3", 4, hour=0),
        act(abc, "e4", 3, hour=23, amount=-5),
        act(abc, "e5", 2, hour=8),
        act(abc, "e6", 3, hour=1, amount=5),
    ]

    assert values(answers) == [1, 2, 2, 2, 2, 3]
    assert [each["counted"][0]["achieved"] for each in answers] == [False] * 5 + [True]


def test_day_counts_once_across_leaving_returning_and_a_balance(site):
    abc = defined(site, targetType="VISIT")
    act(abc, "e1", hour=12)
    abc.unenroll()
    abc.enroll()
    returned = act(abc, "e2", hour=12)
    abc.unenroll()
    abc.enroll(initialBalance=7)

    same_day = act(abc, "e3", hour=12)
    abc.go_to(1, 1)
    next_day = act(abc, "e4", 1, hour=12)

    assert values([returned, same_day, next_day]) == [1, 7, 8]


def test_day_not_counted_before_a_balance_counts_after_it(site):
    abc = defined(site, targetType="VISIT")
    abc.unenroll()
    abc.enroll(initialBalance=7)

    late = act(abc, "e1", hour=9)
    answers = [act(abc, "e2", hour=12), act(abc, "e3", hour=13)]

    assert late["notCounted"] == [{"targetId": abc.group["targets"][0]["id"], "reason": "before_enrolment"}]
    assert values(answers) == [8, 8]


def test_day_counts_again_in_the_next_run_of_a_streak(site):
    abc = defined(site, kind="STREAKS", targetType="VISIT", value=2, levels=(1, 2))
    before = act(abc, "e1", hour=12)
    abc.unenroll()
    abc.enroll(resetStreakStatus=True)

    answers = [act(abc, "e2", hour=12), act(abc, "e3", hour=13)]

    assert values([before, *answers]) == [1, 1, 1]


def test_activity_whose_attributes_do_not_match_is_of_no_target(site):
    abc = defined(site, match={"store": {"in": ["Berlin", "Pune"]}, "items": {"atLeast": 2}})

    answers = [
        act(abc, "e1", attributes={"store": "Berlin", "items": 2}),
        act(abc, "e2", attributes={"store": "Paris", "items": 2}),
        act(abc, "e3", attributes={"store": "Pune", "items": Decimal("1.999")}),
        act(abc, "e4"),
    ]

    nowhere = [{"targetId": None, "reason": "no_target"}]
    assert [each["notCounted"] for each in answers] == [[], nowhere, nowhere, nowhere]
    assert abc.standing()["cycles"][0]["value"] == 1


def test_activity_that_matches_a_target_he_is_not_in_says_so(site):
    abc = defined(site, match={"store": {"equals": "Berlin"}})
    other = abc.group["targets"][0] | {"name": "Other"}
    periods = [{name: period[name] for name in ("refCode", "startDate", "endDate")} for period in abc.group["periods"]]
    body = {
        "name": "Other",
        "trackingType": "DEFAULT",
        "targetEvaluationType": "FIXED_CALENDAR_WINDOW",
        "periods": periods,
        "targets": [other | {"match": {"store": {"equals": "Pune"}}}],
    }
    assert site.post("/v3/targetGroups", body)[0] == 201

    answer = act(abc, "e1", attributes={"store": "Pune"})

    assert answer["notCounted"] == [{"targetId": None, "reason": "not_enrolled"}]
