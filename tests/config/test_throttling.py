"""429 over HTTP: who gets it, when he may come back, and what a bulk call weighs."""

from datetime import UTC, datetime

import pytest
from django.db import OperationalError, connection
from oauth2_provider.models import AccessToken
from rest_framework.test import APIClient

from targets import quota
from targets.models import ApiUser, Customer, QuotaUse, StoredAnswer
from tests.config.token_scene import FORM, TOKEN, Credentials
from tests.conftest import basic, new_site
from tests.factories import CustomerFactory, make_programme
from tests.idempotency import tell

NOW = datetime(2026, 1, 1, 12, 0, 12, 300_000, tzinfo=UTC)
RECORD = {"eventName": "purchase", "customerId": 1, "occurredAt": "2026-01-02T00:00:00Z"}


@pytest.fixture(autouse=True)
def fresh_leases(monkeypatch):
    """Of a new process, whose clock stands."""
    monkeypatch.setattr(quota, "leases", quota.Leases())
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


@pytest.fixture
def limited(site):
    """`limited(n)`: the site with a quota of n units."""

    def limit(units):
        ApiUser.objects.filter(brand=site.brand).update(requests_per_minute=units)
        return site

    return limit


def used():
    return QuotaUse.objects.values_list("used", flat=True).get()


def test_client_that_has_used_its_quota_is_told_when_to_come_back(limited):
    site = limited(2)
    statuses = [site.put("/v3/customers/7", {})[0] for _ in range(2)]

    response = site.client.put("/v3/customers/8", {})

    assert statuses == [201, 200]
    assert (response.status_code, response["Retry-After"]) == (429, "48")
    assert response.json() == {
        "data": None,
        "errors": [{"code": 4290, "message": "Too many requests. Try again after the time in Retry-After."}],
        "warnings": None,
    }
    assert list(Customer.objects.values_list("customer_id", flat=True)) == [7]


def test_another_client_is_not_touched(limited):
    site, other = limited(1), new_site()
    statuses = [site.get("/v3/receipts")[0] for _ in range(2)]

    assert (statuses, other.get("/v3/receipts")[0]) == ([200, 429], 200)


def test_setting_is_the_quota_of_everybody(site, settings):
    settings.REQUESTS_PER_MINUTE = 1

    assert [site.get("/v3/receipts")[0] for _ in range(2)] == [200, 429]


def test_wrong_credentials_and_missing_permission_are_answered_before_and_cost_nothing(limited, client_of):
    site = limited(1)
    ApiUser.objects.get(brand=site.brand).user.groups.clear()

    statuses = [site.get("/v3/receipts")[0], client_of(site.username, "wrong").get("/v3/receipts").status_code]

    assert (statuses, QuotaUse.objects.count()) == ([403, 401], 0)


