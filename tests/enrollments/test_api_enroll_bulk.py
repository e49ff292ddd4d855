"""POST .../enroll/bulk: the answers of `enroll`, for many at once."""

from collections import Counter
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from enrollments import joining
from enrollments.enums import Source
from enrollments.models import Participation, Receipt, Stay
from enrollments.operations import ActivityData, enroll, erase_customer, record_activity, unenroll
from rewards.models import Grant
from targets.enums import Allocation, TrackingType
from targets.models import Target
from tests.conftest import SECRET, Site, new_site
from tests.factories import START, ApiUserFactory, CustomerFactory, freeze, make_programme

ACT = {"by": "test", "source": Source.API}
DAY = timedelta(days=1)
NOW = START + 35 * DAY  # in the second cycle
KINDS = {
    "immediate": {},
    "period end": {"allocation": Allocation.PERIOD_END},
    "streak": {"tracking_type": TrackingType.STREAKS, "levels": (1, 2)},
}
FRESH, MEMBER, LEFT, LEFT_THIS_CYCLE, NOBODY = 1, 2, 3, 4, 99

# What a single call answers, and what a bulk call says for it.
OUTCOME_OF_CODE = {
    310119: "already_enrolled",
    310011: "unknown_customer",
    310019: "period_not_found",
    300004: "invalid_balance",
}
RECORDS = [
    {"customerId": FRESH},
    {"customerId": MEMBER},
    {"customerId": LEFT},
    {"customerId": LEFT_THIS_CYCLE},
    {"customerId": NOBODY},
    {"customerId": 2**63},
    {"customerId": -1},
    {"customerId": FRESH, "periodName": "c4"},
    {"customerId": FRESH, "periodName": "c1"},
    {"customerId": FRESH, "periodName": "c9"},
    {"customerId": FRESH, "initialBalance": 2.5},
    {"customerId": FRESH, "initialBalance": 3},
    {"customerId": FRESH, "initialBalance": 3, "periodName": "c4"},
    {"customerId": FRESH, "initialBalance": 999999999999999.5},
    {"customerId": LEFT, "initialBalance": 3, "resetStreakStatus": True},
    {"customerId": LEFT_THIS_CYCLE, "resetStreakStatus": True, "periodName": None},
    {"customerId": LEFT_THIS_CYCLE, "initialBalance": 0, "periodName": ""},
    {"customerId": str(MEMBER), "initialBalance": 3},
]


def scene(site: Site, kind: str, **details: Any) -> Target:
    """Five cycles of 30 days, the second is running; customers as their names say, who achieved the first cycle."""
    site.brand.clock_at = NOW
    site.brand.save()
    target = make_programme(brand=site.brand, name="ABC", **KINDS[kind] | details)
    customers = {
        number: CustomerFactory(brand=site.brand, customer_id=number)
        for number in (FRESH, MEMBER, LEFT, LEFT_THIS_CYCLE)
    }
    for number in (MEMBER, LEFT, LEFT_THIS_CYCLE):
        enroll(customer=customers[number], target=target, at=START, **ACT)
        for event in range(3):
            activity = ActivityData(f"{number} {event}", "purchase", number, START + DAY)
            record_activity(brand=site.brand, activity=activity, at=START + DAY)
    unenroll(customer=customers[LEFT], target=target, at=START + 20 * DAY, **ACT)
    activity = ActivityData("in c2", "purchase", LEFT_THIS_CYCLE, START + 31 * DAY)
    record_activity(brand=site.brand, activity=activity, at=START + 31 * DAY)
    unenroll(customer=customers[LEFT_THIS_CYCLE], target=target, at=START + 32 * DAY, **ACT)
    return target


def path_of(target: Target) -> str:
    return f"/v3/targetGroups/{target.target_group_id}/targets/{target.pk}"


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_ids(inner) for key, inner in value.items() if not key.endswith(("Id", "id", "actor"))}
    return [without_ids(inner) for inner in value] if isinstance(value, list) else value


def account_of(site: Site, target: Target, customer_id: int) -> Any:
    """His whole standing, and every receipt in full."""
    receipts = Receipt.objects.filter(participation__target=target, participation__customer__customer_id=customer_id)
    ids = receipts.order_by("pk").values_list("pk", flat=True)
    paths = [f"{path_of(target)}/enrollments/{customer_id}", *[f"/v3/receipts/{pk}" for pk in ids]]
    return [without_ids(site.get(path)[1]) for path in paths]


@pytest.fixture(scope="module")
def twins(module_db) -> dict[str, list[tuple[Site, Target]]]:
    """Of each kind two brands that differ in nothing."""
    return {kind: [(site, scene(site, kind)) for site in (new_site(), new_site())] for kind in KINDS}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("record", RECORDS, ids=str)
