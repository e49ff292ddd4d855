"""Defining programmes in the admin: the same rows as over the API, nothing before they are confirmed."""

import pytest

from tests.enrollments.admin_scene import sandbox
from tests.rewards.defining_scene import ADD, create, marketing, press, streak, typed

pytestmark = pytest.mark.django_db


def test_x():
    brand = sandbox()
    client = marketing()
    html = client.get(ADD).content.decode()
    r = press(client, "preview", typed(brand))

    done = create(client, typed(brand))

    assert done.status_code == 302
    done = create(client, streak(brand, name="XYZ", **{"target-0-name": "Y"}))

    assert done.status_code == 302
