"""Taking back a scheduled leave in the admin."""

from datetime import timedelta

import pytest
from django.test import Client

from enrollments.enums import ReceiptKind, Source
from enrollments.models import Receipt, Stay
from enrollments.operations import cancel_leave, unenroll
from targets.models import Brand, TargetGroup
from tests.enrollments.admin_scene import ACT, LIST, NOW, enrolled, programme, signed_in, staff
from tests.factories import START, freeze

pytestmark = pytest.mark.django_db

SUPPORT = ("enrollments.view_participation", "enrollments.cancel_leave")


@pytest.fixture
def support():
    return signed_in(staff(*SUPPORT, username="sam"))


@pytest.fixture
def leaving():
    """An enrolment whose leave at the end of c1 is scheduled."""
    target = programme()
    participation = enrolled(target)
    unenroll(customer=participation.customer, target=target, at=NOW, effective="endOfCycle", **ACT)
    return participation


def path(participation):
    return f"{LIST}{participation.pk}/cancel-leave/"


def confirm(client, participation, **details):
    scheduled_by = participation.receipts.filter(kind=ReceiptKind.LEAVE_SCHEDULED).latest("pk").pk
    return client.post(path(participation), {"reason": "Changed his mind", "scheduled_by": scheduled_by} | details)


def of_admin():
    return Receipt.objects.filter(source=Source.ADMIN)


def test_scheduled_leave_is_cancelled_with_a_reason(support, leaving):
    page = support.get(path(leaving)).content.decode()

    response = confirm(support, leaving)

    receipt = of_admin().get()
    assert "at the end of c1, on 31 Jan 2026, 00:00 (UTC)" in page
    assert (response.status_code, response["Location"]) == (302, f"{LIST}{leaving.pk}/change/")
    assert (receipt.kind, receipt.actor, receipt.reason) == (ReceiptKind.LEAVE_CANCELLED, "sam", "Changed his mind")
    assert receipt.request_id == response["X-Cap-Requestid"]
    assert leaving.stays.get().end_cycle is None


def test_looking_at_the_page_changes_nothing(support, leaving):
    before = list(Stay.objects.values())

    support.get(path(leaving))

    assert (list(Stay.objects.values()), of_admin().count()) == (before, 0)


@pytest.mark.parametrize("reason", ["", " ", "x" * 501])
def test_unusable_reason_changes_nothing(support, leaving, reason):
    response = confirm(support, leaving, reason=reason)

    assert (response.status_code, of_admin().count()) == (200, 0)
    assert "errorlist" in response.content.decode()


def test_cancelled_twice_writes_one_receipt(support, leaving):
    first, second = confirm(support, leaving), confirm(support, leaving)

    assert (first.status_code, second.status_code, of_admin().count()) == (302, 200, 1)
    assert "has no scheduled leave" in second.content.decode()


def test_leave_that_has_taken_effect_cannot_be_cancelled(support, leaving):
    Brand.objects.update(clock_at=START + timedelta(days=30))

    page, response = support.get(path(leaving)).content.decode(), confirm(support, leaving)

    assert "has no scheduled leave" in page
    assert 'value="Cancel the leave"' not in page
    assert (response.status_code, of_admin().count()) == (200, 0)


def test_another_leave_scheduled_meanwhile_is_to_be_looked_at_again(support, leaving):
    shown = leaving.receipts.latest("pk").pk
    who = {"customer": leaving.customer, "target": leaving.target, "at": NOW}
    cancel_leave(**who, **ACT)
    unenroll(**who, effective="endOfCycle", **ACT)
    before = list(Stay.objects.values())

    response = confirm(support, leaving, scheduled_by=shown)

    assert "Another leave was scheduled meanwhile. Look at it again." in response.content.decode()
    assert (list(Stay.objects.values()), of_admin().count()) == (before, 0)


def test_inactive_programme_needs_the_box_ticked(support, leaving):
    freeze(TargetGroup.objects.get())

    without = confirm(support, leaving)
    refused = of_admin().count()
    ticked = confirm(support, leaving, include_inactive="on")

    assert (without.status_code, refused) == (200, 0)
    assert (ticked.status_code, of_admin().count()) == (302, 1)


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        ((), 403),
        (("enrollments.view_participation",), 403),
        (("enrollments.cancel_leave",), 403),
        (("enrollments.view_participation", "enrollments.unenroll"), 403),
        (SUPPORT, 302),
    ],
)
def test_who_may_cancel(leaving, permissions, status):
    response = confirm(signed_in(staff(*permissions)), leaving)

    assert (response.status_code, of_admin().count()) == (status, int(status == 302))


def test_anonymous_is_sent_to_log_in(leaving):
    assert confirm(Client(), leaving)["Location"].startswith("/admin/login/")
    assert of_admin().count() == 0


def test_no_such_enrolment_is_not_found(support):
    assert support.get(f"{LIST}4711/cancel-leave/").status_code == 404


def test_button_is_there_only_while_a_leave_is_scheduled(support, leaving):
    page = f"{LIST}{leaving.pk}/change/"

    before = path(leaving) in support.get(page).content.decode()
    confirm(support, leaving)
    after = path(leaving) in support.get(page).content.decode()

    assert (before, after) == (True, False)