def test_bulk_answers_and_leaves_what_the_single_call_does(twins, kind, record):
    (site, target), (other, twin) = twins[kind]
    customer_id = int(record["customerId"])

    status, single = site.post(f"{path_of(target)}/enroll", [record])
    bulk_status, bulk = other.post(f"{path_of(twin)}/enroll/bulk", {"records": [record]})

    if status == 200:
        expected = "reenrolled" if customer_id in (LEFT, LEFT_THIS_CYCLE) else "enrolled"
    else:
        expected = OUTCOME_OF_CODE[single["errors"][0]["code"]]
    (result,) = bulk["data"]["results"]
    assert (bulk_status, bulk["errors"]) == (200, None)
    assert (result["customerId"], result["outcome"]) == (customer_id, expected)
    assert (result["receiptId"] is not None, result["message"] is None) == (status == 200, status == 200)
    assert bulk["warnings"] == single["warnings"]
    assert account_of(other, twin, customer_id) == account_of(site, target, customer_id)


def test_results_come_in_the_order_sent_and_receipts_share_the_batch(site):
    target = scene(site, "immediate")
    records = [{"customerId": each} for each in (NOBODY, LEFT, FRESH, MEMBER, FRESH)]

    status, answer = site.post(f"{path_of(target)}/enroll/bulk", {"records": records})

    batch = Receipt.objects.filter(batch_id=answer["data"]["batchId"])
    receipts = dict(batch.values_list("participation__customer__customer_id", "pk"))
    assert status == 200
    assert [(each["customerId"], each["outcome"], each["receiptId"]) for each in answer["data"]["results"]] == [
        (NOBODY, "unknown_customer", None),
        (LEFT, "reenrolled", receipts[LEFT]),
        (FRESH, "enrolled", receipts[FRESH]),
        (MEMBER, "already_enrolled", None),
        (FRESH, "duplicate_in_request", None),
    ]
    assert answer["data"]["totals"] == {
        "unknown_customer": 1,
        "reenrolled": 1,
        "enrolled": 1,
        "already_enrolled": 1,
        "duplicate_in_request": 1,
    }
    assert set(receipts) == {LEFT, FRESH}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "records"),
        ([{"customerId": FRESH}], None),
        ({"records": []}, "records"),
        ({"records": [{"customerId": FRESH}], "dryRun": True}, "dryRun"),
        ({"records": [{"customerId": FRESH}, {}]}, "records[1].customerId"),
        ({"records": [{"customerId": FRESH}, {"customerId": 5, "initialBalance": -1}]}, "records[1].initialBalance"),
        ({"records": [{"customerId": FRESH}, {"customerId": 5, "filter": 1}]}, "records[1].filter"),
        ({"records": [{"customerId": FRESH}] * 10_001}, "records"),
    ],
)
def test_wrong_request_is_refused_before_anybody_is_enrolled(site, body, field):
    target = scene(site, "immediate")
    before = Receipt.objects.count()

    status, answer = site.post(f"{path_of(target)}/enroll/bulk", body)

    assert (status, [(error["code"], error.get("field")) for error in answer["errors"]]) == (400, [(300004, field)])
    assert Receipt.objects.count() == before


def test_unknown_target_and_missing_permission_are_refused(site, client_of):
    target = scene(site, "immediate")
    reader = ApiUserFactory(brand=site.brand, with_default_access=False)
    path, body = f"{path_of(target)}/enroll/bulk", {"records": [{"customerId": FRESH}]}

    unknown = site.post(f"/v3/targetGroups/{target.target_group_id}/targets/{target.pk + 1000}/enroll/bulk", body)
    forbidden = client_of(reader.user.username, SECRET).post(path, body, format="json")

    assert (unknown[0], unknown[1]["errors"][0]["code"]) == (404, 310018)
    assert (forbidden.status_code, forbidden.json()["errors"][0]["code"]) == (403, 4000)
    assert not Participation.objects.filter(customer__customer_id=FRESH).exists()


def test_failure_in_the_middle_leaves_nobody_enrolled(site, monkeypatch):
    target = scene(site, "immediate")

    def fail(**details):
        raise RuntimeError

    monkeypatch.setattr(joining, "enroll_newcomers", fail)
    before = Receipt.objects.count()
    records = [{"customerId": LEFT}, {"customerId": FRESH}]
    status, _ = site.post(f"{path_of(target)}/enroll/bulk", {"records": records})

    assert status == 500
    assert Receipt.objects.count() == before
    assert Stay.objects.filter(end_cycle=None, participation__customer__customer_id=LEFT).count() == 0


