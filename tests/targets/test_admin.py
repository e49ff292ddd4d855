"""Brands, API users and customers in the admin; the parts that all lists share."""

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from targets.admin.lists import BoundedPaginator
from targets.models import ApiUser, Brand, Customer
from targets.queries import customers_known_as, look_ups_of
from tests.factories import ApiUserFactory, BrandFactory, CustomerFactory, UserFactory

pytestmark = pytest.mark.django_db

CUSTOMERS = "/admin/targets/customer/"
BRANDS = "/admin/targets/brand/"


@pytest.fixture
def chief(client):
    client.force_login(UserFactory(username="chief", is_staff=True, is_superuser=True))
    return client


def shown(client, path, **query):
    return [each.pk for each in client.get(path, query).context["cl"].result_list]


def test_index_bears_our_name_and_lists_customers_first(chief):
    response = chief.get("/admin/")

    apps = response.context["app_list"]
    assert '<a href="/admin/">Milestreak</a>' in response.content.decode()
    assert [app["name"] for app in apps][:3] == ["Customers and programmes", "Enrolments and activity", "Rewards"]
    assert [each["object_name"] for each in apps[0]["models"]] == [
        "Customer",
        "RefusedCalls",
        "TargetGroup",
        "Target",
        "Cycle",
        "StreakLevel",
        "Brand",
        "ApiUser",
        "ApiClient",
        "AuditEntry",
        "TargetValue",
        "Inactivity",
        "ProgrammeChange",
        "FormerCycle",
        "FormerValue",
    ]
    listed = {page.url for section in response.context["sections"] for page in section.pages}
    assert listed == {model["admin_url"] for app in apps for model in app["models"]}


def test_customer_is_found_exactly_in_every_brand(chief):
    one = CustomerFactory(customer_id=42, external_id="A", email="Ann@Example.org")
    other = CustomerFactory(customer_id=42)
    CustomerFactory(customer_id=421, external_id="AB", email="")

    assert shown(chief, CUSTOMERS, q="42") == [other.pk, one.pk]
    assert shown(chief, CUSTOMERS, q="A") == [one.pk]
    assert shown(chief, CUSTOMERS, q="ann@example.org") == [one.pk]
    assert shown(chief, CUSTOMERS, q="4") == []
    assert shown(chief, CUSTOMERS, q="42", brand__id__exact=one.brand_id) == [one.pk]


