"""The figures of a programme in the admin, and lists as tables to download."""

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollments import figures as counting
from enrollments.models import Participation, Receipt
from enrollments.operations import close_cycles
from targets.admin import exporting
from targets.enums import Allocation, AuditAction
from targets.models import AuditEntry, Customer, Target
from tests.enrollments.admin_scene import LIST, enrolled, programme, signed_in, staff
from tests.factories import BrandFactory
from tests.faults import everything

pytestmark = pytest.mark.django_db

SEE = ("targets.view_targetgroup", "enrollments.view_participation", "rewards.view_grant")
CUSTOMERS = "/admin/targets/customer/export/"
ENROLMENTS = f"{LIST}export/"


def page_of(target, ending="figures/"):
    return f"/admin/targets/targetgroup/{target.target_group_id}/{ending}"


def table(response):
    text = response.getvalue().decode()
    assert text[0] == "\ufeff"
    return list(csv.reader(io.StringIO(text[1:])))


def test_page_says_who_is_owed_what():
    target = programme(cycles=2, allocation=Allocation.PERIOD_END)
    enrolled(target)
    enrolled(target, achieved=True)
    client = signed_in(staff(*SEE))

    page = client.get(page_of(target)).content.decode()

    assert "c1: 2 members, 1 achieved, 0 forfeited" in page
    assert '<rect class="members" x="0" y="0" width="28" height="120">' in page
    assert '<rect class="achieved" x="0" y="60" width="28" height="60">' in page
    assert '<rect class="forfeited" x="0" y="0" width="28" height="0">' in page
    assert '<td class="number">1 <span class="quiet">50.0 %</span></td>' in page
    assert "100 points, 100 in all" in page
    assert f'href="{page_of(target, "figures.csv")}?target={target.pk}"' in page


def test_page_says_what_to_do_where_a_large_target_was_not_counted_yet(monkeypatch):
    monkeypatch.setattr(counting, "MOST_COUNTED_AT_ONCE", 0)
    target = programme(cycles=1)
    enrolled(target)
    client = signed_in(staff(*SEE))

    page, downloaded = client.get(page_of(target)), client.get(page_of(target, "figures.csv"))

    assert "<code>manage.py count_figures</code>" in page.content.decode()
    assert (page.status_code, downloaded.status_code) == (200, 404)


def test_page_says_that_a_close_is_overdue():
    target = programme(cycles=2)
    target.brand.clock_at = target.target_group.cycles.get(number=1).ends_at
    target.brand.save()
    client = signed_in(staff(*SEE))
    overdue = client.get(page_of(target)).content.decode()

    list(close_cycles(brand=target.brand, at=target.brand.clock_at))

    assert overdue.count("Overdue: to be closed since ") == 1
    assert "Overdue" not in client.get(page_of(target)).content.decode()


def test_table_has_the_numbers_of_the_page():
    target = programme(cycles=2, allocation=Allocation.PERIOD_END, name="=1+1")
    enrolled(target, achieved=True)
    client = signed_in(staff(*SEE))

    rows = table(client.get(page_of(target, "figures.csv")))

    assert [len(each) for each in rows] == [14, 14, 14]
    assert rows[1][3:] == ["Running", "1.000", "1", "1", "100.0", "0", "1", "100 points", "100.000", "0", "0.0"]
    assert rows[2][3:] == ["To come", "1.000", "1", "0", "0.0", "0", "0", "100 points", "0.000", "0", ""]


def test_one_target_of_several_is_shown_by_its_number():
    first = programme(cycles=1)
    second = Target.objects.create(
        brand=first.brand, target_group=first.target_group, name="Second", kpi="COUNT", event_name="visit"
    )
    client = signed_in(staff(*SEE))

    shown = [client.get(page_of(first), {"target": each}) for each in (second.pk, first.pk, first.pk + 99, "x")]

    assert [each.status_code for each in shown] == [200, 200, 404, 404]
    assert [each.context["target"] for each in shown[:2]] == [second, first]


@pytest.mark.parametrize("missing", SEE)
def test_figures_need_each_permission(missing):
    target = programme()
    client = signed_in(staff(*(each for each in SEE if each != missing)))

    answers = [client.get(page_of(target, each)) for each in ("figures/", "figures.csv")]

    assert [each.status_code for each in answers] == [403, 403]


@pytest.mark.parametrize("cycles", [1, 30])
def test_page_asks_as_much_for_many_cycles(cycles):
    target = programme(cycles=cycles)
    client = signed_in(staff(*SEE))
    client.get(page_of(target))

    with CaptureQueriesContext(connection) as queries:
        client.get(page_of(target))

    assert len(queries) == 15


