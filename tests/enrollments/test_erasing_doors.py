"""Erasing by command and in the admin, and how everything reads of whom was erased."""

import json
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.test import Client

from enrollments.enums import Source
from enrollments.models import Participation, Receipt
from enrollments.operations import enroll, erase_customer
from rewards.models import Grant
from targets.enums import Allocation
from targets.models import Customer
from tests.enrollments.admin_scene import NOW, enrolled, programme, sandbox, signed_in, staff
from tests.enrollments.test_api_reading import wait_for_other_transactions
from tests.factories import START, BrandFactory, CustomerFactory
from tests.faults import everything
from tests.journeys.programme import CUSTOMER, Programme

pytestmark = pytest.mark.django_db

MAY_ERASE = ("targets.view_customer", "targets.erase_customer")
CUSTOMERS = "/admin/targets/customer/"
PAGE, LEAVE, LIST = 20, 3, 8  # statements


def run(brand_name, number, *arguments):
    """(exit code, what it said)"""
    out = StringIO()
    try:
        call_command("erase_customer", f"--brand={brand_name}", f"--customer={number}", *arguments, stdout=out)
    except CommandError as refusal:
        return refusal.returncode, str(refusal)
    return 0, out.getvalue()


def page_of(customer):
    return f"{CUSTOMERS}{customer.pk}/erase/"


@pytest.fixture
def ann():
    """Enrolled, with a period-end reward that is not paid yet."""
    target = programme(allocation=Allocation.PERIOD_END, name="ABC")
    participation = enrolled(target, achieved=True, customer_id=4242, first_name="Ann", last_name="Bee")
    return participation.customer


# The command


def test_command_says_what_it_did(ann):
    code, out = run(ann.brand.name, 4242, "--reason=Ticket 9", "--by=sam", "--format=json")

    report = json.loads(out)
    receipt = Receipt.objects.get(source=Source.COMMAND)
    left = Customer.objects.get()
    target = receipt.participation.target
    assert code == 0
    assert report == {
        "pseudonym": ann.pk,
        "erasedAt": NOW.isoformat(),
        "dryRun": False,
        "alreadyErased": False,
        "unenrolled": [
            {
                "receiptId": receipt.pk,
                "targetGroupId": target.target_group_id,
                "targetId": target.pk,
                "forfeited": ["c1"],
            }
        ],
        "activities": 0,
        "texts": 0,
    }
    assert (left.customer_id, left.erased_by, left.erasure_reason) == (None, "sam", "Ticket 9")


def test_command_run_a_second_time_is_success_and_changes_nothing(ann):
    run(ann.brand.name, 4242)
    before = everything()

    code, out = run(ann.brand.name, 4242)

    assert (code, out) == (0, "Erased before, at 2026-01-04 00:00 UTC. Nothing was done.\n")
    assert everything() == before


def test_command_with_dry_run_writes_nothing(ann):
    before = everything()

    code, out = run(ann.brand.name, 4242, "--dry-run")

    target = Participation.objects.get().target
    assert code == 0
    assert out.splitlines() == [
        "Dry run: nothing was written.",
        f"Unenrolled from ABC (group {target.target_group_id}, target {target.pk}); the reward of c1 is forfeited.",
        "Removed: who he is, the attributes of 0 activities, 0 texts.",
    ]
    assert everything() == before


@pytest.mark.parametrize(
    ("number", "arguments", "said"),
    [
        (5, (), "Invalid user id: this brand has no customer 5."),
        (2**63, (), f"Invalid user id: this brand has no customer {2**63}."),
        (0, (), "Invalid user id: this brand has no customer 0."),
        (4242, ("--reason=Ann asked",), "--reason: The reason is kept when the customer is erased"),
        (4242, (f"--reason={'x' * 501}",), "--reason: at most 500 characters."),
    ],
)
def test_command_with_unusable_arguments_tries_nothing(ann, number, arguments, said):
    before = everything()

    code, out = run(ann.brand.name, number, *arguments)

    assert (code, out.startswith(said)) == (2, True), out
    assert everything() == before


def test_command_for_an_unknown_brand_tries_nothing(ann):
    assert run("Nobody's", 4242) == (2, 'There is no brand "Nobody\'s".')


# The admin


@pytest.mark.parametrize(
    ("permissions", "get", "post"),
    [
        (None, 302, 302),
        ((), 403, 403),
        (("targets.view_customer",), 403, 403),
        (("targets.change_customer", "enrollments.unenroll"), 403, 403),
        (("targets.erase_customer",), 403, 403),
        (MAY_ERASE, 200, 302),
    ],
)
def test_who_may_erase(ann, permissions, get, post):
    client = Client() if permissions is None else signed_in(staff(*permissions))

    shown = client.get(page_of(ann))
    confirmed = client.post(page_of(ann), {"reason": "Ticket 9"})

    assert (shown.status_code, confirmed.status_code) == (get, post)
    assert Customer.objects.filter(customer_id=None).count() == (get == 200)


