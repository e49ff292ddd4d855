"""The published calls over HTTP."""

from datetime import timedelta

import pytest

from enrollments.models import Receipt, Stay
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
