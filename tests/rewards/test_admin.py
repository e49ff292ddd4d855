"""Rewards and grants in the admin."""

from decimal import Decimal

import pytest

from rewards.models import Grant, Reward
from tests.enrollments.admin_scene import enrolled, programme, signed_in, staff

pytestmark = pytest.mark.django_db

GRANTS = "/admin/rewards/grant/"


@pytest.fixture
def chief():
    return signed_in(staff(username="chief", is_superuser=True))


def test_grant_shows_what_was_promised_to_the_last_digit(chief):
    target = programme()
    Reward.objects.update(payload={"share": Decimal("0.10"), "note": "<b>bold</b>"})
    enrolled(target, achieved=True)

    html = chief.get(f"{GRANTS}{Grant.objects.get().pk}/change/").content.decode()

    assert "&quot;share&quot;: 0.10" in html
    assert "&lt;b&gt;bold&lt;/b&gt;" in html
    assert "<b>bold" not in html


def test_grants_are_filtered_by_kind_and_brand(chief):
    target = programme()
    enrolled(target, achieved=True)

    def shown(**query):
        return chief.get(GRANTS, query).context["cl"].result_count

    counts = [
        shown(reward_kind__exact="POINTS"),
        shown(reward_kind__exact="BADGE"),
        shown(brand__id__exact=target.brand_id),
    ]
    assert counts == [1, 0, 1]


def test_reward_shows_whether_it_is_still_promised(chief):
    reward = programme().rewards.get()

    html = chief.get(f"/admin/rewards/reward/{reward.pk}/change/").content.decode()

    assert "Retired at" in html
    assert chief.post(f"/admin/rewards/reward/{reward.pk}/change/", {"name": "More"}).status_code == 403
    assert Reward.objects.get().name == "100 points"