@pytest.mark.parametrize(
    ("term", "index"),
    [
        ("42", "customer_unique_in_brand"),
        ("A-42", "customer_by_external_id"),
        ("42@example.org", "customer_by_email"),
    ],
)
def test_search_for_a_customer_uses_the_index_made_for_it(term, index):
    brands = BrandFactory.create_batch(3)
    Customer.objects.bulk_create(
        Customer(brand=brand, customer_id=number, external_id=f"A-{number}", email=f"{number}@example.org")
        for brand in brands
        for number in range(1, 2001)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE targets_customer")

    plan = look_ups_of(term).explain()

    assert index in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize("term", ["", "\x00", "9223372036854775808", "-1", "٤٢", "4.2"])
def test_search_for_what_no_customer_can_have_finds_nobody(term):
    CustomerFactory(customer_id=42)

    assert customers_known_as(term) == []


def test_customer_is_made_with_his_number_and_never_gets_another(chief):
    brand, other = BrandFactory(), BrandFactory()
    details = {"external_id": "", "first_name": "Ann", "last_name": "", "email": "", "mobile": ""}
    made = chief.post(f"{CUSTOMERS}add/", details | {"brand": brand.pk, "customer_id": 42})
    customer = Customer.objects.get()

    changed = chief.post(
        f"{CUSTOMERS}{customer.pk}/change/",
        details | {"brand": other.pk, "customer_id": 43, "first_name": "Anna", "email": "a@example.org"},
    )

    assert (made.status_code, changed.status_code) == (302, 302)
    customer.refresh_from_db()
    assert (customer.brand, customer.customer_id) == (brand, 42)
    assert (customer.first_name, customer.email) == ("Anna", "a@example.org")


@pytest.mark.parametrize("number", ["0", "-1", "9223372036854775808", "x", "42"])
def test_customer_with_an_unusable_or_used_number_is_refused(chief, number):
    existing = CustomerFactory(customer_id=42)

    response = chief.post(f"{CUSTOMERS}add/", {"brand": existing.brand_id, "customer_id": number})

    assert (response.status_code, Customer.objects.count()) == (200, 1)
    assert "errorlist" in response.content.decode()


def test_brand_can_be_renamed_and_deactivated_but_its_clock_stays(chief):
    brand = BrandFactory(sandbox=False)

    response = chief.post(
        f"{BRANDS}{brand.pk}/change/",
        {"name": "New", "time_zone": "Asia/Kolkata", "sandbox": "on", "clock_at_0": "2026-01-01", "clock_at_1": "0:00"},
    )

    brand.refresh_from_db()
    assert response.status_code == 302
    assert (brand.name, brand.time_zone, brand.is_active) == ("New", "Asia/Kolkata", False)
    assert (brand.sandbox, brand.clock_at) == (False, None)


@pytest.mark.parametrize(("name", "zone"), [("", "UTC"), ("Ours", "UTC"), ("New", "Mars/Olympus")])
def test_brand_with_an_unusable_name_or_zone_is_refused(chief, name, zone):
    BrandFactory(name="Ours")
    brand = BrandFactory(name="Mine")

    response = chief.post(f"{BRANDS}{brand.pk}/change/", {"name": name, "time_zone": zone})

    brand.refresh_from_db()
    assert (response.status_code, brand.name, brand.time_zone) == (200, "Mine", "UTC")


@pytest.mark.parametrize("path", [BRANDS, "/admin/targets/apiuser/"])
def test_brands_and_api_users_are_made_by_the_command_only(chief, path):
    assert chief.get(f"{path}add/").status_code == 403
    assert chief.post(f"{path}add/", {"name": "x"}).status_code == 403


def test_api_user_can_be_deactivated_and_his_secret_is_never_shown(chief):
    api_user = ApiUserFactory()
    path = f"/admin/targets/apiuser/{api_user.pk}/change/"

    pages = [chief.get(path).content.decode(), chief.get("/admin/targets/apiuser/").content.decode()]
    response = chief.post(path, {"secret_digest": "0" * 64, "secret_form": "MD5_HEX"})

    stored = ApiUser.objects.get()
    assert [api_user.secret_digest in each for each in pages] == [False, False]
    assert (response.status_code, stored.is_active) == (302, False)
    assert (stored.secret_digest, stored.secret_form) == (api_user.secret_digest, api_user.secret_form)


def test_quota_of_an_api_user_is_set_in_the_admin(chief):
    api_user = ApiUserFactory()

    chief.post(f"/admin/targets/apiuser/{api_user.pk}/change/", {"is_active": "on", "requests_per_minute": "50"})

    assert ApiUser.objects.get().requests_per_minute == 50


def test_django_user_of_the_api_cannot_be_deleted_with_his_access(chief):
    api_user = ApiUserFactory()

    response = chief.post(f"/admin/auth/user/{api_user.user_id}/delete/", {"post": "yes"})

    assert response.status_code == 403
    assert get_user_model().objects.filter(pk=api_user.user_id).exists()


def test_long_list_counts_no_further_than_it_pages(monkeypatch, chief, django_assert_num_queries):
    monkeypatch.setattr("targets.admin.lists.MOST_COUNTED", 3)
    BrandFactory.create_batch(5)
    paginator = BoundedPaginator(Brand.objects.order_by("-pk"), 2)

    with django_assert_num_queries(1) as queries:
        counted = paginator.count

    assert (counted, paginator.num_pages, paginator.is_bounded) == (4, 2, True)
    assert "LIMIT 4" in queries.captured_queries[0]["sql"]
    assert "more than 3 brands: search or filter to reach the rest" in chief.get(BRANDS).content.decode()


def test_short_list_says_how_many_there_are(chief):
    BrandFactory()

    html = chief.get(BRANDS).content.decode()

    assert "1 brand\n" in html
    assert "more than" not in html


def test_customer_details_are_escaped(chief):
    customer = CustomerFactory(first_name="<script>alert(1)</script>")

    pages = [chief.get(path).content.decode() for path in (CUSTOMERS, f"{CUSTOMERS}{customer.pk}/change/")]

    assert ["<script>alert(1)" in each for each in pages] == [False, False]
    assert ["&lt;script&gt;alert(1)" in each for each in pages] == [True, True]
