"""POST .../unEnroll/bulk: what `unEnroll` does, for many at once."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollments.enums import Effective, Source
from enrollments.models import Receipt, Stay
from enrollments.operations import ActivityData, enroll, record_activity, unenroll, unenroll_together
from targets.enums import Allocation, EvaluationType, TrackingType
from targets.models import Target
from tests.factories import START, CustomerFactory, freeze, make_programme

ACT = {"by": "test", "source": Source.API}
DAY = timedelta(days=1)
MEMBER, ACHIEVED, LEFT, NEVER, SCHEDULED, NOBODY = 1, 2, 3, 4, 5, 99


@pytest.fixture
def target(site):
    """At noon of the second day: a member, one who has achieved, one who has left, one never in it, one who leaves."""
    made = make_programme(brand=site.brand, allocation=Allocation.PERIOD_END, target_value=1)
    for number in (MEMBER, ACHIEVED, LEFT, NEVER, SCHEDULED):
        customer = CustomerFactory(brand=site.brand, customer_id=number)
        if number != NEVER:
            enroll(customer=customer, target=made, at=START, **ACT)
        if number in (LEFT, SCHEDULED):
            effective = Effective.NOW if number == LEFT else Effective.END_OF_CYCLE
            unenroll(customer=customer, target=made, at=START, effective=effective, **ACT)
    record_activity(brand=site.brand, activity=ActivityData("e", "purchase", ACHIEVED, START), at=START)
    return made


def path_of(target: Target) -> str:
    return f"/v3/targetGroups/{target.target_group_id}/targets/{target.pk}/unEnroll/bulk"


def rows() -> list:
    return [*Receipt.objects.order_by("pk").values(), *Stay.objects.order_by("pk").values()]


def test_each_customer_is_answered_in_his_place(site, target):
    body = {"customerIds": [NOBODY, str(MEMBER), 2**63, ACHIEVED, -1, LEFT, NEVER, SCHEDULED, MEMBER], "reason": "over"}

    status, answer = site.post(path_of(target), body)

    data = answer["data"]
    written = Receipt.objects.filter(batch_id=data["batchId"]).select_related("participation__customer")
    no_such = "This brand has no such customer."
    assert (status, answer["errors"], answer["warnings"]) == (200, None, None)
    assert [(each["customerId"], each["outcome"], each["forfeited"], each["message"]) for each in data["results"]] == [
        (NOBODY, "unknown_customer", [], no_such),
        (MEMBER, "unenrolled", [], None),
        (2**63, "unknown_customer", [], no_such),
        (ACHIEVED, "unenrolled", ["c1"], None),
        (-1, "unknown_customer", [], no_such),
        (
            LEFT,
            "already_left",
            [],
            f"Customer 3 is not enrolled in target {target.pk}: he left at 2026-01-01T00:00:00+0000.",
        ),
        (NEVER, "never_enrolled", [], f"Customer 4 is not enrolled in target {target.pk}: he never was."),
        (SCHEDULED, "unenrolled", [], None),
        (MEMBER, "duplicate_in_request", [], None),
    ]
    assert data["totals"] == {
        "unknown_customer": 3,
        "unenrolled": 3,
        "already_left": 1,
        "never_enrolled": 1,
        "duplicate_in_request": 1,
    }
    assert {each["customerId"]: each["receiptId"] for each in data["results"] if each["receiptId"]} == {
        each.participation.customer.customer_id: each.pk for each in written
    }
    assert {(each.reason, each.actor, each.source, each.kind) for each in written} == {
        ("over", site.username, "API", "UNENROLLED")
    }


def test_leave_at_the_end_of_the_period_is_scheduled_once(site, target):
    body = {"customerIds": [MEMBER, SCHEDULED], "effective": "endOfCycle"}
    in_force = Stay.objects.get(participation__customer__customer_id=SCHEDULED).leave_receipt_id

    status, answer = site.post(path_of(target), body)

    first, second = answer["data"]["results"]
    assert (status, answer["data"]["totals"]) == (200, {"scheduled": 2})
    assert (first["message"], second["message"]) == (None, "The leave had been scheduled before: nothing changed.")
    assert second["receiptId"] == in_force
    assert Receipt.objects.get(batch_id=answer["data"]["batchId"]).pk == first["receiptId"]


@pytest.mark.parametrize(
    "body",
    [
        {"customerIds": [MEMBER, ACHIEVED, NOBODY], "dryRun": True},
        {"customerIds": [MEMBER, SCHEDULED], "effective": "endOfCycle", "dryRun": True},
        {"customerIds": [LEFT, NEVER]},
    ],
)
def test_nothing_is_written_of_a_dry_run_nor_where_nobody_can_leave(site, target, body):
    before = rows()

    status, answer = site.post(path_of(target), body)

    assert (status, rows()) == (200, before)
    assert (answer["data"]["batchId"] is None) == ("dryRun" in body)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"customerIds": []}, "customerIds"),
        ({"customerIds": [1] * 10_001}, "customerIds"),
        ({"customerIds": [1, "x"]}, "customerIds[1]"),
        ({"customerIds": [1], "reason": "x" * 501}, "reason"),
        ({"customerIds": [1], "effective": "tomorrow"}, "effective"),
        ({"customerIds": [1], "dryRun": "yes"}, "dryRun"),
        ({"customerIds": [1], "records": []}, "records"),
    ],
)
def test_body_that_is_wrong_is_refused_as_a_whole(site, target, body, field):
    before = rows()

    status, answer = site.post(path_of(target), body)

    assert (status, answer["errors"][0]["code"], answer["errors"][0]["field"]) == (400, 300004, field)
    assert rows() == before


def test_inactive_programme_is_refused(site, target):
    freeze(target.target_group)
    before = rows()

    status, answer = site.post(path_of(target), {"customerIds": [MEMBER]})

    assert (status, answer["errors"][0]["code"], rows()) == (404, 310017, before)


def test_own_calendars_are_left_one_by_one(site):
    target = make_programme(brand=site.brand, window=EvaluationType.CYCLIC_WINDOW)
    enroll(customer=CustomerFactory(brand=site.brand, customer_id=MEMBER), target=target, at=START, **ACT)

    status, answer = site.post(path_of(target), {"customerIds": [NOBODY, MEMBER, MEMBER]})

    outcomes = [each["outcome"] for each in answer["data"]["results"]]
    assert (status, outcomes) == (200, ["unknown_customer", "unenrolled", "duplicate_in_request"])
    assert Stay.objects.get().end_cycle == 1


def test_one_and_thirty_customers_cost_the_same_statements(site):
    target = make_programme(brand=site.brand)
    for number in range(1, 32):
        customer = CustomerFactory(brand=site.brand, customer_id=number)
        enroll(customer=customer, target=target, at=START, **ACT)
    counts = []
    for numbers in ([1], list(range(2, 32))):
        with CaptureQueriesContext(
            connection,
        ) as statements:
            answer = site.post(path_of(target), {"customerIds": numbers})[1]
        assert answer["data"]["totals"] == {"unenrolled": len(numbers)}
        counts.append(len(statements))

    assert counts[0] == counts[1]


def test_streak_count_is_that_since_the_last_period_missed(site):
    """Missed, achieved, missed, achieved: the last one only counts."""
    target = make_programme(brand=site.brand, tracking_type=TrackingType.STREAKS, levels=(2,), target_value=1)
    enroll(customer=CustomerFactory(brand=site.brand, customer_id=MEMBER), target=target, at=START, **ACT)
    for day in (35, 95):
        at = START + day * DAY
        record_activity(brand=site.brand, activity=ActivityData(f"e{day}", "purchase", MEMBER, at), at=at)

    unenroll_together(target=target, customer_ids=[MEMBER], at=START + 125 * DAY, **ACT)

    receipt = Receipt.objects.get(kind="UNENROLLED")
    assert (receipt.streak_count, receipt.running_cycle, receipt.running_verdict) == (1, 5, "left")
