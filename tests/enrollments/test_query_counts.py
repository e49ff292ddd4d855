"""What a call costs in statements: the same for every length of a programme and of a history (docs/architecture.md)."""

import hashlib
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollments.models import Receipt, Stay
from enrollments.operations import ActivityData, enroll, record_activity
from targets.enums import Allocation, TrackingType
from tests.conftest import SECRET
from tests.factories import START, ApiUserFactory, BrandFactory, CustomerFactory, make_programme

DAY = timedelta(days=1)
NOW = START + 2 * DAY
KINDS = {
    "immediate": {},
    "period end": {"allocation": Allocation.PERIOD_END, "target_value": Decimal(1)},
    "streak": {"tracking_type": TrackingType.STREAKS, "levels": (2, 3)},
}

# BEGIN goes with the first of its transaction, COMMIT with the last. One for who calls and what he may do; what is
# named, the locks and all that is decided on; receipt, stay and participation.
UNENROLL = 3
# An Idempotency-Key: its row, the lock of the customer, the answer, COMMIT; and the operation's own transaction becomes
# a savepoint, that is two statements more.
KEY = 6
# A forfeited reward is named in the answer.
NAMING = 1


@pytest.fixture
def brand(transactional_db):
    """Transactional, so that what is counted are not the savepoints of the test."""
    return BrandFactory(sandbox=True, clock_at=NOW)


def enrolled(target, *, past_receipts):
    customer = CustomerFactory(brand=target.brand)
    receipt = enroll(customer=customer, target=target, at=START, by="test", source="API")
    Receipt.objects.bulk_create(copy_of(receipt) for _ in range(past_receipts))
    return customer


def copy_of(receipt):
    copy = Receipt.objects.get(pk=receipt.pk)
    copy.pk = None
    return copy


def statements(client, path, body, **headers):
    with CaptureQueriesContext(connection) as captured:
        response = client.post(path, body, format="json", headers=headers)
    assert response.status_code == 200, response.content
    return len(captured)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cycles", [5, 100])
@pytest.mark.parametrize("past_receipts", [0, 1000])
def test_unenroll_takes_the_same_statements_however_long_programme_and_history_are(
    brand, client_of, kind, cycles, past_receipts
):
    target = make_programme(brand=brand, cycles=cycles, **KINDS[kind])
    customer = enrolled(target, past_receipts=past_receipts)
    client = client_of(ApiUserFactory(brand=brand).user.username, SECRET)
    path = f"/targetGroups/{target.target_group_id}/targets/{target.pk}/unEnroll"

    count = statements(client, path, [{"customerId": customer.customer_id}])

    assert count == UNENROLL
    assert Stay.objects.get(participation__customer=customer).end_cycle == 1


@pytest.mark.parametrize("cycles", [5, 100])
@pytest.mark.parametrize("past_receipts", [0, 1000])
def test_unenroll_that_forfeits_takes_the_same_statements_too(brand, client_of, cycles, past_receipts):
    target = make_programme(brand=brand, cycles=cycles, **KINDS["period end"])
    customer = enrolled(target, past_receipts=past_receipts)
    bought = ActivityData("e1", "purchase", customer.customer_id, START + DAY)
    record_activity(brand=brand, activity=bought, at=NOW)
    client = client_of(ApiUserFactory(brand=brand).user.username, SECRET)
    path = f"/targetGroups/{target.target_group_id}/targets/{target.pk}/unEnroll"

    count = statements(client, path, [{"customerId": customer.customer_id}])

    assert count == UNENROLL + NAMING


def test_key_costs_the_same_few_statements_and_a_repeat_hardly_any(brand, client_of):
    target = make_programme(brand=brand)
    customer = enrolled(target, past_receipts=0)
    client = client_of(ApiUserFactory(brand=brand).user.username, SECRET)
    path = f"/targetGroups/{target.target_group_id}/targets/{target.pk}/unEnroll"
    body, headers = [{"customerId": customer.customer_id}], {"Idempotency-Key": "4711"}

    first = statements(client, path, body, **headers)
    again = statements(client, path, body, **headers)

    assert first == UNENROLL + KEY
    assert again == 4  # who calls; key, answer, end


def test_unenroll_computes_no_slow_password_hash(brand, client_of, monkeypatch):
    target = make_programme(brand=brand)
    customer = enrolled(target, past_receipts=0)
    client = client_of(ApiUserFactory(brand=brand).user.username, SECRET)
    wrong = client_of("nobody", "guess")
    path = f"/targetGroups/{target.target_group_id}/targets/{target.pk}/unEnroll"
    hashed = []
    for name in ("pbkdf2_hmac", "scrypt"):
        monkeypatch.setattr(hashlib, name, lambda *args, **kwargs: hashed.append(args))
    monkeypatch.setattr("django.contrib.auth.hashers.check_password", lambda *args: hashed.append(args))

    refused = wrong.post(path, [{"customerId": customer.customer_id}], format="json")
    left = client.post(path, [{"customerId": customer.customer_id}], format="json")

    assert (refused.status_code, left.status_code, hashed) == (401, 200, [])
