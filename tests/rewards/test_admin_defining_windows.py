"""Defining programmes in the admin in which each customer has a calendar of his own (domain.md 10)."""

import re

import pytest

from tests.enrollments.admin_scene import NOW, sandbox
from tests.rewards.defining_scene import create, marketing, press, typed
from tests.rewards.test_admin_defining import FIFTY, MILESTONE, SPEND, rows_of

pytestmark = pytest.mark.django_db

MILESTONE_AT_ONCE = {
    "name": "ABC",
    "trackingType": "DEFAULT",
    "targetEvaluationType": "PERIOD_AGNOSTIC_WINDOW",
    "timeZoneName": "Europe/Berlin",
    "totalPeriods": 3,
    "targets": [SPEND | {"reward": FIFTY}],
}
SAME = [
    pytest.param(
        lambda brand: typed(brand, window="CYCLIC_WINDOW", first_day="", unit="WEEKLY", length="2"),
        {name: value for name, value in MILESTONE.items() if name != "targetCycleStartDate"}
        | {"targetEvaluationType": "CYCLIC_WINDOW", "frequencyType": "WEEKLY", "frequency": 2},
        id="own calendars of two weeks a cycle",
    ),
    pytest.param(
        lambda brand: typed(brand, window="PERIOD_AGNOSTIC_WINDOW", first_day="", late_days="0"),
        MILESTONE_AT_ONCE,
        id="own calendars in which a cycle ends when it is achieved",
    ),
]


@pytest.mark.parametrize(("fields_for", "body"), SAME)
def test_programme_is_made_just_as_over_the_api(site, fields_for, body):
    brand = sandbox()
    site.brand.clock_at = NOW
    site.brand.save()
    status, _ = site.post("/v3/targetGroups", body)

    response = create(marketing(), fields_for(brand))

    assert (status, response.status_code) == (201, 302)
    assert rows_of(brand) == rows_of(site.brand)


SPEND_AT_ONCE = (
    "Spend: each customer gets 50 points (“Fifty”) for reaching 500 as the sum of amounts of “purchase” within a "
    "cycle, at once."
)


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        (
            {"window": "CYCLIC_WINDOW", "unit": "WEEKLY", "length": "2"},
            [
                SPEND_AT_ONCE,
                "3 cycles of 2 weeks each, for each customer from his first activity after he enrolled; each begins at "
                "the same time of the day in Europe/Berlin.",
                "A cycle takes late activity for 2 days after its end.",
            ],
        ),
        (
            {"window": "PERIOD_AGNOSTIC_WINDOW", "late_days": "0"},
            [
                SPEND_AT_ONCE,
                "3 cycles: each ends for a customer when he achieves it, and the next begins at once.",
                "Activity before the enrolment counts.",
            ],
        ),
    ],
)
def test_preview_of_own_calendars_has_no_days_and_says_whose_they_are(changes, sentences):
    response = press(marketing(), "preview", typed(sandbox(), first_day="", **changes))

    html = response.content.decode()
    assert response.context["summary"] == sentences
    assert re.findall("<th>(.*?)</th>", html) == ["Cycle", "Name", "Value of Spend"]
    assert [(each.name.value(), each.first_day, each.closes, each.state) for each in response.context["lines"]] == [
        (f"Cycle_{number}", "", "", "") for number in (1, 2, 3)
    ]
