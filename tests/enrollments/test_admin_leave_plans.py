"""Unenrolling many by hand: a list uploaded on the page of a programme, looked at, approved, run, and downloaded."""

import csv
from io import StringIO

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from enrollments import leave_plans
from enrollments.models import LeavePlan, Stay
from enrollments.operations import unenroll
from targets.enums import Allocation
from targets.models import AuditEntry
from targets.spreadsheets import as_text
from tests.enrollments.admin_scene import ACT, NOW, enrolled, programme, receipts_of_admin, signed_in, staff
from tests.enrollments.plan_scene import (
    LEAD,
    SECOND,
    csv_of,
    page_of,
    planned,
    posted,
    press,
    run_to_its_end,
    send,
    told,
    upload_address,
    uploaded,
)
from tests.factories import CustomerFactory, freeze
from tests.faults import everything

pytestmark = pytest.mark.django_db

MEDIUM = "<script>alert(1)</script>"


@pytest.fixture
def lead():
    return signed_in(staff(*LEAD, username="sam"))


@pytest.fixture
def second():
    return signed_in(staff(*SECOND, username="lea"))


@pytest.fixture
def target():
    return programme(allocation=Allocation.PERIOD_END)


def number(participation):
    return participation.customer.customer_id


def html_of(client, plan, **query):
    return client.get(page_of(plan), query).content.decode()


def unchanged_but(before, *tables):
    known = {"django_session", *tables}
    return {name for name, rows in everything().items() if rows != before[name]} <= known


def test_page_of_a_programme_leads_to_the_upload_for_whoever_may(lead, second, target):
    group = f"/admin/targets/targetgroup/{target.target_group_id}/change/"

    shown = [upload_address(target) in each.get(group).content.decode() for each in (lead, second)]

    assert shown == [True, False]


def test_list_is_uploaded_looked_at_run_and_downloaded(lead, target):
    forfeits, left = enrolled(target, achieved=True, external_id="=A-1"), enrolled(target)
    unenroll(customer=left.customer, target=target, at=NOW, **ACT)

    answer = send(lead, target, csv_of("customer", "=A-1", number(left), 404))
    plan = LeavePlan.objects.get()
    press(lead, plan)
    page = html_of(lead, plan)
    assert Stay.objects.get(participation=forfeits).end_cycle is None
    press(lead, plan)
    press(lead, plan)

    assert answer["Location"] == page_of(plan)
    assert (plan.file_name, plan.uploaded_by, plan.reason) == ("customers.csv", "sam", "Moved abroad")
    assert "Forfeits</span> the reward of c1." in page
    assert "Leaves c1 to c5" in page
    assert "Left 4 Jan 2026, 00:00 (UTC)." in page
    assert "<strong>1 of 1</strong> forfeits a reward" in page
    (receipt,) = receipts_of_admin()
    assert (receipt.participation, receipt.actor, receipt.batch_id) == (forfeits, "sam", plan.batch_id)
    done = html_of(lead, plan)
    assert "<strong>1 of 1</strong> have left" in done
    assert f"undo_unenrolment --batch {plan.batch_id}" in done
    download = lead.get(page_of(plan, "result"))
    assert download["Content-Disposition"] == f'attachment; filename="unenrolment-{plan.pk}-done.csv"'
    rows = list(csv.DictReader(StringIO(download.getvalue().decode("utf-8-sig"))))
    assert [(each["line"], each["customerId"], each["externalId"], each["given"]) for each in rows] == [
        ("2", str(number(forfeits)), "'=A-1", ""),
        ("3", str(number(left)), "", ""),
        ("4", "", "", "404"),
    ]
    assert [(each["plan"], each["outcome"], each["receiptId"]) for each in rows] == [
        ("unenrolled", "unenrolled", str(receipt.pk)),
        ("already_left", "already_left", ""),
        ("unknown_customer", "unknown_customer", ""),
    ]


