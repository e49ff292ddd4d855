"""A receipt, and a line of a programme's history, say from where a change came and with which credential."""

from io import StringIO

import pytest
from django.core.management import call_command

from enrollments.models import Receipt
from targets.callers import account
from targets.models import AuditEntry, ProgrammeChange
from tests.config.second_factor_scene import passed
from tests.config.token_scene import Credentials, caller, token_of
from tests.conftest import SECRET
from tests.enrollments.admin_scene import SUPPORT, confirm, enrolled, programme, signed_in, staff, unenrol_page
from tests.factories import ApiUserFactory, CustomerFactory

pytestmark = pytest.mark.django_db

RECEIPTS = "/admin/enrollments/receipt/"
CHANGES = "/admin/targets/programmechange/"
FROM = {"HTTP_X_FORWARDED_FOR": "203.0.113.7", "HTTP_X_REQUEST_ID": "r-7"}


@pytest.fixture(autouse=True)
def behind_a_proxy(settings):
    settings.TRUSTED_PROXIES = ["127.0.0.1"]


@pytest.fixture
def target():
    return programme(name="ABC")


def origin(row):
    return row.source, row.credential, row.address, row.request_id


def test_receipts_of_the_api_say_so_for_one_and_for_many(target, client_of):
    username = ApiUserFactory(brand=target.brand).user.username
    path = f"/v3/targetGroups/{target.target_group_id}/targets/{target.pk}"
    numbers = [CustomerFactory(brand=target.brand).customer_id for _ in range(3)]
    client = client_of(username, SECRET)

    many = client.post(f"{path}/enroll/bulk", {"records": [{"customerId": each} for each in numbers]}, **FROM)
    left = client.post(f"{path}/unEnroll", [{"customerId": numbers[0]}], **FROM)

    assert (many.status_code, left.status_code) == (200, 200)
    assert {origin(each) for each in Receipt.objects.all()} == {("API", f"basic {username}", "203.0.113.7", "r-7")}
    assert {each.actor for each in Receipt.objects.all()} == {username}
    assert Receipt.objects.count() == 4
    assert AuditEntry.objects.filter(request_id="r-7").count() == 0  # the receipt is the record


def test_receipt_of_the_admin_says_so(target):
    participation = enrolled(target)
    sam = signed_in(staff(*SUPPORT, username="sam"))
    sam.defaults.update(FROM)

    confirm(sam, unenrol_page(sam, participation))

    receipt = Receipt.objects.latest("pk")
    assert origin(receipt) == ("ADMIN", "session sam", "203.0.113.7", "r-7")
    page = sam.get(f"{RECEIPTS}{receipt.pk}/change/").content.decode()
    assert 'session sam <span class="quiet">from 203.0.113.7</span>' in page


def test_receipt_of_who_gave_a_code_says_so(target):
    participation = enrolled(target)
    sam = passed(staff(*SUPPORT, username="sam"))

    confirm(sam, unenrol_page(sam, participation))

    assert Receipt.objects.latest("pk").credential == "session sam, second factor"


def test_receipt_of_a_command_names_the_account(target):
    customer = enrolled(target).customer

    call_command(
        "unenroll",
        target_group=target.target_group_id,
        target=target.pk,
        customer=[str(customer.customer_id)],
        by="ops",
        stdout=StringIO(),
    )

    receipt = Receipt.objects.latest("pk")
    assert (receipt.actor, *origin(receipt)) == ("ops", "COMMAND", f"account {account()}", "", "")


def test_change_of_a_programme_says_so(target):
    chief = signed_in(staff(username="chief", is_superuser=True))

    chief.post(f"/admin/targets/targetgroup/{target.target_group_id}/active/", {"wanted": "frozen"}, **FROM)

    change = ProgrammeChange.objects.latest("pk")
    assert (change.by, *origin(change)) == ("chief", "ADMIN", "session chief", "203.0.113.7", "r-7")


def test_receipts_and_changes_are_found_by_who_day_and_request(target, client_of):
    username = ApiUserFactory(brand=target.brand).user.username
    enrolled(target)
    path = f"/v3/targetGroups/{target.target_group_id}/targets/{target.pk}"
    number = CustomerFactory(brand=target.brand).customer_id
    client_of(username, SECRET).post(f"{path}/enroll", {"customerId": number}, **FROM)
    wanted = Receipt.objects.latest("pk")
    chief = signed_in(staff(username="chief", is_superuser=True))

    def shown(path, **query):
        return [each.pk for each in chief.get(path, query).context["cl"].result_list]

    assert shown(RECEIPTS, request="r-7") == [wanted.pk]
    assert shown(RECEIPTS, who=username, day=wanted.recorded_at.date().isoformat()) == [wanted.pk]
    assert shown(RECEIPTS, who=username, day="2020-01-01") == []
    assert shown(CHANGES, request="r-7") == shown(CHANGES, who=username) == []


def test_receipt_by_token_names_the_client(target):
    credentials = Credentials.of(ApiUserFactory(brand=target.brand))
    client = caller(token_of(credentials))
    number = CustomerFactory(brand=target.brand).customer_id

    answer = client.post(
        f"/v3/targetGroups/{target.target_group_id}/targets/{target.pk}/enroll", {"customerId": number}, **FROM
    )

    assert answer.status_code == 200
    credential = f"bearer {credentials.user.username}, client {credentials.client_id}"
    assert origin(Receipt.objects.get()) == ("API", credential, "203.0.113.7", "r-7")
