"""What support does in the admin, in a real browser."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from enrollments.enums import ReceiptKind, Source
from enrollments.models import Receipt
from enrollments.operations import unenroll
from targets.enums import Allocation
from targets.models import AuditEntry
from tests.enrollments.admin_scene import ACT, NOW, enrolled, programme, staff

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "a-password-of-a-test"
SUPPORT = (
    "targets.view_customer",
    "enrollments.view_participation",
    "enrollments.view_receipt",
    "enrollments.unenroll",
    "enrollments.bulk_unenroll",
    "enrollments.cancel_leave",
)


@pytest.fixture
def target():
    return programme(allocation=Allocation.PERIOD_END, name="ABC", time_zone="Asia/Kolkata")


@pytest.fixture
def support(page: Page) -> Page:
    """Signed in through the form."""
    user = staff(*SUPPORT, username="sam")
    user.set_password(PASSWORD)
    user.save()
    page.goto("/admin/")
    page.get_by_label("Username").fill("sam")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


def of_admin() -> list[Receipt]:
    return list(Receipt.objects.filter(source=Source.ADMIN).order_by("pk"))


def test_customer_is_found_unenrolled_with_a_forfeited_reward_and_his_receipt_copied(support, target):
    enrolled(target, achieved=True, customer_id=423789336, first_name="Ann")

    support.get_by_label("Find a customer").fill("423789336")
    support.get_by_label("Find a customer").press("Enter")
    support.get_by_role("link", name="Unenrol … from ABC").click()
    expect(support.locator(".words .forfeited")).to_contain_text("The reward of c1, 100 points.")
    strip = support.get_by_role("list", name="His cycles, after leaving")
    expect(strip.get_by_role("listitem").first).to_have_text("✕c1: Left, reward forfeited, running")
    support.get_by_role("button", name="Enrolled by mistake").click()
    expect(support.get_by_label("Reason")).to_have_value("Enrolled by mistake")
    assert of_admin() == []
    support.get_by_role("button", name="Unenrol", exact=True).click()

    expect(support.locator(".messagelist")).to_contain_text("The reward of c1 is forfeited.")
    expect(support.locator(".facts")).to_contain_text("Enrolled by mistake")
    expect(support.locator(".facts")).to_contain_text("4 Jan 2026, 05:30 Asia/Kolkata")
    support.context.grant_permissions(["clipboard-read", "clipboard-write"])
    support.get_by_role("button", name="Copy the text for the customer").click()
    expect(support.get_by_role("button", name="Copied")).to_be_visible()
    (receipt,) = of_admin()
    text = support.evaluate("navigator.clipboard.readText()")
    assert text.startswith("ABC: unenrolled on 4 Jan 2026, 05:30 (Asia/Kolkata).\nForfeited: the reward of c1.")
    support.emulate_media(media="print")
    for away in ("#header", "#sidebar", ".object-tools"):
        expect(support.locator(away)).to_be_hidden()
    assert support.url.endswith(f"/admin/enrollments/receipt/{receipt.pk}/change/")
    assert (receipt.kind, receipt.actor, receipt.reason) == (ReceiptKind.UNENROLLED, "sam", "Enrolled by mistake")


def test_two_customers_are_chosen_in_the_list_and_leave_at_the_end_of_the_cycle(support, target):
    first, second = enrolled(target, customer_id=1), enrolled(target, achieved=True, customer_id=2)

    support.goto("/admin/enrollments/participation/")
    support.get_by_label("Select all objects on this page for an action").check()
    support.get_by_label("Action:").select_option(label="Unenrol the selected customers …")
    support.get_by_role("button", name="Go").click()
    expect(support.locator(".loud")).to_contain_text("1 of 2 forfeits a reward")
    support.get_by_label("Reason").fill("Both asked")
    support.get_by_role("button", name="Leave at the end of the running cycle instead").click()
    expect(support.locator(".loud")).to_have_count(0)
    expect(support.get_by_label("Reason")).to_have_value("Both asked")
    support.get_by_role("button", name="Schedule the leave of 2 customers").click()

    expect(support.get_by_role("heading", name="2 of 2 unenrolled")).to_be_visible()
    expect(support.get_by_role("link", name=re.compile(r"Receipt \d+"))).to_have_count(2)
    receipts = of_admin()
    assert {each.participation_id for each in receipts} == {first.pk, second.pk}
    assert {each.kind for each in receipts} == {ReceiptKind.LEAVE_SCHEDULED}


def test_without_a_reason_nobody_leaves(support, target):
    participation = enrolled(target)

    support.goto(f"/admin/enrollments/participation/unenroll/?id={participation.pk}")
    reason = support.get_by_label("Reason")
    reason.fill(" ")
    support.get_by_role("button", name="Unenrol", exact=True).click()

    expect(support.locator(".errorlist")).to_contain_text("Say why: the reason is kept on the receipt.")
    assert of_admin() == []


def test_leave_is_scheduled_and_cancelled(support, target):
    participation = enrolled(target)

    support.goto(f"/admin/enrollments/participation/unenroll/?id={participation.pk}")
    support.get_by_role("button", name="At the end of the running cycle").click()
    support.get_by_label("Reason").fill("Asked")
    support.get_by_label("Reason").press("Enter")  # does what the button says
    support.get_by_role("link", name="ABC").first.click()
    expect(support.locator(".state")).to_contain_text("Leaves at the end of c1")
    support.get_by_role("link", name="Cancel the scheduled leave …").click()
    support.get_by_label("Reason").fill("Changed his mind")
    support.get_by_role("button", name="Cancel the leave").click()

    expect(support.locator(".state")).to_contain_text("Enrolled since")
    assert [each.kind for each in of_admin()] == [ReceiptKind.LEAVE_SCHEDULED, ReceiptKind.LEAVE_CANCELLED]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_choice_of_the_user_not_of_the_machine(support, scheme):
    support.emulate_media(color_scheme="dark" if scheme == "light" else "light")
    support.evaluate("scheme => localStorage.setItem('theme', scheme)", scheme)

    support.goto("/admin/")

    background = support.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(244, 246, 245)", "dark": "rgb(14, 20, 18)"}[scheme]


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_are_no_wider_than_the_screen(support, target, width):
    User.objects.update(is_superuser=True)
    participation = enrolled(target, achieved=True, first_name="A" * 60)
    receipt = unenroll(customer=participation.customer, target=target, at=NOW, **ACT)
    change = {"what": "email address", "before": "", "after": "sam.of-the-support-team@example.org"}
    told = {
        "by": "margarethe.oberlander",
        "action": "SIGN_IN_FAILED",
        "kind": "user",
        "object_id": 7,
        "name": "sam" * 9,
    }
    AuditEntry.objects.create(**told, changes=[change], source=Source.ADMIN, address="2001:db8:85a3:1234:5678:8a2e::1")
    support.set_viewport_size({"width": width, "height": 800})

    overflowing = []
    for path in (
        f"enrollments/participation/{participation.pk}/change/",
        f"enrollments/participation/unenroll/?id={participation.pk}",
        f"enrollments/receipt/{receipt.pk}/undo/",
        "targets/auditentry/",
    ):
        support.goto(f"/admin/{path}")
        # A list scrolls within the page, which on a desk it need not.
        parts = "html, .results" if width > 1000 else "html"
        if support.evaluate(
            f"[...document.querySelectorAll('{parts}')].some(each => each.scrollWidth > each.clientWidth)"
        ):
            overflowing.append(path)

    assert overflowing == []
