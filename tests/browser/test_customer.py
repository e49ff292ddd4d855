"""A customer calls: he is found, his page is read, and what to tell him is copied, in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from enrollments.operations import enroll, unenroll
from targets.enums import Allocation, TrackingType
from tests.browser.test_support import PASSWORD
from tests.enrollments.admin_scene import ACT, NOW, buy, enrolled, programme, staff
from tests.factories import START, CustomerFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SCRIPT = "<img src=x onerror=window.hit=1>"
SENTENCE = (
    "Not granted: the target was reached, 2 of 1, but this reward is given only when the cycle closes, and the "
    "enrolment ended before, on 4 Jan 2026."
)


@pytest.fixture
def ann():
    """She forfeited a reward of ABC, is on a streak, and has a name and a reason that would like to be scripts."""
    abc = programme(allocation=Allocation.PERIOD_END, name="ABC", time_zone="Asia/Kolkata")
    known = {"first_name": "Ann", "last_name": f"Berg {SCRIPT}", "email": "ann@example.org", "mobile": "+49 30 123456"}
    customer = enrolled(abc, achieved=True, customer_id=423789336, **known).customer
    xyz = programme(brand=abc.brand, tracking_type=TrackingType.STREAKS, levels=(1, 4, 8), cycles=30, name="XYZ")
    enroll(customer=customer, target=xyz, at=START, **ACT)
    buy(xyz, customer, START + (NOW - START) / 2)
    unenroll(customer=customer, target=abc, at=NOW, reason=f"Moved {SCRIPT}", by="sam", source="ADMIN")
    CustomerFactory(brand=abc.brand, first_name="Ann", last_name="Other")
    return customer


@pytest.fixture
def support(page: Page) -> Page:
    user = staff("targets.view_customer", "enrollments.view_participation", "enrollments.view_activity", username="sam")
    user.set_password(PASSWORD)
    user.save()
    page.goto("/admin/")
    page.get_by_label("Username").fill("sam")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


def fits(page: Page) -> bool:
    """Whether it is no wider than the screen."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_customer_is_found_and_the_sentence_for_him_copied(ann, support):
    support.set_viewport_size({"width": 1280, "height": 900})
    support.goto("/admin/targets/customer/find/")
    support.get_by_label("Find a customer").fill("ann")
    support.get_by_role("button", name="Find").click()
    expect(support.get_by_role("heading", name="2 customers")).to_be_visible()
    list_fits = fits(support)
    support.get_by_label("Find a customer").fill("0049 30 / 123 456")
    support.get_by_label("Find a customer").press("Enter")
    strip = support.get_by_role("list", name="Cycles of ABC")
    expect(strip.get_by_role("listitem").first).to_have_text("✕c1: Reward forfeited, running now")
    expect(support.locator(".timeline")).to_contain_text(f"“Moved {SCRIPT}”")
    why = support.locator("details.why").filter(has_text="Not granted")
    why.get_by_text("Why?").click()
    support.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copy = why.get_by_role("button", name="the sentence about c1")
    copy.click()

    expect(copy).to_contain_text("Copied")
    assert support.evaluate("navigator.clipboard.readText()") == f"ABC, c1: {SENTENCE}"
    desk_fits = fits(support)
    support.set_viewport_size({"width": 390, "height": 800})
    assert [list_fits, desk_fits, fits(support)] == [True, True, True]
    assert support.evaluate("window.hit") is None

    # Where the clipboard is refused the sentence is selected.
    support.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    copy.click()

    expect(copy).to_contain_text("Selected")
    assert support.evaluate("getSelection().toString()") == SENTENCE
