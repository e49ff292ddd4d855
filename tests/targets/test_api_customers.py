"""The customer registry over HTTP."""

from targets.models import Customer
from tests.conftest import new_site

NOOR = {"externalId": "N-1", "firstName": "Noor", "lastName": "Al", "email": "noor@example.com", "mobile": "+31 6 1"}


def test_customer_is_registered_and_read(site):
    made = site.put("/v3/customers/5", NOOR)
    read = site.get("/v3/customers/5")

    expected = {"customerId": 5} | NOOR
    assert made == (201, {"data": expected, "errors": None, "warnings": None})
    assert read == (200, made[1])


def test_what_is_not_sent_is_empty_afterwards(site):
    site.put("/v3/customers/5", NOOR)

    status, answer = site.put("/v3/customers/5", {"customerId": "5", "lastName": "Berg"})

    empty = dict.fromkeys(NOOR, "")
    assert (status, answer["data"]) == (200, {"customerId": 5} | empty | {"lastName": "Berg"})
    assert Customer.objects.count() == 1


def test_customer_id_in_the_body_must_be_the_one_in_the_path(site):
    status, answer = site.put("/v3/customers/5", {"customerId": 6})

    assert (status, answer["errors"][0]["code"], answer["errors"][0]["field"]) == (400, 300004, "customerId")
    assert Customer.objects.count() == 0


def test_customer_of_another_brand_with_the_same_number_is_another_person(site):
    other = new_site()
    site.put("/v3/customers/5", NOOR)

    unknown = other.get("/v3/customers/5")
    made = other.put("/v3/customers/5", {"lastName": "Berg"})

    assert (unknown[0], unknown[1]["errors"][0]["code"], made[0]) == (404, 310011, 201)
    assert site.get("/v3/customers/5")[1]["data"]["lastName"] == "Al"


def test_wrong_details_are_refused_field_by_field(site):
    status, answer = site.put(
        "/v3/customers/5", {"email": "noor", "firstName": "x" * 101, "mobile": 316, "nickname": "No"}
    )

    assert status == 400
    assert sorted(error["field"] for error in answer["errors"]) == ["email", "firstName", "mobile", "nickname"]
    assert Customer.objects.count() == 0


def test_ids_from_one_to_the_largest_are_taken_and_no_others(site):
    statuses = [site.put(f"/v3/customers/{number}", {})[0] for number in (1, 2**63 - 1, 0, -1, 2**63)]

    assert statuses == [201, 201, 400, 400, 400]
