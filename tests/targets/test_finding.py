"""One box finds a customer by whatever support knows of him."""

import pytest
from django.db import connection

from targets.finding import find_customers
from targets.models import Customer
from tests.enrollments.admin_scene import signed_in, staff
from tests.factories import START, BrandFactory, CustomerFactory

pytestmark = pytest.mark.django_db

FIND = "/admin/targets/customer/find/"


@pytest.fixture
def ann():
    return CustomerFactory(
        customer_id=423789336,
        external_id="crm-7",
        first_name="Ann-Marie",
        last_name="van der Berg",
        email="Ann@Example.org",
        mobile="+49 (30) 123-456",
    )


def found(text, brands=None):
    return [(each.customer.pk, each.known_by) for each in find_customers(text, brands)]


@pytest.mark.parametrize(
    ("typed", "known_by"),
    [
        ("423789336", "customer id"),
        (" 423789336 ", "customer id"),
        ("crm-7", "external id"),
        ("ann@example.ORG", "e-mail address"),
        ("+4930123456", "phone"),
        ("0049 30/123 456", "phone"),
        ("49 30 123 456", "phone"),
        ("van d", "last name"),
        ("VAN DER BERG", "last name"),
        ("van der berg, ann", "last name"),
        ("ann", "first name"),
        ("ann-marie  van d", "first name"),
    ],
)
def test_customer_is_found_by_whatever_is_known_of_him(ann, typed, known_by):
    CustomerFactory(brand=ann.brand, first_name="Bo", last_name="Vance", email="bo@example.org", mobile="4930123457")

    assert found(typed) == [(ann.pk, [known_by])]


@pytest.mark.parametrize(
    "typed", ["", " ", "\x00", "berg", "nn", "example.org", "ann@", "30123456", "4237893", "crm", "%", "v_n", "+", "0"]
)
def test_nothing_is_found_by_a_part_of_it(ann, typed):
    assert found(typed) == []


def test_customer_known_in_two_ways_is_found_once_and_before_namesakes():
    namesake = CustomerFactory(first_name="A", last_name="A 7")
    one = CustomerFactory(external_id="A", first_name="A", last_name="A")

    assert found("A") == [
        (one.pk, ["external id", "last name", "first name"]),
        (namesake.pk, ["last name", "first name"]),
    ]


def test_other_brands_are_found_by_nobody_who_may_not_see_them(ann):
    other = BrandFactory()

    assert {typed: found(typed, [other.pk]) for typed in ("423789336", "van", "+4930123456")} == {
        "423789336": [],
        "van": [],
        "+4930123456": [],
    }


def test_who_may_see_no_brand_finds_nobody(ann):
    assert found("423789336", []) == found("van", []) == []


def test_erased_customer_is_found_by_his_pseudonym_only(ann):
    Customer.objects.filter(pk=ann.pk).update(
        customer_id=None,
        external_id="",
        first_name="",
        last_name="",
        email="",
        mobile="",
        erased_at=START,
        erased_digest="0" * 64,
    )

    assert found(f"erased {ann.pk}") == [(ann.pk, ["pseudonym"])]
    assert found("van") == found("423789336") == []


def test_one_is_landed_on_several_are_listed_and_nobody_is_said(ann):
    client = signed_in(staff("targets.view_customer"))
    CustomerFactory.create_batch(30, brand=ann.brand, first_name="Many", last_name="<b>Many</b>")

    one = client.get(FIND, {"q": "van der"})
    many = client.get(FIND, {"q": "many"}).content.decode()
    nobody = client.get(FIND, {"q": '"><script>'}).content.decode()

    assert (one.status_code, one["Location"]) == (302, f"/admin/targets/customer/{ann.pk}/change/")
    assert many.count("<td>first name</td>") == 25
    assert "The first 25 of more" in many
    assert ("<b>Many" in many, "&lt;b&gt;Many" in many) == (False, True)
    assert ("Nobody is known by this." in nobody, "<script>" in nobody) == (True, False)


@pytest.mark.parametrize(
    ("permission", "shown"), [("targets.view_customer", True), ("enrollments.view_participation", False)]
)
def test_box_is_at_the_top_of_every_page_of_who_may_see_customers(permission, shown):
    client = signed_in(staff(permission))
    lists = {True: "targets/customer/", False: "enrollments/participation/"}

    pages = [client.get(f"/admin/{path}").content.decode() for path in ("", lists[shown], "password_change/")]

    assert [page.count('id="find-customer"') for page in pages] == [int(shown)] * 3


def test_each_way_is_one_range_of_the_index_made_for_it():
    brands = BrandFactory.create_batch(3)
    Customer.objects.bulk_create(
        Customer(
            brand=brand,
            customer_id=n,
            external_id=f"A-{n}",
            email=f"{n}@example.org",
            first_name=f"Ann{n}",
            last_name=f"Berg{n}",
            mobile=f"+49 30 {n}",
        )
        for brand in brands
        for n in range(1, 2001)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE targets_customer")
    used = {
        "42": {"customer_unique_in_brand", "customer_by_external_id", "customer_by_mobile"},
        "42@example.org": {"customer_by_email", "customer_by_external_id"},
        "berg19": {"customer_by_last_name", "customer_by_name", "customer_by_external_id"},
        "b": {"customer_by_last_name", "customer_by_name", "customer_by_external_id"},
    }

    plans = {typed: planned(typed) for typed in used}

    assert {typed: [name for name in used[typed] if name not in plan] for typed, plan in plans.items()} == {
        typed: [] for typed in used
    }
    assert [typed for typed, plan in plans.items() if "Seq Scan on targets_customer" in plan or "Sort" in plan] == []


def planned(typed):
    plans = []

    def explain(execute, sql, params, many, context):
        if "UNION ALL" in sql:
            execute("EXPLAIN " + sql, params, many, context)
            plans.extend(row for (row,) in context["cursor"].fetchall())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        find_customers(typed)
    return "\n".join(plans)