@pytest.mark.parametrize("path", ["/", "/docs", "/v3/schema", "/healthz"])
def test_public_pages_are_not_counted(limited, client, path):
    limited(1)

    assert [client.get(path).status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(
    ("path", "body", "units"),
    [
        ("/v3/activities", RECORD | {"eventId": "e"}, 1),
        ("/v3/activities", [RECORD | {"eventId": f"e{n}"} for n in range(12)], 2),
        ("/v3/customers/bulk", {"customers": [{"customerId": n} for n in range(1, 11)]}, 1),
        ("/v3/customers/bulk", {"customers": [{"customerId": n} for n in range(1, 12)]}, 2),
        ("/v3/customers/bulk", {"customers": []}, 1),
    ],
)
def test_bulk_weighs_what_it_costs(limited, path, body, units):
    site = limited(1000)
    quota.leases.spend(ApiUser.objects.get(), units=10, at=NOW)  # a first lease, spent at once
    before = used()

    site.post(path, body)

    held = quota.leases._leases[ApiUser.objects.get().pk].unspent
    assert used() - before - held == units


def test_enrolling_many_weighs_a_unit_for_ten(limited):
    site = limited(1000)
    target = make_programme(brand=site.brand)
    records = [{"customerId": CustomerFactory(brand=site.brand).customer_id} for _ in range(21)]

    status, _ = site.post(
        f"/v3/targetGroups/{target.target_group_id}/targets/{target.pk}/enroll/bulk", {"records": records}
    )

    held = quota.leases._leases[ApiUser.objects.get().pk].unspent
    assert (status, used() - held) == (200, 3)


def test_bulk_heavier_than_the_quota_is_carried_out_and_the_next_call_waits_for_it(limited):
    site = limited(2)
    customers = [{"customerId": n} for n in range(1, 51)]

    status, _ = site.post("/v3/customers/bulk", {"customers": customers})
    response = site.client.get("/v3/receipts")

    assert (status, Customer.objects.count()) == (200, 50)
    assert (response.status_code, response["Retry-After"]) == (429, str(48 + 60))


@pytest.mark.parametrize(
    ("path", "body", "most"),
    [
        ("/v3/activities", [{}] * 5_000, 100),
        ("/v3/customers/bulk", {"customers": [{}] * 50_000}, 1_000),
        ("/v3/targetGroups/1/targets/1/enroll/bulk", {"records": [{}] * 50_000}, 1_000),
    ],
)
def test_call_with_more_records_than_are_taken_weighs_no_more_than_the_largest(limited, path, body, most):
    """A mistake of one call must not shut its client out for an hour."""
    site = limited(10_000)
    quota.leases.spend(ApiUser.objects.get(), units=100, at=NOW)  # a first lease, spent at once
    before = used()

    status, _ = site.post(path, body)

    held = quota.leases._leases[ApiUser.objects.get().pk].unspent
    assert (status, used() - before - held) == (400, most)


def test_bulk_that_finds_nothing_left_when_it_knows_its_weight_changes_nothing(limited):
    site = limited(1)

    response = site.client.post("/v3/customers/bulk", {"customers": [{"customerId": n} for n in range(1, 12)]})

    assert (response.status_code, response["Retry-After"], Customer.objects.count()) == (429, "48", 0)


def test_call_that_finds_nothing_left_leaves_its_key_unused(limited):
    site, body = limited(1), {"customers": [{"customerId": n} for n in range(1, 12)]}

    refused = [tell(site.client, "POST", "/v3/customers/bulk", body).status for _ in range(2)]
    limited(100)
    done = tell(site.client, "POST", "/v3/customers/bulk", body)

    assert (refused, done.status, done.is_repeated, StoredAnswer.objects.count()) == ([429, 429], 200, False, 1)


def test_lost_database_is_answered_503_and_not_429(limited, monkeypatch):
    site = limited(1)

    def away(**_):
        raise OperationalError("the connection is closed")

    monkeypatch.setattr("targets.quota.take_units", away)
    response = site.client.get("/v3/receipts")

    assert (response.status_code, response["Retry-After"]) == (503, "2")
    assert response.json()["errors"][0]["code"] == 5030


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("headers", [{}, {"HTTP_IDEMPOTENCY_KEY": "k"}])
def test_quota_is_never_taken_inside_a_transaction_which_would_keep_its_row_locked(limited, monkeypatch, headers):
    site, inside = limited(1000), []
    take_units = quota.take_units

    def watched(**details):
        inside.append(connection.in_atomic_block)
        return take_units(**details)

    monkeypatch.setattr("targets.quota.take_units", watched)
    customers = [{"customerId": n} for n in range(1, 500)]
    response = site.client.post("/v3/customers/bulk", {"customers": customers}, **headers)

    assert (response.status_code, inside) == (200, [False, False])


def test_tokens_cost_as_calls_do(limited):
    site = limited(2)
    credentials = Credentials.of(ApiUser.objects.get(brand=site.brand))
    shown, form = basic(credentials.client_id, credentials.client_secret), "grant_type=client_credentials"

    answers = [APIClient().generic("POST", TOKEN, form, FORM, headers={"Authorization": shown}) for _ in range(3)]

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert (answers[-1].json(), answers[-1]["Retry-After"]) == ({"error": "temporarily_unavailable"}, "48")
    assert (AccessToken.objects.count(), used()) == (2, 2)
