"""Taking a leave back in the admin."""

import re
from datetime import timedelta

import pytest

from enrollments.models import ActivityOutcome, Receipt, Stay
from enrollments.operations import ActivityData, enroll, record_activity, unenroll
from tests.enrollments.admin_scene import ACT, NOW, enrolled, programme, signed_in, staff
from tests.faults import everything

pytestmark = pytest.mark.django_db

LEAD = ("enrollments.view_receipt", "enrollments.view_participation", "enrollments.undo_unenrolment")


@pytest.fixture
def lead():
    return signed_in(staff(*LEAD, username="lea"))


@pytest.fixture
def left():
    """He has left, and has bought something since."""
    target = programme()
    participation = enrolled(target)
    receipt = unenroll(customer=participation.customer, target=target, at=NOW, **ACT)
    buy(participation)
    return receipt


def buy(participation, event_id="e"):
    customer = participation.customer
    activity = ActivityData(event_id, participation.target.event_name or "purchase", customer.customer_id, NOW)
    record_activity(brand=customer.brand, activity=activity, at=NOW)


def page(receipt):
    return f"/admin/enrollments/receipt/{receipt.pk}/"


def test_receipt_of_a_leave_leads_to_the_page_and_that_shows_what_will_count(lead, left):
    before = everything()

    receipt, preview = lead.get(f"{page(left)}change/"), lead.get(f"{page(left)}undo/")

    assert f"{page(left)}undo/" in receipt.content.decode()
    crumbs = preview.content.decode().partition('<div class="breadcrumbs">')[2].partition("</div>")[0]
    assert re.findall('href="(.+?)"', crumbs) == [
        "/admin/",
        "/admin/enrollments/",
        "/admin/enrollments/receipt/",
        f"{page(left)}change/",
    ]
    assert "<strong>1</strong> activity of his that did not count because of it will count" in preview.content.decode()
    assert {name: rows for name, rows in everything().items() if name != "django_session"} == {
        name: rows for name, rows in before.items() if name != "django_session"
    }


def test_confirmed_with_a_reason_it_is_undone_in_the_name_of_who_did_it(lead, left):
    shown = lead.get(f"{page(left)}undo/").context["shown"]

    answer = lead.post(f"{page(left)}undo/", {"reason": "By mistake", "shown": shown}, follow=True)

    undone = Receipt.objects.get(undoes=left)
    assert answer.redirect_chain == [(f"{page(undone)}change/", 302)]
    assert (undone.actor, undone.reason, undone.source) == ("lea", "By mistake", "ADMIN")
    assert Stay.objects.get().end_cycle is None
    assert ActivityOutcome.objects.get().reason == ""
    assert f"{page(left)}undo/" not in lead.get(f"{page(left)}change/").content.decode()


def test_what_has_changed_since_it_was_shown_is_shown_again_and_nothing_is_done(lead, left):
    shown = lead.get(f"{page(left)}undo/").context["shown"]
    buy(left.participation, "another")

    answer = lead.post(f"{page(left)}undo/", {"reason": "By mistake", "shown": shown}).content.decode()

    assert "What would be counted has changed meanwhile" in answer
    assert "<strong>2</strong> activities" in answer
    assert Stay.objects.get().end_cycle == 1


def test_reason_is_asked_for(lead, left):
    shown = lead.get(f"{page(left)}undo/").context["shown"]

    answer = lead.post(f"{page(left)}undo/", {"shown": shown})

    assert "Say why" in answer.content.decode()
    assert Stay.objects.get().end_cycle == 1


def test_refusal_stands_on_the_page_that_offers_nothing_then(lead, left):
    enroll(customer=left.participation.customer, target=left.participation.target, at=NOW + timedelta(0), **ACT)

    answer = lead.get(f"{page(left)}undo/").content.decode()

    assert "cannot be taken back" in answer
    assert '<form method="post">' not in answer
