"""Everything held about a customer, as JSON (docs/privacy.md)."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
import simplejson
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command

from enrollments import export
from enrollments.enums import Source
from enrollments.models import Receipt
from enrollments.operations import ActivityData, enroll, erase_customer, record_activity, unenroll
from rewards.models import Grant
from targets.enums import Kpi, TrackingType
from targets.models import Customer
from tests.enrollments.plan_scene import planned
from tests.factories import START, BrandFactory, CustomerFactory, UserFactory, make_programme

pytestmark = pytest.mark.django_db

ACT = {"by": "test", "source": Source.API}
DAY = timedelta(days=1)


@pytest.fixture
def brand():
    return BrandFactory(name="Coffee")


@pytest.fixture
def customer(brand):
    return CustomerFactory(
        brand=brand,
        customer_id=4242,
        external_id="E-1",
        first_name="Zoë",
        last_name="Bee",
        email="zoe@example.org",
        mobile="+4912345",
    )


def buy(customer, event_id, **details):
    activity = ActivityData(event_id, "purchase", customer.customer_id, START, **details)
    record_activity(brand=customer.brand, activity=activity, at=START)


def exported(number=4242):
    out = StringIO()
    call_command("export_customer", "--brand=coffee", f"--customer={number}", stdout=out)
    return simplejson.loads(out.getvalue(), use_decimal=True)


def test_export_of_a_customer_without_history_has_who_he_is_and_empty_sections(customer):
    told = exported()

    assert told.pop("exportedAt")
    assert told == {
        "customer": {
            "brand": "Coffee",
            "customerId": 4242,
            "externalId": "E-1",
            "firstName": "Zoë",
            "lastName": "Bee",
            "email": "zoe@example.org",
            "mobile": "+4912345",
            "createdAt": customer.created_at.isoformat(),
        },
        "enrolments": [],
        "activities": [],
        "grants": [],
        "receipts": [],
        "edits": [],
        "storedAnswers": [],
        "uploadedLists": [],
    }


def test_export_tells_of_enrolment_activity_grant_receipt_and_edit(brand, customer):
    target = make_programme(brand=brand, name="ABC", cycles=2, kpi=Kpi.SALES, target_value=Decimal(5))
    enroll(customer=customer, target=target, at=START, reason="by phone", request_id="r-1", **ACT)
    buy(customer, "e1", amount=Decimal("7.25"), attributes={"shop": "Pune", "size": Decimal("0.1")})
    unenroll(customer=customer, target=target, at=START + DAY, **ACT)
    LogEntry.objects.create(
        user=UserFactory(username="sam"),
        content_type=ContentType.objects.get_for_model(Customer),
        object_id=str(customer.pk),
        object_repr="4242 (Zoë Bee)",
        action_flag=CHANGE,
        change_message="Changed mobile.",
    )

    told = exported()

    at, left = START.isoformat(), (START + DAY).isoformat()
    grant = Grant.objects.get()
    where = {"targetGroupId": target.target_group_id, "targetGroup": "ABC", "targetId": target.pk, "target": "ABC"}
    stay = {"run": 1, "firstCycle": 1, "endCycle": 1, "enrolledAt": at, "leftAt": left}
    stay |= {"leavesAfterCycle": None, "leavesAt": None}
    progress = {"run": 1, "cycle": 1, "value": Decimal("7.250"), "adjustment": 0, "balanceSetAt": None}
    assert told["enrolments"] == [
        where
        | {
            "firstEnrolledAt": at,
            "changedAt": left,
            "ownCalendarBeganAt": None,
            "ownCalendarClosedThrough": 0,
            "run": 1,
            "runs": [{"number": 1, "startedAt": at}],
            "stays": [stay],
            "progress": [progress | {"achievedAt": at}],
        }
    ]
    assert told["activities"] == [
        {
            "eventId": "e1",
            "eventName": "purchase",
            "occurredAt": at,
            "recordedAt": at,
            "amount": Decimal("7.250"),
            "quantity": None,
            "attributes": {"shop": "Pune", "size": Decimal("0.1")},
            "notCounted": None,
            "outcomes": [
                {
                    "targetId": target.pk,
                    "run": 1,
                    "cycle": 1,
                    "notCounted": None,
                    "change": Decimal("7.250"),
                    "value": Decimal("7.250"),
                    "achieved": True,
                    "grants": [grant.pk],
                }
            ],
        }
    ]
    assert told["grants"] == [
        {
            "grantId": grant.pk,
            "targetId": target.pk,
            "cycle": 1,
            "run": 1,
            "level": None,
            "allocation": "IMMEDIATE",
            "reward": {"name": "100 points", "kind": "POINTS", "value": Decimal(100), "payload": {}},
            "achievedAt": at,
            "grantedAt": at,
        }
    ]
    joined, leaving = told["receipts"]
    assert (joined["kind"], joined["reason"], joined["requestId"]) == ("ENROLLED", "by phone", "r-1")
    assert [(each["name"], each["verdict"], each["value"], each["grantId"]) for each in leaving["cycles"]] == [
        ("c1", "left_reward_kept", Decimal("7.250"), grant.pk),
        ("c2", "left", None, None),
    ]
    assert [(each["by"], each["calledHim"], each["what"]) for each in told["edits"]] == [
        ("sam", "4242 (Zoë Bee)", "Changed mobile.")
    ]


def test_export_of_a_streak_tells_its_levels(brand, customer):
    target = make_programme(brand=brand, tracking_type=TrackingType.STREAKS, levels=(1, 2), target_value=1)
    enroll(customer=customer, target=target, at=START, **ACT)
    buy(customer, "e1")
    unenroll(customer=customer, target=target, at=START + DAY, **ACT)

    told = exported()

    assert [each["level"] for each in told["grants"]] == [Grant.objects.get().level.name]
    assert [(each["count"], each["verdict"]) for each in told["receipts"][1]["levels"]] == [
        (1, "kept"),
        (2, "not_reached"),
    ]


def test_export_tells_nothing_of_others(brand, customer):
    target = make_programme(brand=brand)
    other = CustomerFactory(brand=brand)
    enroll(customer=other, target=target, at=START, **ACT)
    buy(other, "e1")

    told = exported()

    assert [told[name] for name in ("enrolments", "activities", "grants", "receipts")] == [[]] * 4


def test_export_reads_a_few_rows_at_a_time_and_leaves_none_out(brand, customer, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(export, "AT_ONCE", 2)
    for number in range(5):
        buy(customer, f"e{number}")
    rows = dict(export.sections(customer))["activities"]

    with django_assert_num_queries(4):  # two rounds: activities, and their outcomes
        told = [next(rows)["eventId"] for _ in range(3)]
    told += [each["eventId"] for each in rows]

    assert told == ["e0", "e1", "e2", "e3", "e4"]


def test_export_changes_nothing(brand, customer):
    enroll(customer=customer, target=make_programme(brand=brand), at=START, **ACT)
    before = list(Receipt.objects.values()), list(Customer.objects.values())

    exported()

    assert (list(Receipt.objects.values()), list(Customer.objects.values())) == before


def test_export_of_nobody_or_of_somebody_erased_is_refused(customer):
    erase_customer(customer=customer, at=START, **ACT)

    with pytest.raises(CommandError, match="this brand has no customer 5") as unknown:
        exported(5)
    with pytest.raises(CommandError, match="Customer 4242 was erased on 2026-01-01") as erased:
        exported()

    assert (unknown.value.returncode, erased.value.returncode) == (2, 2)


def test_export_tells_of_lists_of_many_in_which_he_stands(customer):
    target = make_programme(brand=customer.brand)
    plan = planned(target, customer.customer_id, 404, by="sam")

    (told,) = exported()["uploadedLists"]

    assert told.pop("uploadedAt")
    assert told == {
        "targetGroupId": target.target_group_id,
        "targetId": target.pk,
        "by": "sam",
        "reason": plan.reason,
        "plan": "never_enrolled",
        "outcome": None,
        "receiptId": None,
    }