@pytest.mark.parametrize(
    ("content", "details", "message"),
    [
        (b"17\n18,19\n", {}, "Line 2: one column is expected, and there are more."),
        (b"17\n", {"reason": " "}, "Say why: the reason is kept on the receipt."),
        (b"17\n", {"effective": "yesterday"}, "Select a valid choice."),
        (b"17\n", {"list": ""}, "Choose a file."),
        (b"1\n" * 2_200_000, {}, "The file is larger than 4 MB: divide it."),
    ],
)
def test_what_cannot_be_taken_is_named_and_nothing_is(lead, target, content, details, message):
    before = everything()

    answer = send(lead, target, content, **details)

    assert answer.status_code == 200
    assert message in answer.content.decode()
    assert unchanged_but(before)


def test_target_of_another_programme_is_not_taken(lead, target):
    other = programme(brand=target.brand)

    answer = lead.post(upload_address(target), posted(other, b"17"))

    assert answer.status_code == 200
    assert LeavePlan.objects.count() == 0


def test_inactive_programme_asks_for_a_tick(lead, target):
    participation = enrolled(target)
    freeze(target.target_group)

    for details, verdict in (({}, "inactive"), ({"include_inactive": "on"}, "unenrolled")):
        send(lead, target, csv_of(number(participation)), **details)
        plan = LeavePlan.objects.latest("pk")
        press(lead, plan)
        assert told(plan) == [(1, verdict, "")]


def test_large_list_waits_for_a_second_person_who_sees_the_same(lead, second, target, settings):
    settings.BULK_APPROVAL_ABOVE = 0
    plan = planned(target, number(enrolled(target)))

    assert "A second person has to approve it; sam, who uploaded it, cannot." in html_of(lead, plan)
    press(lead, plan)
    press(lead, plan, deed="approve")  # has not the permission
    both = signed_in(staff(*LEAD, "enrollments.approve_bulk", username="max"))
    LeavePlan.objects.filter(pk=plan.pk).update(uploaded_by="max")
    refused = press(both, plan, deed="approve")
    assert [str(each) for each in get_messages(refused.wsgi_request)] == [
        "Whoever has uploaded a list cannot approve it: that is for a second person."
    ]
    assert "Approve that" not in html_of(both, plan)
    LeavePlan.objects.filter(pk=plan.pk).update(uploaded_by="sam")
    plan.refresh_from_db()
    assert (plan.state, plan.approved_by) == ("PLANNED", "")

    assert "Approve that 1 customer leaves" in html_of(second, plan)
    press(second, plan, deed="approve")
    assert press(second, plan).status_code == 403  # he may approve, not unenrol
    press(lead, plan)
    press(lead, plan)

    assert told(plan) == [(1, "unenrolled", "unenrolled")]
    entries = AuditEntry.objects.filter(kind="unenrolment of many").order_by("pk").values_list("by", "credential")
    assert list(entries)[-2:] == [("lea", "session lea"), ("sam", "session sam")]


def test_page_that_goes_on_by_itself_never_begins_what_is_to_be_decided(lead, target, monkeypatch):
    monkeypatch.setattr(leave_plans, "TOGETHER_AT_ONCE", 1)
    plan = uploaded(target, number(enrolled(target)), number(enrolled(target)))

    assert "data-goes-on" in html_of(lead, plan)
    assert "data-goes-on" not in html_of(lead, plan, paused=1)
    for _ in range(4):  # as a script would that went on and on
        press(lead, plan, "PLANNING")

    plan.refresh_from_db()
    assert plan.state == "PLANNED"
    assert "data-goes-on" not in html_of(lead, plan)
    assert receipts_of_admin().count() == 0


def test_refusal_stops_the_page_and_says_why(lead, target):
    plan = planned(target, 404)

    answer = press(lead, plan)

    assert answer["Location"] == f"{page_of(plan)}?paused=1"
    assert [str(each) for each in get_messages(answer.wsgi_request)] == ["Nobody leaves by it."]


