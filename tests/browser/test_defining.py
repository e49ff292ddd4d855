"""How marketing defines a programme in the admin, in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from rewards.models import Reward
from targets.models import Cycle, TargetGroup, TargetValue
from tests.enrollments.admin_scene import sandbox, staff
from tests.rewards.defining_scene import MAY_DEFINE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "a-password-of-a-test"


@pytest.fixture
def marketing(page: Page) -> Page:
    """Signed in through the form."""
    user = staff(*MAY_DEFINE, username="mia")
    user.set_password(PASSWORD)
    user.save()
    page.goto("/admin/")
    page.get_by_label("Username").fill("mia")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


def test_streak_is_defined_through_a_refusal_and_a_preview(marketing):
    brand = sandbox()

    marketing.get_by_role("link", name="Target groups", exact=True).click()
    marketing.get_by_role("link", name="Add target group").click()
    expect(marketing.get_by_label("When is the reward given?")).to_be_visible()
    expect(marketing.get_by_role("group", name="Level 1")).to_be_hidden()
    marketing.get_by_label("Streak: rewards for reaching").check()
    expect(marketing.get_by_label("When is the reward given?")).to_be_hidden()
    marketing.get_by_label("Brand").select_option(label=brand.name)
    marketing.locator("#id_name").fill("XYZ")
    marketing.get_by_label("First day").fill("2026-01-31")
    marketing.get_by_label("How many cycles?").fill("2")
    marketing.locator("#id_target-0-name").fill("Visit")
    marketing.get_by_label("Value to reach").fill("2")
    level = marketing.get_by_role("group", name="Level 1")
    level.get_by_label("Cycles achieved").fill("3")
    level.get_by_label("Name of the level").fill("Gold")
    level.get_by_label("Reward", exact=True).select_option(label="Points")
    level.get_by_label("How much").fill("100")
    level.get_by_label("Name of the reward").fill("Hundred")
    level.get_by_label("Name of the reward").press("Enter")  # looks at the preview
    expect(marketing.locator(".errorlist")).to_have_text("A level of 3 is never reached in 2 cycles.")
    marketing.get_by_label("How many cycles?").fill("3")
    marketing.get_by_role("button", name="Preview").last.click()
    expect(marketing.locator(".summary")).to_contain_text("Gold: 100 points (“Hundred”) for 3 cycles achieved in a row")
    expect(marketing.get_by_role("row").nth(2)).to_contain_text("28 Feb 2026")
    marketing.get_by_label("Name of cycle 2").fill("Lent")
    marketing.get_by_label("Value of Visit in cycle 3").fill("5")
    marketing.get_by_role("button", name="Back").click()
    expect(marketing.locator("#id_name")).to_have_value("XYZ")
    marketing.get_by_role("button", name="Preview").last.click()
    expect(marketing.get_by_label("Name of cycle 2")).to_have_value("Lent")
    assert TargetGroup.objects.count() == 0
    marketing.get_by_role("button", name="Create").click()

    expect(marketing.locator(".messagelist")).to_contain_text("XYZ was created.")
    group = TargetGroup.objects.get()
    assert marketing.url.endswith(f"/admin/targets/targetgroup/{group.pk}/change/")
    assert (group.brand, group.created_by) == (brand, "mia")
    assert list(Cycle.objects.values_list("ref_code", flat=True)) == ["Cycle_1", "Lent", "Cycle_3"]
    assert list(TargetValue.objects.values_list("value", flat=True)) == [2, 2, 5]
    assert list(Reward.objects.values_list("level__name", "value")) == [("Gold", 100)]