def test_customers_locked_by_others_are_to_be_tried_again_and_after_three_nobody_is_waited_for(site, monkeypatch):
    target = scene(site, "immediate")
    others = [CustomerFactory(brand=site.brand, customer_id=number) for number in range(5, 9)]
    for customer in others:
        enroll(customer=customer, target=target, at=START, **ACT)
        unenroll(customer=customer, target=target, at=START, **ACT)
    locked = {MEMBER, LEFT, 6}
    enroll_as_usual = joining.enroll
    tried = []

    def locked_by_others(**details):
        tried.append(details["customer"].customer_id)
        if tried[-1] in locked:
            raise OperationalError("canceling statement due to lock timeout\n")
        return enroll_as_usual(**details)

    monkeypatch.setattr(joining, "enroll", locked_by_others)
    records = [{"customerId": each} for each in (MEMBER, LEFT, *[each.customer_id for each in others])]
    status, answer = site.post(f"{path_of(target)}/enroll/bulk", {"records": records})

    assert status == 200
    assert tried == [MEMBER, LEFT, 5, 6]
    assert [(each["customerId"], each["outcome"]) for each in answer["data"]["results"]] == [
        (MEMBER, "try_again"),
        (LEFT, "try_again"),
        (5, "reenrolled"),
        (6, "try_again"),
        (7, "try_again"),
        (8, "try_again"),
    ]
    assert Grant.objects.filter(customer__in=others).count() == 0


# Who calls; the target with its group; customers and participations; the transaction (in a test a savepoint).
FIXED = 6
# The savepoint and its release; the locks; what is decided on; run (not when rejoining), stay and receipt.
PER_MEMBER = 13
# The savepoint and its release; the calendar, twice, and its lock; participations, runs, stays and receipts.
NEWCOMERS = 10


@pytest.mark.parametrize("cycles", [5, 100])
def test_statements_grow_with_those_who_rejoin_and_not_with_newcomers_or_cycles(site, cycles):
    target = scene(site, "immediate", cycles=cycles)

    def statements(members, newcomers):
        numbers = [next(_numbers) for _ in range(members + newcomers)]
        for place, number in enumerate(numbers):
            customer = CustomerFactory(brand=site.brand, customer_id=number)
            if place < members:
                enroll(customer=customer, target=target, at=NOW, **ACT)
                unenroll(customer=customer, target=target, at=NOW, **ACT)
        with CaptureQueriesContext(connection) as captured:
            answer = site.post(
                f"{path_of(target)}/enroll/bulk", {"records": [{"customerId": each} for each in numbers]}
            )
        assert answer[1]["data"]["totals"] == Counter({"reenrolled": members, "enrolled": newcomers}) + Counter()
        return len(captured)

    assert [statements(1, 0), statements(3, 0)] == [FIXED + PER_MEMBER, FIXED + 3 * PER_MEMBER]
    assert [statements(0, 1), statements(0, 30)] == [FIXED + NEWCOMERS] * 2


_numbers = count(10)


def test_newcomer_enrolled_by_somebody_else_meanwhile_is_enrolled_already_and_the_others_are_enrolled(
    site, monkeypatch
):
    target = scene(site, "immediate")
    enroll_all = joining.enroll_newcomers

    def overtaken(**details):
        enroll(customer=details["newcomers"][0].customer, target=target, at=NOW, **ACT)
        return enroll_all(**details)

    monkeypatch.setattr(joining, "enroll_newcomers", overtaken)
    other = CustomerFactory(brand=site.brand, customer_id=5)
    status, answer = site.post(
        f"{path_of(target)}/enroll/bulk", {"records": [{"customerId": 5}, {"customerId": FRESH}]}
    )

    assert (status, [each["outcome"] for each in answer["data"]["results"]]) == (200, ["enrolled", "already_enrolled"])
    assert Stay.objects.filter(participation__customer=other).count() == 1
    assert Stay.objects.filter(participation__customer__customer_id=FRESH).count() == 1


def test_newcomer_erased_meanwhile_is_unknown_and_the_others_are_enrolled(site, monkeypatch):
    target = scene(site, "immediate")
    numbers = [CustomerFactory(brand=site.brand, customer_id=next(_numbers)).customer_id for _ in range(2)]
    enroll_all = joining.enroll_newcomers

    def overtaken(**details):
        erase_customer(customer=details["newcomers"][0].customer, at=NOW, **ACT)
        return enroll_all(**details)

    monkeypatch.setattr(joining, "enroll_newcomers", overtaken)
    records = {"records": [{"customerId": each} for each in numbers]}
    answer = site.post(f"{path_of(target)}/enroll/bulk", records)[1]["data"]

    assert [each["outcome"] for each in answer["results"]] == ["unknown_customer", "enrolled"]
    assert Participation.objects.filter(target=target, customer__erased_at__isnull=False).count() == 0
    assert Participation.objects.filter(target=target, customer__customer_id=numbers[1]).count() == 1


def test_frozen_group_refuses_the_whole_request(site):
    target = scene(site, "immediate")
    number = CustomerFactory(brand=site.brand).customer_id
    freeze(target.target_group)

    status, answer = site.post(f"{path_of(target)}/enroll/bulk", {"records": [{"customerId": number}]})

    assert (status, answer["errors"][0]["code"]) == (404, 310017)
    assert Participation.objects.filter(customer__customer_id=number).count() == 0
