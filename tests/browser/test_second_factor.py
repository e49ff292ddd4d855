"""The second factor in a real browser: set up, asked for, used; on a desk and on a phone."""

import pytest
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import Page, expect

from tests.config.second_factor_scene import code_of, wrong_code
from tests.enrollments.admin_scene import staff

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "a-password-of-a-test"


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What breaks the content policy is an error of the console."""
    found: list[str] = []
    page.on(
        "console",
        lambda message: found.append(message.text) if "Content Security Policy" in message.text else None,
    )
    return found


def log_in(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill("sam")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("width", [1280, 375])
def test_it_is_set_up_with_the_code_of_an_app_and_asked_for_from_then_on(page, complaints, width):
    page.set_viewport_size({"width": width, "height": 800})
    user = staff(username="sam", is_superuser=True)
    user.set_password(PASSWORD)
    user.save()
    log_in(page)

    if width < 1000:
        page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Second factor").click()
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("img", name="QR code of the key below")).to_be_visible()
    drawn = page.locator("img.qr-code").evaluate("image => image.naturalWidth")
    device = TOTPDevice.objects.get()
    page.get_by_label("Code of the app").fill(code_of(device))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    recovery_code = page.locator(".codes code").first.inner_text()
    page.get_by_role("link", name="go on").click()
    expect(page.get_by_role("heading", name="Console")).to_be_visible()
    page.get_by_role("button", name="Log out").click()

    log_in(page)
    expect(page.get_by_label("Code of the app")).to_be_focused()
    page.goto("/admin/targets/customer/")
    expect(page.get_by_label("Code of the app")).to_be_focused()
    page.keyboard.type(wrong_code(device))
    page.keyboard.press("Enter")
    expect(page.get_by_text("This code is not right, or was used before.")).to_be_visible()
    TOTPDevice.objects.update(throttling_failure_count=0)
    page.get_by_label("Code of the app").fill(code_of(device, later=1))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Customers", exact=True)).to_be_visible()

    if width < 1000:
        page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Second factor").click()
    page.get_by_role("link", name="Remove the second factor").click()
    page.get_by_text("Use a recovery code instead").click()
    page.get_by_label("Recovery code").fill(recovery_code)
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("The second factor is removed.")).to_be_visible()
    fits = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    assert drawn > 0
    assert TOTPDevice.objects.count() == 0
    assert fits
    assert complaints == []
