"""What people type is shown as text on every page of the console: no page runs it, were there no content policy."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, expect
from pytest_django.live_server_helper import LiveServer

from enrollments.enums import Effective
from enrollments.models import LeavePlan
from enrollments.operations import ActivityData, record_activity, unenroll
from rewards.models import Reward
from targets.enums import Allocation
from targets.models import Cycle
from tests.browser.test_accessibility import sign_in
from tests.enrollments.admin_scene import ACT, NOW, enrolled, programme, staff
from tests.enrollments.plan_scene import upload_address

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

EVIL = "\"'><script>__xss=1</script><img src=x onerror=__xss=1><svg onload=__xss=1>"  # 76 characters


def test_nothing_that_people_type_runs_on_any_page(browser: Browser, live_server: LiveServer, tmp_path: Path):
    context = browser.new_context(base_url=live_server.url, bypass_csp=True)
    page = context.new_page()
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    sign_in(page, live_server.url, staff(username="chief", first_name=EVIL, is_superuser=True))
    target = programme(name=EVIL, allocation=Allocation.PERIOD_END)
    Reward.objects.update(name=EVIL)
    Cycle.objects.filter(number=2).update(ref_code=EVIL)
    told = {**ACT, "by": EVIL, "reason": EVIL}
    stays, left, leaves = (
        enrolled(target, achieved=True, first_name=EVIL, last_name=EVIL, external_id=f"{EVIL}{number}")
        for number in range(3)
    )
    receipt = unenroll(customer=left.customer, target=target, at=NOW, **told)
    unenroll(customer=leaves.customer, target=target, at=NOW, effective=Effective.END_OF_CYCLE, **told)
    activity = ActivityData(EVIL, EVIL, stays.customer.customer_id, NOW, attributes={EVIL: EVIL})
    record_activity(brand=target.brand, activity=activity, at=NOW)
    path = tmp_path / "<img src=x onerror=__xss=1><svg onload=__xss=1>.csv"
    path.write_text(f'{stays.customer.customer_id}\n"{EVIL.replace(chr(34), chr(34) * 2)}"\n')

    page.goto(upload_address(target))
    page.get_by_label("List of customers").set_input_files(path)
    page.get_by_label("Reason").fill(EVIL)
    page.get_by_role("button", name="Look at what it means").click()
    expect(page.locator(".facts")).to_contain_text(path.name)
    expect(page.locator(".lines")).to_contain_text(EVIL)
    plan, group = LeavePlan.objects.get(), target.target_group_id

    ran, missing = [], []
    for address in (
        "",
        f"enrollments/leaveplan/{plan.pk}/change/",
        "enrollments/leaveplan/",
        f"targets/customer/{stays.customer_id}/change/",
        f"targets/customer/{left.customer_id}/change/",
        f"targets/customer/{left.customer_id}/erase/",
        "targets/customer/find/?q=%22%27%3E%3Cscript%3E",
        "targets/customer/",
        f"targets/targetgroup/{group}/change/",
        f"targets/targetgroup/{group}/figures/",
        "enrollments/participation/",
        f"enrollments/participation/{stays.pk}/change/",
        f"enrollments/participation/unenroll/?id={stays.pk}",
        f"enrollments/participation/unenroll/?id={stays.pk}&id={left.pk}",
        f"enrollments/participation/{left.pk}/re-enrol/",
        f"enrollments/participation/{leaves.pk}/cancel-leave/",
        f"enrollments/receipt/{receipt.pk}/change/",
        f"enrollments/receipt/{receipt.pk}/undo/",
    ):
        assert page.goto(f"/admin/{address}").status == 200
        if page.evaluate("'__xss' in window || document.querySelector('img[onerror], svg[onload]') !== null"):
            ran.append(address)
        if not page.evaluate("evil => document.body.textContent.includes(evil)", EVIL):
            missing.append(address)
    context.close()

    assert (ran, dialogs, missing) == ([], [], [])