def test_button_is_for_those_who_may(ann):
    viewer, eraser = signed_in(staff(MAY_ERASE[0])), signed_in(staff(*MAY_ERASE))

    pages = [client.get(f"{CUSTOMERS}{ann.pk}/change/").content.decode() for client in (viewer, eraser)]

    assert [page_of(ann) in page for page in pages] == [False, True]


def test_page_says_what_will_happen_and_changes_nothing(ann):
    before = everything()["targets_customer"], Receipt.objects.count()

    html = signed_in(staff(*MAY_ERASE)).get(page_of(ann)).content.decode()

    assert "1 enrolment will end" in html
    assert "The reward of c1" in html
    assert f"Erased {ann.pk}" in html
    assert (everything()["targets_customer"], Receipt.objects.count()) == before


@pytest.mark.parametrize("enrolments", [1, 3])
def test_page_takes_the_same_statements_for_each_enrolment_and_to_render_them(enrolments, django_assert_num_queries):
    client = signed_in(staff(*MAY_ERASE))
    brand = sandbox()
    customer = enrolled(programme(brand=brand)).customer
    for _ in range(enrolments - 1):
        enroll(customer=customer, target=programme(brand=brand), at=START, by="test", source=Source.API)

    ContentType.objects.get_for_model(type(customer))  # remembered from the first page on
    with django_assert_num_queries(PAGE + enrolments * LEAVE):
        client.get(page_of(customer))


@pytest.mark.parametrize("customers", [1, 3])
def test_list_takes_the_same_statements_however_many_are_erased(customers, django_assert_num_queries):
    client = signed_in(staff(*MAY_ERASE))
    brand = sandbox()
    for customer in CustomerFactory.create_batch(customers, brand=brand):
        erased_by_hand(customer)

    with django_assert_num_queries(LIST):
        client.get(CUSTOMERS)


def test_confirmation_erases_tells_who_and_why_and_leads_to_the_pseudonym(ann):
    client = signed_in(staff(*MAY_ERASE, username="sam"))

    response = client.post(page_of(ann), {"reason": "Ticket 9"})
    html = client.get(response["Location"]).content.decode()

    left = Customer.objects.get()
    log = LogEntry.objects.get()
    assert response["Location"] == f"{CUSTOMERS}{ann.pk}/change/"
    assert (left.customer_id, left.erased_by, left.erasure_reason) == (None, "sam", "Ticket 9")
    assert Receipt.objects.get(source=Source.ADMIN).actor == "sam"
    assert (log.object_repr, log.change_message) == (f"Erased {ann.pk}", "Erased.")
    assert [text in html for text in ("Ticket 9", f"Erased {ann.pk}", "4242", "Ann", page_of(ann))] == [
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "Ann asked", "No 4242"])
def test_confirmation_without_a_usable_reason_changes_nothing(ann, reason):
    client = signed_in(staff(*MAY_ERASE))
    before = everything()["targets_customer"], Receipt.objects.count()

    response = client.post(page_of(ann), {"reason": reason})

    assert (response.status_code, bool(response.context["form"].errors["reason"])) == (200, True)
    assert (everything()["targets_customer"], Receipt.objects.count()) == before


def test_confirmation_needs_the_csrf_token(ann):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff(*MAY_ERASE))

    assert strict.post(page_of(ann), {"reason": "Ticket 9"}).status_code == 403
    assert Customer.objects.get().customer_id == 4242


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(ann, method):
    assert getattr(signed_in(staff(*MAY_ERASE)), method)(page_of(ann)).status_code == 405


def test_page_of_somebody_erased_says_so_and_confirming_again_does_nothing(ann):
    client = signed_in(staff(*MAY_ERASE))
    client.post(page_of(ann), {"reason": "Ticket 9"})
    before = everything()["targets_customer"]

    html = client.get(page_of(ann)).content.decode()
    again = client.post(page_of(ann), {"reason": "Ticket 10"})

    assert "There is nothing left to erase." in html
    assert again.status_code == 302
    assert everything()["targets_customer"] == before


def test_page_of_nobody_is_not_found():
    assert signed_in(staff(*MAY_ERASE)).get(f"{CUSTOMERS}1/erase/").status_code == 404


def erased_by_hand(customer):
    erase_customer(customer=customer, at=NOW, by="sam", source=Source.ADMIN, reason="Ticket 9")


def test_erased_customer_cannot_be_edited(ann):
    chief = signed_in(staff("targets.view_customer", "targets.change_customer"))
    erased_by_hand(ann)
    before = everything()["targets_customer"]

    response = chief.post(f"{CUSTOMERS}{ann.pk}/change/", {"first_name": "Ann"})

    assert (response.status_code, everything()["targets_customer"]) == (403, before)