def test_list_is_exported_as_it_is_searched():
    target = programme()
    one, other = enrolled(target), enrolled(target)
    client = signed_in(staff("enrollments.view_participation", username="ann"))

    rows = table(client.post(f"{ENROLMENTS}?q={one.customer.customer_id}"))

    assert rows[0] == ["Customer", "State", "Target", "Target group", "First enrolled", "Brand"]
    assert [each[0] for each in rows[1:]] == [str(one.customer)]
    assert rows[1][1] == "Enrolled"
    entry = AuditEntry.objects.get(action=AuditAction.EXPORTED)
    assert (entry.by, entry.name) == ("ann", "enrolments")
    assert [(each["what"], each["after"]) for each in entry.changes] == [
        ("rows", "1"),
        ("search and filters", "q=a+customer"),  # who it was would stay there, were he erased
    ]
    assert other.pk != one.pk


def test_all_rows_are_exported_in_the_order_of_the_list_with_as_many_statements(monkeypatch):
    monkeypatch.setattr(exporting, "AT_ONCE", 2)
    target = programme()
    made = [enrolled(target) for _ in range(5)]
    client = signed_in(staff("enrollments.view_participation"))

    rows = table(client.post(ENROLMENTS))

    assert [each[0] for each in rows[1:]] == [str(each.customer) for each in reversed(made)]


@pytest.mark.parametrize("rows", [1, 20])
def test_statements_of_an_export_do_not_grow_with_its_rows(rows):
    target = programme()
    for _ in range(rows):
        enrolled(target)
    client = signed_in(staff("enrollments.view_participation", "enrollments.view_receipt"))
    lists = ("participation", "receipt")
    for each in lists:
        client.post(f"/admin/enrollments/{each}/export/").getvalue()

    costs = []
    for each in lists:
        with CaptureQueriesContext(connection) as queries:
            client.post(f"/admin/enrollments/{each}/export/").getvalue()
        costs.append(len(queries))

    assert costs == [11, 11]


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        *[(each, f"'{each}") for each in ("=cmd|' /C calc'!A0", "+1", "-1", "@sum(1)")],
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        # A spreadsheet that separates by semicolons divides the cell, whatever quotes are around it.
        ("Ann;=cmd|' /C calc'!A0;x", "Ann;'=cmd|' /C calc'!A0;x"),
        ("Ann\n=1+1", "Ann\n'=1+1"),
        ("Ann; see A-1", "Ann; see A-1"),
    ],
)
def test_formula_in_a_name_is_exported_as_text(formula, text):
    target = programme()
    Customer.objects.filter(pk=enrolled(target).customer_id).update(first_name=formula)
    client = signed_in(staff("targets.view_customer"))

    rows = table(client.post(CUSTOMERS))

    assert rows[1][1] == text


def test_more_rows_than_may_be_exported_are_refused(monkeypatch):
    monkeypatch.setattr(exporting, "MOST_EXPORTED", 2)
    target = programme()
    for _ in range(3):
        enrolled(target)
    client = signed_in(staff("enrollments.view_participation"))
    before = everything()

    response = client.post(f"{ENROLMENTS}?q=")

    assert (response.status_code, response["Location"]) == (302, f"{LIST}?q=")
    assert "nothing was exported" in client.get(LIST).content.decode()
    assert everything() == before


def test_nobody_exports_what_is_another_brands_or_what_he_may_not_see():
    target, other = programme(), programme(brand=BrandFactory())
    ours = enrolled(target)
    enrolled(other)
    client = signed_in(staff("enrollments.view_participation", brands=[target.brand]))

    rows = table(client.post(ENROLMENTS))
    refused = client.post("/admin/enrollments/receipt/export/")

    assert [each[0] for each in rows[1:]] == [str(ours.customer)]
    assert refused.status_code == 403
    assert (Participation.objects.count(), Receipt.objects.count()) == (2, 2)


def test_export_by_a_column_that_is_no_filter_leads_back_to_the_list():
    client = signed_in(staff("targets.view_customer"))

    response = client.post(f"{CUSTOMERS}?erased_digest__startswith=a")

    assert response.status_code in (302, 400)
    assert not AuditEntry.objects.filter(action=AuditAction.EXPORTED).exists()


def test_button_is_a_post_that_keeps_the_query():
    group = enrolled(programme()).target.target_group_id
    client = signed_in(staff("enrollments.view_participation"))

    page = client.get(LIST, {"group": group}).content.decode()
    empty = client.get(LIST, {"group": group + 1}).content.decode()
    got = client.get(ENROLMENTS)

    assert f'formaction="{ENROLMENTS}?group={group}"' in page
    assert ENROLMENTS not in empty
    assert got.status_code == 405
