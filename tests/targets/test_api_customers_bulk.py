"""POST /v3/customers/bulk: many customers at once, all or none."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollments.enums import Source
from enrollments.operations import erase_customer
from targets.models import Customer
from tests.conftest import SECRET, new_site
from tests.factories import START, ApiUserFactory, CustomerFactory

PATH = "/v3/customers/bulk"
NOOR = {"externalId": "N-1", "firstName": "Noor", "lastName": "Al", "email": "noor@example.com", "mobile": "+31 6 1"}
EMPTY = dict.fromkeys(NOOR, "")


def rows(brand):
    return list(Customer.objects.filter(brand=brand).order_by("customer_id").values_list("customer_id", "last_name"))


def test_customers_are_created_or_updated_each_with_an_outcome_in_the_order_sent(site):
    site.put("/v3/customers/7", NOOR)

    status, answer = site.post(
        PATH,
        {
            "customers": [
                {"customerId": 9, "lastName": "Nine"},
                {"customerId": "7", "lastName": "Berg"},
                {"customerId": 5} | NOOR,
                {"customerId": 9, "lastName": "Again"},
            ]
        },
    )

    assert (status, answer["errors"], answer["warnings"]) == (200, None, None)
    assert answer["data"] == {
        "totals": {"created": 2, "updated": 1, "duplicate_in_request": 1},
        "results": [
            {"customerId": 9, "outcome": "created"},
            {"customerId": 7, "outcome": "updated"},
            {"customerId": 5, "outcome": "created"},
            {"customerId": 9, "outcome": "duplicate_in_request"},
        ],
    }
    assert site.get("/v3/customers/5")[1]["data"] == {"customerId": 5} | NOOR
    assert site.get("/v3/customers/7")[1]["data"] == {"customerId": 7} | EMPTY | {"lastName": "Berg"}
    assert site.get("/v3/customers/9")[1]["data"] == {"customerId": 9} | EMPTY | {"lastName": "Nine"}


def test_bulk_answers_and_leaves_what_single_calls_do(site):
    other = new_site()
    sent = [{"customerId": 5} | NOOR, {"customerId": 2**63 - 1}, {"customerId": 6, "firstName": " Zoë "}]
    for each in ({"customerId": 5}, {"customerId": 6} | NOOR):
        for one in (site, other):
            one.put(f"/v3/customers/{each['customerId']}", each)

    statuses = [site.put(f"/v3/customers/{each['customerId']}", each)[0] for each in sent]
    results = other.post(PATH, {"customers": sent})[1]["data"]["results"]

    assert [{"created": 201, "updated": 200}[each["outcome"]] for each in results] == statuses
    for each in sent:
        path = f"/v3/customers/{each['customerId']}"
        assert site.get(path) == other.get(path)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "customers"),
        ({"customers": []}, "customers"),
        ({"customers": {"customerId": 1}}, "customers"),
        ({"customers": [{"customerId": 1}], "dryRun": True}, "dryRun"),
        ({"customers": [{"customerId": 1}, {}]}, "customers[1].customerId"),
        ({"customers": [{"customerId": 1}, 2]}, "customers[1]"),
        ({"customers": [{"customerId": 1}, {"customerId": 0}]}, "customers[1].customerId"),
        ({"customers": [{"customerId": 1}, {"customerId": 2**63}]}, "customers[1].customerId"),
        ({"customers": [{"customerId": 1}, {"customerId": 2, "email": "noor"}]}, "customers[1].email"),
        ({"customers": [{"customerId": 1}, {"customerId": 2, "nickname": "No"}]}, "customers[1].nickname"),
        ({"customers": [{"customerId": number} for number in range(1, 10_002)]}, "customers"),
    ],
)
def test_one_wrong_customer_refuses_the_whole_request_before_anything_is_written(site, body, field):
    status, answer = site.post(PATH, body)

    assert status == 400
    assert [(error["code"], error["field"]) for error in answer["errors"]] == [(300004, field)]
    assert Customer.objects.count() == 0


def test_same_numbers_of_another_brand_are_not_touched(site):
    other = new_site()
    CustomerFactory(brand=other.brand, customer_id=5, last_name="Al")

    status, answer = site.post(PATH, {"customers": [{"customerId": 5, "lastName": "Berg"}]})

    assert (status, answer["data"]["totals"]) == (200, {"created": 1})
    assert (rows(site.brand), rows(other.brand)) == ([(5, "Berg")], [(5, "Al")])


def test_user_without_the_permission_is_refused(site, client_of):
    reader = ApiUserFactory(brand=site.brand, with_default_access=False)

    response = client_of(reader.user.username, SECRET).post(PATH, {"customers": [{"customerId": 5}]}, format="json")

    assert (response.status_code, response.json()["errors"][0]["code"]) == (403, 4000)
    assert Customer.objects.count() == 0


def test_ten_thousand_customers_take_a_statement_a_thousand_and_more_than_a_mebibyte(site):
    body = {"customers": [{"customerId": number, "firstName": "x" * 100} for number in range(10_000, 0, -1)]}

    with CaptureQueriesContext(connection) as captured:
        status, answer = site.post(PATH, body)

    assert (status, answer["data"]["totals"]) == (200, {"created": 10_000})
    assert sum("INSERT INTO targets_customer" in query["sql"] for query in captured) == 10
    assert len(captured) == 10 + 4  # who calls; who was erased; the savepoint of a test in place of BEGIN and COMMIT
    assert Customer.objects.count() == 10_000


def test_body_of_more_than_16_mebibytes_is_too_large(site):
    response = site.client.generic("POST", PATH, b" " * (16 * 1024 * 1024 + 1), "application/json")

    assert (response.status_code, response.json()["errors"][0]["code"]) == (413, 4130)


def test_erased_customer_is_refused_by_place_and_nobody_is_registered(site):
    site.put("/v3/customers/5", {"lastName": "Noor"})
    erased = Customer.objects.get(customer_id=5)
    erase_customer(customer=erased, at=START, by="sam", source=Source.COMMAND)

    status, answer = site.post("/v3/customers/bulk", {"customers": [{"customerId": 4}, {"customerId": 5}]})
    single = site.put("/v3/customers/5", {})

    assert status == single[0] == 410
    assert answer["errors"] == [single[1]["errors"][0] | {"field": "customers[1].customerId"}]
    assert Customer.objects.count() == 1