def test_number_of_somebody_erased_cannot_be_added_in_the_admin(ann):
    chief = signed_in(staff("targets.change_customer", "targets.view_brand"))
    erased_by_hand(ann)

    response = chief.post(f"{CUSTOMERS}add/", {"brand": ann.brand_id, "customer_id": 4242})

    sentence = "Customer 4242 was erased on 2026-01-04 and cannot be registered or enrolled."
    assert response.context["adminform"].form.errors["customer_id"] == [sentence]
    assert Customer.objects.count() == 1


def test_every_page_of_the_admin_renders_an_erased_customer_and_search_finds_him(ann):
    chief = signed_in(staff(is_superuser=True))
    erased_by_hand(ann)
    participation = Participation.objects.get()
    receipt = Receipt.objects.last()
    lists = ["targets/customer", "enrollments/participation", "enrollments/receipt", "enrollments/activity"]
    details = [
        f"targets/customer/{ann.pk}/change",
        f"enrollments/participation/{participation.pk}/change",
        f"enrollments/receipt/{receipt.pk}/change",
    ]

    found = [chief.get(f"/admin/{each}/", {"q": f"Erased {ann.pk}"}) for each in lists]
    pages = [*found, *(chief.get(f"/admin/{each}/") for each in details)]

    assert [len(each.context["cl"].result_list) for each in found] == [1, 1, 2, 1]
    assert [each.status_code for each in pages] == [200] * 7
    assert [f"Erased {ann.pk}" in each.content.decode() for each in pages] == [True] * 7
    assert ["4242" in each.content.decode() or "q=None" in each.content.decode() for each in pages] == [False] * 7


# The API


def test_feeds_tell_of_an_erased_customer_without_his_number_and_pay_him_later(committed_site):
    site = committed_site
    abc = Programme.milestone(site, cycles=3, rewardAllocationType="PERIOD_END", lateDays=5)
    abc.go_to(1, 0)
    abc.enroll()
    abc.buy(2)
    abc.go_to(2, 0)
    customer = Customer.objects.get(brand=site.brand)
    site.brand.refresh_from_db()
    erase_customer(customer=customer, at=site.brand.clock_at, by="sam", source=Source.COMMAND)
    abc.go_to(3)

    wait_for_other_transactions()
    receipts, grants = (site.get(f"/v3/{feed}")[1]["data"] for feed in ("receipts", "rewardGrants"))
    one = site.get(f"/v3/receipts/{receipts[-1]['receiptId']}")

    assert [(each["kind"], each["customerId"]) for each in receipts] == [("ENROLLED", None), ("UNENROLLED", None)]
    assert [(each["customerId"], each["periodRefCode"]) for each in grants] == [(None, "c1")]
    assert (one[0], one[1]["data"]) == (200, receipts[-1])
    assert Grant.objects.get().customer == customer


def test_calls_about_an_erased_customer_say_so_and_no_more(site):
    abc = Programme.milestone(site, cycles=3)
    abc.go_to(1, 0)
    abc.enroll()
    customer = Customer.objects.get(brand=site.brand)
    site.brand.refresh_from_db()
    erase_customer(customer=customer, at=site.brand.clock_at, by="sam", source=Source.COMMAND)
    before = everything()

    put = site.put(f"/v3/customers/{CUSTOMER}", {"firstName": "Ann"})
    got = site.get(f"/v3/customers/{CUSTOMER}")
    groups = site.get(f"/v3/users/{CUSTOMER}/targetGroups")
    calls = [site.post(f"{abc.path}/{call}", [{"customerId": CUSTOMER}]) for call in ("enroll", "unEnroll")]
    bought = site.post(
        "/v3/activities",
        {"eventId": "e9", "eventName": "purchase", "customerId": CUSTOMER, "occurredAt": "2026-01-02T00:00:00Z"},
    )

    day = f"{site.brand.clock_at:%Y-%m-%d}"
    sentence = f"Customer {CUSTOMER} was erased on {day} and cannot be registered or enrolled."
    assert (put[0], put[1]["errors"][0]) == (410, {"code": 300012, "message": sentence, "field": "customerId"})
    for status, answer in (got, groups, *calls):
        assert (status, answer["errors"][0]["code"]) == (404, 310011)
        assert answer["errors"][0]["message"] == f"Invalid user id. {sentence}"
    assert bought[1]["data"]["notCounted"] == [{"targetId": None, "reason": "unknown_customer"}]
    assert everything() == before


def test_erasing_in_one_brand_says_nothing_in_another(site):
    foreign = BrandFactory()
    erased = CustomerFactory(brand=foreign, customer_id=77)
    erase_customer(customer=erased, at=START, by="sam", source=Source.COMMAND)

    status, answer = site.get("/v3/customers/77")

    assert (status, answer["errors"][0]["message"]) == (404, "Invalid user id: this brand has no customer 77.")
    assert site.put("/v3/customers/77", {})[0] == 201
