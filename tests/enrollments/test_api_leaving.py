"""The published calls over HTTP."""

from datetime import timedelta

import pytest

from enrollments.models import Receipt, Stay
from rewards.models import Grant
from targets.models import Brand
from tests.factories import SECRET, START, ApiUserFactory, CustomerFactory, make_programme

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(client_of):
    brand = Brand.objects.create(name="Sandbox", sandbox=True, clock_at=START + timedelta(days=1))
    user = ApiUserFactory(brand=brand)
    return brand, client_of(user.user.username, SECRET)


def post(client, target, call, record):
    url = f"/targetGroups/{target.target_group_id}/targets/{target.pk}/{call}"
    return client.post(url, [record], content_type="application/json")


def test_unenroll_of_enrolled_customer_answers_his_id_and_leaves_running_cycle(site):
    brand, client = site
    target = make_programme(brand=brand)
    customer = CustomerFactory(brand=brand)
    enrolled = post(client, target, "enroll", {"customerId": customer.customer_id, "resetStreakStatus": False})

    preview = post(client, target, "unEnroll/preview", {"customerId": customer.customer_id})
    left = post(client, target, "unEnroll", {"customerId": customer.customer_id})

    assert enrolled.json() == {"data": customer.customer_id, "errors": None, "warnings": None}
    assert left.json() == {"data": customer.customer_id, "errors": None, "warnings": None}
    assert [line["verdict"] for line in preview.json()["data"]["cycles"]] == ["left"] * 5
    assert preview.json()["data"]["receiptId"] is None
    assert list(Stay.objects.values_list("first_cycle", "end_cycle")) == [(1, 1)]
    assert list(Receipt.objects.order_by("pk").values_list("kind", flat=True)) == ["ENROLLED", "UNENROLLED"]


def test_unenroll_twice_is_refused_and_changes_nothing(site):
    brand, client = site
    target = make_programme(brand=brand)
    customer = CustomerFactory(brand=brand)
    post(client, target, "enroll", {"customerId": customer.customer_id})
    post(client, target, "unEnroll", {"customerId": customer.customer_id})

    again = post(client, target, "unEnroll", {"customerId": customer.customer_id})

    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, 310126)
    assert Receipt.objects.count() == 2


def test_unenroll_from_target_of_other_brand_looks_unknown(site):
    _, client = site
    other = make_programme()

    answer = post(client, other, "unEnroll", {"customerId": 1})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, 310017)


def test_forfeiting_a_period_end_reward_is_said_as_warning_and_never_paid(site):
    brand, client = site
    target = make_programme(brand=brand, allocation="PERIOD_END", target_value=1)
    customer = CustomerFactory(brand=brand)
    post(client, target, "enroll", {"customerId": customer.customer_id})
    event = {"eventId": "e", "eventName": "purchase", "customerId": customer.customer_id}
    event["occurredAt"] = "2026-01-02T00:00:00Z"
    recorded = client.post("/v3/activities", event, content_type="application/json")

    left = post(client, target, "unEnroll", {"customerId": customer.customer_id})
    moved = client.put("/v3/clock", {"now": "2026-08-01T00:00:00Z"}, content_type="application/json")

    assert recorded.json()["data"]["counted"][0]["achieved"] is True
    assert [warning["code"] for warning in left.json()["warnings"]] == [310201]
    assert moved.json()["data"] == {"now": "2026-08-01T00:00:00+00:00", "sandbox": True}
    assert Grant.objects.count() == 0


def test_leaving_in_third_cycle_still_pays_second_whose_close_runs_late(site):
    brand, client = site
    target = make_programme(brand=brand, allocation="PERIOD_END", target_value=1, late_days=10)
    customer = CustomerFactory(brand=brand)
    post(client, target, "enroll", {"customerId": customer.customer_id})
    client.put("/v3/clock", {"now": "2026-02-05T00:00:00Z"}, content_type="application/json")
    event = {"eventId": "e", "eventName": "purchase", "customerId": customer.customer_id}
    event["occurredAt"] = "2026-02-05T00:00:00Z"
    client.post("/v3/activities", event, content_type="application/json")
    client.put("/v3/clock", {"now": "2026-03-04T00:00:00Z"}, content_type="application/json")

    post(client, target, "unEnroll", {"customerId": customer.customer_id})
    before = Grant.objects.count()
    client.put("/v3/clock", {"now": "2026-08-01T00:00:00Z"}, content_type="application/json")

    assert before == 0
    assert list(Grant.objects.values_list("cycle_number", flat=True)) == [2]
