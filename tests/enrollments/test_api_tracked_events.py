"""A customer's log in a target, in the published shape (api.md 3)."""

import pytest

from targets.models import TargetGroup
from tests.factories import BrandFactory, CustomerFactory, freeze, make_programme
from tests.journeys.programme import CUSTOMER, Programme, target_of

ABC = {"name": "ABC", "trackingType": "DEFAULT"}


def log(abc, query="", *, customer=CUSTOMER):
    return abc.site.get(f"/v3/users/{customer}/trackedTargetEvents/{abc.group['targets'][0]['id']}{query}")


def told(answer, *names):
    return [tuple(line[name] for name in names) for line in answer["data"]]


def act(abc, event_id, occurred_at, **details):
    event = {"eventId": event_id, "eventName": "purchase", "customerId": CUSTOMER, "occurredAt": occurred_at}
    return abc.site.post("/v3/activities", event | details)[1]["data"]


def test_log_tells_all_that_counted_coming_and_leaving_in_order_of_their_dates(site):
    abc = Programme.milestone(site)
    abc.go_to(1, 0)
    abc.enroll()
    abc.go_to(1)
    act(abc, "second", "2026-01-05T10:00:00.250Z", amount=5)
    act(abc, "first", "2026-01-04T12:00:00+05:30", amount=5)
    act(abc, "returned", "2026-01-06T08:00:00Z", amount=-5)
    act(abc, "outside", "2025-12-31T08:00:00Z")
    abc.unenroll()
    abc.go_to(2)
    abc.enroll()

    status, answer = log(abc)

    receipts = [str(each["receiptId"]) for each in abc.receipts()]
    periods = [each["id"] for each in abc.group["periods"]]
    assert (status, answer["errors"], answer["warnings"]) == (200, [], [])
    assert answer["pagination"] == {"limit": 10, "offset": 0, "total": 6}
    assert told(answer, "eventName", "uniqueId", "eventDate", "eventProcessedDate", "periodId", "targetValue") == [
        ("ENROL", receipts[0], "2026-01-01 12:00:00.0", "2026-01-01 12:00:00.0", periods[0], None),
        ("ADD_TRANSACTION", "first", "2026-01-04 06:30:00.0", "2026-01-06 12:00:00.0", periods[0], 1),
        ("ADD_TRANSACTION", "second", "2026-01-05 10:00:00.25", "2026-01-06 12:00:00.0", periods[0], 1),
        ("RETURN_BILL", "returned", "2026-01-06 08:00:00.0", "2026-01-06 12:00:00.0", periods[0], -1),
        ("UNENROL", receipts[1], "2026-01-06 12:00:00.0", "2026-01-06 12:00:00.0", periods[0], None),
        ("ENROL", receipts[2], "2026-01-16 12:00:00.0", "2026-01-16 12:00:00.0", periods[1], None),
    ]
    assert set(told(answer, "customerId", "eventDisplayName", "targetGroupId", "targetRuleId")) == {
        (CUSTOMER, None, abc.group["id"], abc.group["targets"][0]["id"])
    }
    assert len(set(told(answer, "eventLogId"))) == 6


def test_behavioural_event_has_its_name(site):
    abc = Programme.define(site, ABC | {"targets": [target_of("ABC", 3) | {"targetEntity": "EVENT"}]}, 2)
    abc.go_to(1)
    abc.enroll()
    act(abc, "e1", "2026-01-06T12:00:00Z")

    answer = log(abc)[1]

    assert told(answer, "eventName", "eventDisplayName") == [("ENROL", None), ("GENERIC_EVENT", "purchase")]


def test_what_happened_at_one_instant_is_told_stay_by_stay(site):
    abc = Programme.milestone(site)
    abc.go_to(1)
    abc.enroll()
    abc.buy()
    abc.unenroll()

    assert told(log(abc)[1], "eventName") == [("ENROL",), ("ADD_TRANSACTION",), ("UNENROL",)]

    abc.enroll()
    abc.unenroll()

    names = told(log(abc)[1], "eventName")
    assert [name for name in names if name != ("ADD_TRANSACTION",)] == [("ENROL",), ("UNENROL",)] * 2


def test_scheduled_leave_is_told_when_it_takes_effect_and_a_cancelled_one_never(site):
    abc = Programme.milestone(site)
    abc.go_to(1)
    abc.enroll()
    abc.unenroll(effective="endOfCycle")
    before = told(log(abc)[1], "eventName")
    site.post(f"{abc.path}/unEnroll/cancel", {"customerId": CUSTOMER})
    abc.go_to(2)
    cancelled = told(log(abc)[1], "eventName")
    abc.unenroll(effective="endOfCycle")
    abc.go_to(3)

    answer = log(abc)[1]

    assert (before, cancelled) == ([("ENROL",)], [("ENROL",)])
    assert told(answer, "eventName", "eventDate", "eventProcessedDate", "periodId")[1:] == [
        ("UNENROL", "2026-01-21 00:00:00.0", "2026-01-16 12:00:00.0", abc.group["periods"][2]["id"])
    ]


