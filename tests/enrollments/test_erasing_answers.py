"""Erasing a customer of whom answers are stored under an Idempotency-Key (docs/privacy.md)."""

from datetime import timedelta

import simplejson

from enrollments.enums import Source
from enrollments.operations import erase_customer
from targets.models import Customer, StoredAnswer
from targets.queries import find_customer
from tests.enrollments.test_erasing import whole_database
from tests.enrollments.test_exporting import exported
from tests.factories import SECRET, START, ApiUserFactory, CustomerFactory
from tests.faults import everything
from tests.idempotency import tell

NUMBER = 918273645
OTHER = 71
PATH = f"/v3/customers/{NUMBER}"
ADA = {"firstName": "Firstmarker", "email": "mail.marker@example.org"}


def erase(site):
    customer = find_customer(site.brand, NUMBER)
    erase_customer(customer=customer, at=START + timedelta(days=2), by="sam", source=Source.COMMAND)


def test_nothing_of_him_is_left_in_any_stored_answer(site):
    tell(site.client, "PUT", PATH, ADA, key=f"register {NUMBER}")
    before = whole_database()

    erase(site)

    after = whole_database()
    markers = [str(NUMBER), *ADA.values()]
    assert [marker for marker in markers if marker not in before] == []
    assert [marker for marker in markers if marker in after] == []


def test_repeat_after_the_erasure_does_nothing_and_says_that_the_answer_is_gone(site):
    tell(site.client, "PUT", PATH, ADA)
    erase(site)
    before = everything()

    again = tell(site.client, "PUT", PATH, ADA)

    assert (again.status, again.code, again.is_repeated) == (410, 300012, False)
    assert str(NUMBER).encode() not in again.body
    assert everything() == before


def test_other_request_under_such_a_key_is_still_refused_as_such(site):
    tell(site.client, "PUT", PATH, ADA)
    erase(site)

    other = tell(site.client, "PUT", PATH, {})

    assert (other.status, other.code) == (422, 300009)


def test_answer_to_many_is_gone_when_one_of_them_is_erased_and_others_stay(site):
    many = {"customers": [{"customerId": NUMBER}, {"customerId": OTHER}]}
    tell(site.client, "POST", "/v3/customers/bulk", many, key="both")
    kept = tell(site.client, "PUT", f"/v3/customers/{OTHER}", {}, key="other")

    erase(site)

    assert tell(site.client, "POST", "/v3/customers/bulk", many, key="both").code == 300012
    assert tell(site.client, "PUT", f"/v3/customers/{OTHER}", {}, key="other") == kept._replace(is_repeated=True)
    assert Customer.objects.get(customer_id=OTHER).erased_at is None


def test_customer_with_the_same_number_in_another_brand_is_not_concerned(site, client_of):
    stranger = client_of(ApiUserFactory().user.username, SECRET)
    tell(site.client, "PUT", PATH, ADA)
    theirs = tell(stranger, "PUT", PATH, ADA)

    erase(site)

    assert tell(stranger, "PUT", PATH, ADA) == theirs._replace(is_repeated=True)


def test_dry_run_leaves_the_answers(site):
    first = tell(site.client, "PUT", PATH, ADA)

    erase_customer(customer=find_customer(site.brand, NUMBER), at=START, by="sam", source=Source.COMMAND, dry_run=True)

    assert tell(site.client, "PUT", PATH, ADA) == first._replace(is_repeated=True)


def test_export_has_his_answers_and_nothing_of_others(site):
    site.brand.name = "Coffee"
    site.brand.save()
    CustomerFactory(brand=site.brand, customer_id=4242)
    one = tell(site.client, "PUT", "/v3/customers/4242", {"firstName": "Zoë"}, key="one")
    many = {"customers": [{"customerId": 4242}, {"customerId": OTHER}]}
    tell(site.client, "POST", "/v3/customers/bulk", many, key="many")
    tell(site.client, "PUT", f"/v3/customers/{OTHER}", {}, key="other")

    told = exported()["storedAnswers"]

    first, second = StoredAnswer.objects.order_by("pk")[:2]
    his = {"apiUser": site.username, "status": 200}
    assert told == [
        his | {"at": first.recorded_at.isoformat(), "customers": 1, "answer": one.body.decode()},
        his | {"at": second.recorded_at.isoformat(), "customers": 2, "answer": None},
    ]
    assert simplejson.loads(told[0]["answer"])["data"]["firstName"] == "Zoë"
