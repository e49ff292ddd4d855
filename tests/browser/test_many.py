"""Unenrolling many by hand, in a real browser: uploaded by one, approved by another."""

import csv
import os
from io import StringIO
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from enrollments import leave_plans
from enrollments.enums import ReceiptKind
from enrollments.models import LeavePlan, Receipt, Stay
from enrollments.operations import unenroll
from targets.enums import Allocation, TrackingType
from tests.enrollments.admin_scene import ACT, NOW, enrolled, programme, staff
from tests.enrollments.plan_scene import LEAD, SECOND, upload_address

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "a-password-of-a-test"
INJECTED = "<img src=x onerror=window.injected=1>"
SHOTS = os.environ.get("SCREENSHOTS")  # a directory, for whoever wants to look


def sign_in(page: Page, name: str, *permissions: str) -> None:
    user = staff(*permissions, username=name)
    user.set_password(PASSWORD)
    user.save()
    page.goto("/admin/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def look(page: Page, name: str) -> None:
    """No page is wider than a screen or a phone."""
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), name
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/{name}-{width}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})


def test_list_is_uploaded_approved_by_a_second_person_run_and_downloaded(
    page: Page, browser: Browser, tmp_path: Path, settings, monkeypatch
):
    settings.BULK_APPROVAL_ABOVE = 2
    monkeypatch.setattr(leave_plans, "TOGETHER_AT_ONCE", 2)
    target = programme(allocation=Allocation.PERIOD_END, name="ABC")
    for number in range(1, 6):
        enrolled(target, customer_id=number, achieved=number == 1, first_name=INJECTED)
    path = tmp_path / "customers.csv"
    path.write_text(f"customer\n1\n2\n3\n4\n5\n3\n404\n{INJECTED}\n")

    sign_in(page, "sam", *LEAD)
    page.goto(f"/admin/targets/targetgroup/{target.target_group_id}/change/")
    page.get_by_role("link", name="Unenrol many …").click()
    look(page, "upload")
    page.get_by_label("List of customers").set_input_files(path)
    page.get_by_label("Reason").fill("Moved abroad")
    page.get_by_role("button", name="Look at what it means").click()
    expect(page.get_by_text("5 customers would leave, more than 2.")).to_be_visible()  # it went on by itself
    expect(page.locator(".loud")).to_contain_text("1 of 5 forfeits a reward")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    look(page, "plan")
    page.get_by_role("link", name="1 Was named before").click()
    expect(page.locator(".lines tbody tr")).to_have_count(1)
    expect(page.locator(".lines")).to_contain_text("Was named on line 4.")

    context = browser.new_context(base_url=page.url.partition("/admin/")[0])
    second = context.new_page()
    sign_in(second, "lea", *SECOND)
    second.goto("/admin/enrollments/leaveplan/")
    second.locator("#result_list").get_by_role("link", name="Unenrolment").click()
    second.get_by_role("button", name="Approve that 5 customers leave").click()
    expect(second.locator(".facts")).to_contain_text("by lea")
    context.close()
    assert Stay.objects.filter(end_cycle=None).count() == 5

    page.reload()
    page.get_by_role("button", name="Unenrol 5 customers").click()
    expect(page.get_by_text("5 of 5 have left.")).to_be_visible()
    look(page, "done")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    text = Path(download.value.path()).read_text("utf-8-sig")

    plan = LeavePlan.objects.get()
    assert [each["outcome"] for each in csv.DictReader(StringIO(text))] == [
        *["unenrolled"] * 5,
        "duplicate_in_request",
        *["unknown_customer"] * 2,
    ]
    assert Receipt.objects.filter(batch_id=plan.batch_id, actor="sam", reason="Moved abroad").count() == 5
    assert (plan.state, plan.approved_by) == ("DONE", "lea")
    assert page.evaluate("window.injected") is None


@pytest.mark.soak  # what it is about is shown without a browser too
def test_page_left_amid_the_run_goes_on_where_it_is_opened_again_also_without_scripts(
    page: Page, browser: Browser, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(leave_plans, "TOGETHER_AT_ONCE", 1)
    target = programme(name="ABC")
    for number in range(1, 4):
        enrolled(target, customer_id=number)
    path = tmp_path / "customers.csv"
    path.write_text("1\n2\n3\n")
    sign_in(page, "sam", *LEAD)
    context = browser.new_context(
        base_url=page.url.partition("/admin/")[0], java_script_enabled=False, storage_state=page.context.storage_state()
    )
    plain = context.new_page()

    plain.goto(upload_address(target))
    plain.get_by_label("List of customers").set_input_files(path)
    plain.get_by_label("Reason").fill("Moved abroad")
    plain.get_by_role("button", name="Look at what it means").click()
    for done in range(3):
        expect(plain.get_by_role("status")).to_contain_text(f"Looked at: {done} of 3 lines.")
        plain.get_by_role("button", name="Go on").click()
    plain.get_by_role("button", name="Unenrol 3 customers").click()
    plain.get_by_role("button", name="Go on").click()
    expect(plain.get_by_role("status")).to_contain_text("Carried out: 1 of 3 lines.")
    address = plain.url
    context.close()
    left = Stay.objects.filter(end_cycle=1).count()
    page.goto(f"{address}?paused=1")
    if SHOTS:
        look(page, "running")
    page.goto(address)

    expect(page.get_by_text("3 of 3 have left.")).to_be_visible()
    assert left == 1
    assert Receipt.objects.filter(kind="UNENROLLED").count() == 3


def test_customer_who_left_a_streak_is_enrolled_again_to_start_fresh(page: Page):
    target = programme(tracking_type=TrackingType.STREAKS, levels=(1,), name="XYZ")
    participation = enrolled(target, achieved=True, customer_id=1)
    unenroll(customer=participation.customer, target=target, at=NOW, **ACT)
    sign_in(page, "lea", "enrollments.view_participation", "enrollments.view_receipt", "enrollments.enroll")

    page.goto(f"/admin/enrollments/participation/{participation.pk}/change/")
    page.get_by_role("link", name="Re-enrol …").click()
    look(page, "reenrol")
    expect(page.get_by_role("radio", checked=True)).to_have_count(0)
    page.get_by_label("Start fresh").check()
    page.get_by_label("Reason").fill("Asked for a new start")
    page.get_by_role("button", name="Enrol again").click()

    expect(page.locator(".messagelist")).to_contain_text("1 is in XYZ again.")
    expect(page.locator(".facts")).to_contain_text("0, in run 2")
    look(page, "receipt")
    receipt = Receipt.objects.latest("pk")
    assert (receipt.kind, receipt.run_number, receipt.actor) == (ReceiptKind.REENROLLED, 2, "lea")