def test_leave_at_the_end_of_the_last_period_is_of_no_period(site):
    abc = Programme.milestone(site, cycles=1)
    abc.go_to(1)
    abc.enroll()
    abc.unenroll(effective="endOfCycle")
    abc.go_to(2)

    assert told(log(abc)[1], "eventName", "periodId")[1:] == [("UNENROL", None)]


def test_pages_follow_each_other_and_period_narrows_them(site):
    abc = Programme.milestone(site)
    abc.go_to(1)
    abc.enroll()
    abc.buy(4)
    abc.go_to(2)
    abc.buy(2)
    second = abc.group["periods"][1]["id"]

    pages = [log(abc, f"?limit=3&offset={page}")[1] for page in range(4)]
    narrowed = log(abc, f"?periodId={second}&limit=1&offset=1")[1]
    empty = log(abc, f"?periodId={abc.group['periods'][2]['id']}")[1]

    assert [told(page, "uniqueId") for page in pages[1:]] == [[("e3",), ("e4",), ("e5",)], [("e6",)], []]
    assert [page["pagination"] for page in pages] == [{"limit": 3, "offset": page, "total": 7} for page in range(4)]
    assert told(narrowed, "uniqueId", "periodId") == [("e6", second)]
    assert (narrowed["pagination"]["total"], empty["data"], empty["pagination"]["total"]) == (2, [], 0)


def test_log_of_an_inactive_programme_can_be_read_and_without_the_prefix_too(site):
    abc = Programme.milestone(site)
    abc.go_to(1)
    abc.enroll()
    freeze(TargetGroup.objects.get())

    status, answer = site.get(f"/users/{CUSTOMER}/trackedTargetEvents/{abc.group['targets'][0]['id']}")

    assert (status, told(answer, "eventName")) == (200, [("ENROL",)])


@pytest.mark.parametrize(
    ("customer", "target", "query", "status", "code"),
    [
        ("{customer}", "{target}", "?limit=0", 400, 300004),
        ("{customer}", "{target}", "?limit=1001", 400, 300004),
        ("{customer}", "{target}", "?offset=-1", 400, 300004),
        ("{customer}", "{target}", "?periodId=first", 400, 300004),
        ("x", "{target}", "", 400, 300004),
        ("{customer}", "x", "", 400, 300004),
        ("{customer}", "0", "", 404, 310018),
        ("{customer}", str(2**70), "", 404, 310018),
        ("{customer}", "{foreign_target}", "", 404, 310018),
        ("99", "{foreign_target}", "", 404, 310018),
        ("99", "{target}", "", 404, 310011),
        ("{foreigner}", "{target}", "", 404, 310011),
        ("{stranger}", "{target}", "", 404, 310149),
        ("{stranger}", "{target}", "?periodId=0", 404, 310149),
        ("{customer}", "{target}", "?periodId=0", 404, 310019),
        ("{customer}", "{target}", "?periodId={foreign_period}", 404, 310019),
    ],
)
def test_what_is_not_there_is_refused_by_its_code(site, customer, target, query, status, code):
    abc = Programme.milestone(site)
    abc.go_to(1)
    abc.enroll()
    foreign = make_programme(brand=BrandFactory())
    names = {
        "customer": CUSTOMER,
        "target": abc.group["targets"][0]["id"],
        "stranger": CustomerFactory(brand=site.brand).customer_id,
        "foreigner": CustomerFactory(brand=foreign.brand).customer_id,
        "foreign_target": foreign.pk,
        "foreign_period": foreign.target_group.cycles.first().pk,
    }

    path = f"/v3/users/{customer}/trackedTargetEvents/{target}{query}".format(**names)
    answered, answer = site.get(path)

    assert (answered, [each["code"] for each in answer["errors"]]) == (status, [code])


@pytest.mark.parametrize("stays", [1, 3])
def test_log_is_read_in_constant_number_of_statements(site, django_assert_num_queries, stays):
    abc = Programme.milestone(site)
    abc.go_to(1)
    for _ in range(stays):
        abc.enroll()
        abc.buy(2)
        abc.unenroll()

    with django_assert_num_queries(6):
        answer = log(abc)[1]

    assert answer["pagination"]["total"] == 4 * stays
