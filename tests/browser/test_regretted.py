"""Taken out by mistake, changed amid the preview, and lists taken along: in a real browser."""

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from enrollments.enums import ReceiptKind
from enrollments.models import Receipt
from enrollments.operations import unenroll
from targets.enums import Allocation
from tests.browser.test_many import look, sign_in
from tests.enrollments.admin_scene import ACT, NOW, buy, enrolled, programme

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

UNDOING = ("enrollments.view_participation", "enrollments.view_receipt", "enrollments.undo_unenrolment")
FIGURES = ("targets.view_targetgroup", "enrollments.view_participation", "rewards.view_grant")


def test_customer_taken_out_by_mistake_is_back_with_what_he_did_meanwhile(page: Page):
    target = programme(name="ABC")
    participation = enrolled(target, customer_id=7)
    left = unenroll(customer=participation.customer, target=target, at=NOW, **ACT)
    buy(target, participation.customer, NOW)
    sign_in(page, "lea", *UNDOING)

    page.goto(f"/admin/enrollments/receipt/{left.pk}/change/")
    page.get_by_role("link", name="Undo …").click()
    expect(page.get_by_text("1 activity of his that did not count because of it will count")).to_be_visible()
    look(page, "undo")
    page.get_by_label("Reason").fill(" ")
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator(".errorlist")).to_contain_text("Say why")
    assert Receipt.objects.filter(kind=ReceiptKind.UNENROLMENT_UNDONE).count() == 0
    page.get_by_label("Reason").fill("Wrong customer")
    page.get_by_role("button", name="Take it back").click()

    expect(page.locator(".facts")).to_contain_text("Wrong customer")
    page.get_by_role("link", name=f"Receipt {left.pk}", exact=True).click()
    expect(page.locator(".facts")).to_contain_text("Taken back by")
    expect(page.get_by_role("link", name="Undo …")).to_have_count(0)
    page.goto(f"/admin/enrollments/receipt/{left.pk}/undo/")
    expect(page.locator(".loud")).to_contain_text("This leave cannot be taken back.")
    assert Receipt.objects.filter(kind=ReceiptKind.UNENROLMENT_UNDONE, actor="lea").count() == 1


def test_whoever_reaches_the_value_amid_the_preview_does_not_leave_unseen(page: Page):
    target = programme(name="ABC", allocation=Allocation.PERIOD_END)
    participation = enrolled(target, customer_id=7)
    sign_in(page, "lea", "enrollments.view_participation", "enrollments.view_receipt", "enrollments.unenroll")

    page.goto(f"/admin/enrollments/participation/unenroll/?id={participation.pk}")
    expect(page.locator(".words .forfeited")).to_have_count(0)
    page.get_by_label("Reason").fill("Asked")
    buy(target, participation.customer)
    page.get_by_role("button", name="Unenrol", exact=True).click()

    expect(page.get_by_text("now it is “left, reward forfeited”")).to_be_visible()
    expect(page.locator(".words .forfeited")).to_contain_text("The reward of c1")
    expect(page.get_by_label("Reason")).to_have_value("Asked")
    look(page, "changed")
    assert Receipt.objects.filter(kind=ReceiptKind.UNENROLLED).count() == 0


def test_figures_and_lists_are_looked_at_and_taken_along(page: Page, tmp_path: Path):
    target = programme(name="ABC", cycles=2, allocation=Allocation.PERIOD_END)
    enrolled(target, customer_id=7, achieved=True)
    enrolled(target, customer_id=8, first_name="=1+1")
    sign_in(page, "lea", *FIGURES)

    page.goto(f"/admin/targets/targetgroup/{target.target_group_id}/change/")
    page.get_by_role("link", name="Figures").click()
    expect(page.get_by_role("img", name="Members, achievements and forfeited rewards")).to_be_visible()
    expect(page.get_by_role("row", name="c1")).to_contain_text("100 points, 100 in all")
    look(page, "figures")
    figures = downloaded(page, tmp_path, page.get_by_role("link", name="Download as CSV"))
    page.get_by_role("link", name="All enrolments").click()
    enrolments = downloaded(page, tmp_path, page.get_by_role("button", name="Export as CSV"))

    assert [each[0] for each in figures] == ["Cycle", "c1", "c2"]
    assert [each[0] for each in enrolments] == ["Customer", "8 (=1+1)", "7"]


def downloaded(page, folder, control):
    with page.expect_download() as download:
        control.click()
    download.value.save_as(folder / "file.csv")
    with (folder / "file.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))
