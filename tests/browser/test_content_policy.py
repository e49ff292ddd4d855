"""What pages may run: files of ours and nothing else, seen by a real browser."""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from playwright.sync_api import ConsoleMessage, Page, expect

from targets.access import Role
from tests.enrollments.admin_scene import enrolled, programme, staff
from tests.enrollments.plan_scene import planned
from tests.factories import ApiUserFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "a-password-of-a-test"
INJECTED = "<img src=x onerror=\"window.injected='image'\"><script>window.injected='script'</script>"


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the console says: each violation of the policy is a line there."""
    found: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        is_icon = message.location["url"].endswith("/favicon.ico")  # asked for by browsers, and there is none
        if message.type in ("error", "warning") and not is_icon:
            found.append(message.text)

    page.on("console", listen)
    return found


@pytest.fixture
def chief(page: Page, complaints: list[str]) -> Page:
    user = staff(username="chief", is_superuser=True)
    user.set_password(PASSWORD)
    user.save()
    page.goto("/admin/")
    page.get_by_label("Username").fill("chief")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Console")).to_be_visible()
    return page


def test_start_page_and_docs_keep_the_policy(page, complaints):
    page.goto("/")
    expect(page.get_by_role("heading", name="Milestreak")).to_have_css("font-size", "38.4px")
    page.get_by_role("link", name="API", exact=True).click()
    page.locator(".opblock-summary").first.click()
    expect(page.locator(".opblock-body").first).to_be_visible()
    page.get_by_role("button", name="Authorize").first.click()
    expect(page.locator(".modal-ux")).to_be_visible()

    assert complaints == []


def test_pages_of_the_admin_keep_the_policy(chief, complaints):
    target = programme(name="ABC")
    participation = enrolled(target, achieved=True)
    group = target.target_group_id
    ApiUserFactory(brand=target.brand)
    paths = [
        "targets/customer/",
        "targets/customer/add/",
        f"targets/customer/{participation.customer_id}/change/",
        f"targets/customer/{participation.customer_id}/history/",
        "targets/targetgroup/add/",
        f"targets/targetgroup/{group}/change/",
        f"targets/targetgroup/{group}/edit/",
        f"targets/targetgroup/{group}/active/",
        f"targets/targetgroup/{group}/unenrol_many/",
        f"enrollments/leaveplan/{planned(target, 404).pk}/change/",
        "targets/auditentry/",
        f"enrollments/participation/{participation.pk}/change/",
        f"enrollments/participation/unenroll/?id={participation.pk}",
        f"enrollments/participation/{participation.pk}/re-enrol/",
        f"enrollments/receipt/{participation.receipts.get().pk}/change/",
        f"auth/user/{target.brand.api_users.get().user_id}/change/",
        "auth/user/add/",
        "auth/group/add/",
        "password_change/",
    ]

    answers = {path: chief.goto(reverse("admin:index") + path).status for path in paths}

    assert [path for path, status in answers.items() if status != 200] == []
    assert complaints == []


def test_controls_that_need_scripts_work(chief, complaints):
    target = programme(name="ABC")
    user = ApiUserFactory(brand=target.brand).user  # in one group
    Group.objects.create(name="Tills")

    chief.goto(f"/admin/auth/user/{user.pk}/change/")
    chief.get_by_role("link", name="Today").first.click()  # the date picker
    chief.locator("a[id^=calendarlink]").first.click()
    expect(chief.locator(".calendarbox").first).to_be_visible()
    chief.locator("a[id^=calendarlink]").first.press("Escape")
    chief.locator("#id_groups_add_all").click()
    expect(chief.locator("#id_groups_to option")).to_have_count(1 + len(Role))  # those of the roles, and this one
    chief.goto("/admin/targets/customer/add/")
    chief.locator(".select2-selection").first.click()
    chief.locator(".select2-search__field").fill(target.brand.name)
    chief.locator(".select2-results__option", has_text=target.brand.name).click()
    expect(chief.locator(".select2-selection__rendered").first).to_contain_text(target.brand.name)

    assert complaints == []


def test_policy_itself_stops_a_script_that_got_into_a_page(chief, complaints):
    """Were a template to forget its escaping."""
    chief.set_default_timeout(5000)

    chief.evaluate(
        """injected => { document.body.insertAdjacentHTML('beforeend', injected);
           const script = document.createElement('script'); script.textContent = "window.injected = 'inline'";
           document.body.append(script) }""",
        INJECTED,
    )
    chief.wait_for_load_state("networkidle")

    assert chief.evaluate("window.injected") is None
    assert len([each for each in complaints if "Content Security Policy" in each]) == 2
