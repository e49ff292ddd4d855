"""Freezing a programme in the admin."""

from zoneinfo import ZoneInfo

import pytest

from targets.models import Inactivity, TargetGroup
from tests.enrollments.admin_scene import NOW, programme, signed_in, staff

pytestmark = pytest.mark.django_db

VIEW, FREEZE = "targets.view_targetgroup", "targets.freeze_targetgroup"
EDIT = "targets.change_targetgroup"


def page_of(target, *, active=True):
    return f"/admin/targets/targetgroup/{target.target_group_id}/{'active' if active else 'change'}/"


def test_programme_is_frozen_and_runs_again_at_the_brands_now():
    target = programme()
    client = signed_in(staff(VIEW, FREEZE, username="ann"))

    asked = client.get(page_of(target)).content.decode()
    frozen = client.post(page_of(target), {"wanted": "frozen"}, follow=True).content.decode()
    after_freezing = list(Inactivity.objects.values_list("began_at", "ended_at", "began_by"))
    running = client.post(page_of(target), {"wanted": "active"}, follow=True).content.decode()

    assert "While <strong>" in asked
    assert "is frozen." in frozen
    assert after_freezing == [(NOW, None, "ann")]
    assert "is active." in running
    assert list(Inactivity.objects.values_list("ended_at", "ended_by")) == [(NOW, "ann")]


def test_second_click_undoes_nothing():
    target = programme()
    client = signed_in(staff(VIEW, FREEZE))

    client.post(page_of(target), {"wanted": "frozen"})
    second = client.post(page_of(target), {"wanted": "frozen"}, follow=True).content.decode()

    assert "is frozen already." in second
    assert TargetGroup.objects.get().is_active is False


@pytest.mark.parametrize(
    ("permissions", "get", "post", "has_button"),
    [
        ((VIEW,), 403, 403, False),
        ((FREEZE,), 403, 403, False),
        ((VIEW, EDIT), 403, 403, False),
        ((VIEW, FREEZE), 200, 302, True),
    ],
)
def test_who_may_freeze(permissions, get, post, has_button):
    target = programme()
    client = signed_in(staff(*permissions))

    shown, done = client.get(page_of(target)), client.post(page_of(target), {"wanted": "frozen"})
    button = page_of(target) in client.get(page_of(target, active=False)).content.decode()

    assert (shown.status_code, done.status_code, button) == (get, post, has_button)
    assert TargetGroup.objects.get().is_active is (post == 403)


def test_page_shows_cycles_in_the_zone_of_the_programme_and_its_history_when_asked_for():
    target = programme()
    TargetGroup.objects.update(time_zone="Asia/Kolkata")
    client = signed_in(staff(VIEW, "targets.view_cycle"))

    page = client.get(page_of(target, active=False)).content.decode()
    history = client.get(f"/admin/targets/targetgroup/{target.target_group_id}/history/")

    starts_at = target.target_group.cycles.get(number=1).starts_at.astimezone(ZoneInfo("Asia/Kolkata"))
    assert f"{starts_at:%-d %b %Y, %H:%M} IST" in page
    assert (history.status_code, history["Location"]) == (302, f"{page_of(target, active=False)}#history")


def test_looking_changes_nothing_and_no_such_programme_is_not_found():
    target = programme()
    client = signed_in(staff(VIEW, FREEZE))

    client.get(page_of(target))

    assert TargetGroup.objects.get().is_active is True
    assert client.get("/admin/targets/targetgroup/0/active/").status_code == 404
