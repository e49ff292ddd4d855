"""What axe finds on every kind of page of the admin, in both themes; and what the keyboard reaches."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page, expect

from enrollments.enums import Effective
from enrollments.operations import unenroll
from targets.enums import Allocation, TrackingType
from targets.operations import Count, Refused, count_refused_calls
from tests.config.second_factor_scene import with_second_factor
from tests.enrollments.admin_scene import ACT, NOW, enrolled, programme, signed_in, staff
from tests.enrollments.plan_scene import planned

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

GRAVE = ("serious", "critical")
EVERYTHING = {"resultTypes": ["violations"]}
COLOURS = EVERYTHING | {"runOnly": ["color-contrast", "link-in-text-block"]}
AXE = Axe().axe_script


@pytest.fixture
def chief(page: Page, live_server: Any) -> Page:
    sign_in(page, live_server.url, staff(username="chief", is_superuser=True))
    return page


def sign_in(page: Page, url: str, user: Any) -> None:
    """By the session of Django's test client: what the form is like is looked at as a page of its own."""
    session = signed_in(user).cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": url}])


def violations(page: Page) -> Iterator[str]:
    """The grave ones of the page; of the other theme those of colours, as all else is the same."""
    page.emulate_media(reduced_motion="reduce")  # no colour on its way to another
    page.evaluate(AXE)
    for scheme, options in (("light", EVERYTHING), ("dark", COLOURS)):
        page.evaluate("scheme => { document.documentElement.dataset.theme = scheme }", scheme)
        for found in page.evaluate("options => axe.run(document, options)", options)["violations"]:
            if found["impact"] in GRAVE:
                first = found["nodes"][0]
                yield f"{page.url} {scheme}: {found['id']} {first['html'][:300]} {first['failureSummary'][:300]}"


def test_axe_finds_nothing_grave_on_any_kind_of_page(chief):
    target = programme(allocation=Allocation.PERIOD_END, name="ABC")
    streak = enrolled(programme(brand=target.brand, name="XYZ", tracking_type=TrackingType.STREAKS, levels=(1, 2)))
    participation, left = enrolled(target, achieved=True), enrolled(target, achieved=True)
    receipt = unenroll(customer=left.customer, target=target, at=NOW, **ACT)
    refused = Refused(target.brand_id, timezone.now().date(), "POST /v3/activities", 310011)
    count_refused_calls({refused: Count(1200, timezone.now(), "till", "r-7")})
    leaving = enrolled(target)
    unenroll(customer=leaving.customer, target=target, at=NOW, effective=Effective.END_OF_CYCLE, **ACT)
    plan = planned(target, participation.customer.customer_id, 404)
    paths = [
        "",
        f"targets/customer/find/?q={participation.customer.customer_id}9",
        f"targets/customer/{participation.customer_id}/change/",
        f"targets/targetgroup/{target.target_group_id}/change/",
        f"targets/targetgroup/{target.target_group_id}/edit/",
        f"targets/targetgroup/{target.target_group_id}/figures/",
        f"targets/targetgroup/{target.target_group_id}/unenrol_many/",
        f"enrollments/leaveplan/{plan.pk}/change/",
        "targets/targetgroup/add/",
        "enrollments/participation/",
        f"enrollments/participation/{streak.pk}/change/",
        f"enrollments/participation/unenroll/?id={participation.pk}",
        f"enrollments/participation/unenroll/?id={participation.pk}&id={streak.pk}",
        f"enrollments/participation/{left.pk}/re-enrol/",
        f"enrollments/participation/{leaving.pk}/cancel-leave/",
        f"enrollments/receipt/{receipt.pk}/change/",
        f"enrollments/receipt/{receipt.pk}/undo/",
        "auth/user/add/",
        "targets/auditentry/",
        "targets/refusedcalls/",
        "second_factor/",
    ]

    found = []
    for path in paths:
        assert chief.goto(f"/admin/{path}").status == 200
        chief.evaluate("for (const each of document.querySelectorAll('details.why')) each.open = true")
        found += violations(chief)

    assert found == [], "\n".join(found)


def test_axe_finds_nothing_grave_on_the_way_in_or_on_a_phone(page, live_server):
    page.goto("/admin/")
    found = [*violations(page)]
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    found += violations(page)
    user = staff(username="chief", is_superuser=True)
    with_second_factor(user)
    sign_in(page, live_server.url, user)
    page.goto("/admin/second_factor/code/")
    expect(page.get_by_label("Code of the app")).to_be_focused()
    found += violations(page)
    page.set_viewport_size({"width": 390, "height": 844})
    user.totpdevice_set.all().delete()
    sign_in(page, live_server.url, user)
    page.goto(f"/admin/enrollments/participation/unenroll/?id={enrolled(programme(), achieved=True).pk}")
    found += violations(page)
    page.goto("/admin/")
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("link", name="Customers", exact=True)).to_be_visible()
    found += violations(page)

    assert found == []


def test_keyboard_skips_to_what_the_page_is_about_and_sees_where_it_is(chief):
    enrolled(programme())
    chief.goto("/admin/enrollments/participation/")

    chief.keyboard.press("Tab")
    skip = chief.get_by_role("link", name="Skip to main content")
    expect(skip).to_be_focused()
    chief.keyboard.press("Enter")
    chief.keyboard.press("Tab")

    expect(chief.get_by_role("textbox", name="Search")).to_be_focused()
    outline = (
        "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth"
    )
    assert chief.evaluate(outline) == "solid2px"