def test_withdrawn_by_either_it_is_never_run(lead, second, target):
    plans = [planned(target, number(enrolled(target))) for _ in range(2)]

    for client, plan in zip((lead, second), plans, strict=True):
        press(client, plan, deed="withdraw")
        press(lead, plan, "PLANNED")

    assert list(LeavePlan.objects.order_by("pk").values_list("state", "ended_by")) == [
        ("WITHDRAWN", "sam"),
        ("WITHDRAWN", "lea"),
    ]
    assert receipts_of_admin().count() == 0


def test_lines_are_filtered_and_paged_and_any_page_is_answered(lead, target, monkeypatch):
    monkeypatch.setattr("enrollments.admin.leave_plans.LINES", 2)
    plan = planned(target, *(number(enrolled(target, achieved=each == 0)) for each in range(5)), 404)

    def lines(**query):
        return [each.line.line for each in lead.get(page_of(plan), query).context["lines"]]

    assert lines() == [1, 2]
    assert lines(page=3) == [5, 6]
    assert lines(page="9" * 30) == lines(page="x") == lines(page=0) == [1, 2]
    assert lines(page=99) == [5, 6]
    assert lines(verdict="unenrolled", page=3) == [5]
    assert lines(verdict="unknown_customer") == [6]
    assert lines(outcome="unenrolled") == []
    assert lines(forfeits=1) == [1]
    assert lines(verdict="'; DROP") == [1, 2]


def test_page_takes_the_same_statements_however_many_lines_it_has(lead, target):
    costs = []
    html_of(lead, planned(target, 404))  # Django remembers what it asks for once
    for size in (1, 30):
        plan = planned(target, *(number(enrolled(target)) for _ in range(size)))
        for state in ("PLANNED", "DONE"):
            if state == "DONE":
                press(lead, plan)
                plan.refresh_from_db()
                plan = run_to_its_end(plan)
            with CaptureQueriesContext(connection) as queries:
                html_of(lead, plan)
            costs.append(len(queries))

    assert costs[:2] == costs[2:]


def test_texts_of_others_are_shown_as_texts(lead, target):
    plan = planned(target, MEDIUM, number(enrolled(target, first_name=MEDIUM)), reason=MEDIUM, file_name=MEDIUM)

    pages = [html_of(lead, plan), lead.get(upload_address(target)).content.decode()]

    assert [MEDIUM in each for each in pages] == [False, False]
    assert pages[0].count("&lt;script&gt;alert(1)&lt;/script&gt;") == 4


@pytest.mark.parametrize("begins", ["=1+1", "+1", "-1", "@SUM", "\t=1", "\r=1"])
def test_cells_that_a_spreadsheet_would_compute_begin_with_an_apostrophe(lead, target, begins):
    customer = CustomerFactory(brand=target.brand, external_id=begins)

    rows = csv.reader(StringIO(lead.get(page_of(planned(target, customer.customer_id), "result")).getvalue().decode()))

    assert [row[2] for row in rows] == ["externalId", as_text(begins)]
    assert as_text(begins).startswith("'")


def test_form_from_another_site_takes_no_list(target):
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff(*LEAD))

    assert send(client, target, b"17").status_code == 403
    assert LeavePlan.objects.count() == 0


def test_whoever_was_locked_is_offered_to_be_tried_once_more(lead, target):
    left = enrolled(target)
    unenroll(customer=left.customer, target=target, at=NOW, **ACT)
    plan = planned(target, number(enrolled(target)), number(left))
    for _ in range(2):
        press(lead, plan)
    plan.lines.update(outcome="try_again", receipt=None, message="Others took too long.")  # nobody waits for the latter

    offered = "Try 1 once more" in html_of(lead, plan)
    press(lead, plan)
    press(lead, plan)

    assert offered
    assert "once more" not in html_of(lead, plan)
    assert told(plan) == [(1, "unenrolled", "unenrolled"), (2, "already_left", "try_again")]
    assert receipts_of_admin().count() == 1
