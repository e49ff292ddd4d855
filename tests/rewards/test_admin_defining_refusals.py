"""What the page that defines programmes refuses: said at the field, in its words, and nothing is made."""

import re
from html import unescape

import pytest
from django.db import OperationalError

from rewards.admin import defining
from targets.models import TargetGroup
from tests.enrollments.admin_scene import sandbox
from tests.rewards.defining_scene import condition, create, level, marketing, press, sent_by, streak, target, typed
from tests.rewards.test_api_target_groups import rows

pytestmark = pytest.mark.django_db

ERRORS = re.compile(r'<ul class="errorlist" id="id_([^"]*)_error">(.*?)</ul>', re.DOTALL)
REQUIRED = "This field is required."


def shown_errors(response):
    """The errors of the page by the names of their fields."""
    found = ERRORS.findall(response.content.decode())
    return {name: [unescape(each) for each in re.findall("<li>(.*?)</li>", items)] for name, items in found}


MILESTONE_REFUSED = [
    # What must be there, and forms.
    ({"name": ""}, "name", REQUIRED),
    ({"brand": ""}, "brand", REQUIRED),
    ({"brand": "999"}, "brand", "Select a valid choice. That choice is not one of the available choices."),
    ({"name": "A\u0007"}, "name", "The text has a control character: take it out."),
    (
        {"time_zone": "Mars/Olympus"},
        "time_zone",
        "Select a valid choice. Mars/Olympus is not one of the available choices.",
    ),
    ({"first_day": "soon"}, "first_day", "Enter a valid date."),
    ({"first_day": "1969-12-31"}, "first_day", "The year is from 1970 to 2200."),
    ({"length": "0"}, "length", "Ensure this value is greater than or equal to 1."),
    ({"cycle_count": "101"}, "cycle_count", "Ensure this value is less than or equal to 100."),
    ({"late_days": "367"}, "late_days", "Ensure this value is less than or equal to 366."),
    ({"target-0-name": ""}, "target-0-name", REQUIRED),
    ({"target-0-value": "much"}, "target-0-value", "A number is expected, such as 49.95."),
    ({"target-0-value": "0"}, "target-0-value", "Ensure this value is greater than or equal to 0.001."),
    ({"target-0-value": "0.0001"}, "target-0-value", "At most 3 digits may follow the point."),
    ({"target-0-reward-name": ""}, "target-0-reward-name", "Give the reward a name: it is kept on whatever is given."),
    (
        {"target-0-reward-kind": ""},
        "target-0-reward-kind",
        "Choose what kind of reward it is, or empty the fields beside it.",
    ),
    (
        {"target-0-reward-payload": "[1]"},
        "target-0-reward-payload",
        'Write a JSON object, such as {"voucher": "A-7"}, or leave it empty.',
    ),
    (
        {"target-0-reward-payload": '{"a": 1, "a": 2}'},
        "target-0-reward-payload",
        "The text has the key 'a' twice in one object.",
    ),
    # Conditions on attributes.
    (condition(0, "", "text", "Pune"), "target-0-condition-0-attribute", "Name the attribute, or empty the value."),
    (condition(1, "store", "texts", "Pune,"), "target-0-condition-1-value", "Say which text."),
    (condition(1, "store", "", "Pune"), "target-0-condition-1-comparison", "Choose what the attribute is to be."),
    (condition(0, "items", "atLeast", "two"), "target-0-condition-0-value", "Write a plain number, such as 5 or 2.5."),
    (condition(0, "items", "numbers", "1, x"), "target-0-condition-0-value", "Write a plain number, such as 5 or 2.5."),
    (condition(0, "gift", "yes", "1"), "target-0-condition-0-value", "Yes and no need no value: empty it."),
    (
        condition(0, "items", "number", "1") | condition(1, "items", "text", "1"),
        "target-0-condition-1-comparison",
        "This is said of the attribute already: use “is one of”, or one row only.",
    ),
    (
        condition(0, "store", "text", "Pune")
        | condition(1, "a.b", "atLeast", "1")
        | condition(2, "a.b", "atMost", "0"),
        "target-0-condition-1-value",
        "Nothing is at least 1 and at most 0.",
    ),
    (
        condition(1, "items", "atMost", "1.2345"),
        "target-0-condition-1-value",
        "Send a number of at most 15 digits and 3 places.",
    ),
    # Refusals of the domain.
    ({"target-0-reward-value": ""}, "target-0-reward-value", "Say how many points."),
    (
        {"target-0-entity": "EVENT"},
        "target-0-entity",
        "“Sum of amounts” cannot be measured of “Event”: choose “Transaction” or “Line item”.",
    ),
    (
        {"target-0-attribute_name": "km"},
        "target-0-attribute_name",
        "“Sum of one attribute” needs the name of the attribute to add up; no other choice of “What counts” has one.",
    ),
    (level(0, 1, "Bronze"), "level-0-left_out", "Levels are for streaks: a milestone rewards each cycle."),
    (
        {"unit": "YEARLY", "length": "90"},
        "cycle_count",
        "The last cycle would end after the year 2200: choose fewer or shorter ones.",
    ),
    (
        target(1, name="SPEND") | {"targets": "2"},
        "target-1-name",
        "Another target here has this name. Choose another, upper and lower case are the same.",
    ),
]
OWN_CALENDARS = "Each customer's own calendar, from his first activity"
AT_ONCE = "A cycle ends when it is achieved"
WINDOWS_REFUSED = [
    (
        typed,
        {"window": "CYCLIC_WINDOW", "targets": "2"} | target(1),
        "target-1-left_out",
        f"A group in “{OWN_CALENDARS}” has one target: define a group for each.",
    ),
    (
        typed,
        {"window": "PERIOD_AGNOSTIC_WINDOW", "late_days": "0", "targets": "2"} | target(1),
        "target-1-left_out",
        f"A group in “{AT_ONCE}” has one target: define a group for each.",
    ),
    (
        typed,
        {"window": "PERIOD_AGNOSTIC_WINDOW", "late_days": "0", "target-0-allocation": "PERIOD_END"},
        "target-0-allocation",
        f"In “{AT_ONCE}” a cycle ends when it is achieved: rewards are given at once.",
    ),
    (
        typed,
        {"window": "PERIOD_AGNOSTIC_WINDOW"},
        "late_days",
        f"In “{AT_ONCE}” a cycle ends when it is achieved: late days are 0.",
    ),
    (
        typed,
        {"window": "CYCLIC_WINDOW", "unit": "YEARLY", "length": "90"},
        "cycle_count",
        "The last cycle would end after the year 2200: choose fewer or shorter ones.",
    ),
    *(
        (
            streak,
            {"window": window, "late_days": "0"},
            "window",
            f"A streak runs in “The same calendar for everybody”, not “{label}”.",
        )
        for window, label in (("CYCLIC_WINDOW", OWN_CALENDARS), ("PERIOD_AGNOSTIC_WINDOW", AT_ONCE))
    ),
]
STREAK_REFUSED = [
    (
        target(0),
        "target-0-reward-kind",
        "A streak rewards its levels, not its cycles: give the reward to a level.",
    ),
    (
        {"target-0-allocation": "PERIOD_END"},
        "target-0-allocation",
        "A streak gives its rewards at once: “When the cycle closes” is for milestones.",
    ),
    ({"level-0-count": ""}, "level-0-count", REQUIRED),
    (
        {"level-0-count": "3"},
        "level-1-count",
        "Levels ascend: each counts more cycles than the one before, the first 1 or more.",
    ),
    ({"level-1-count": "4"}, "level-1-count", "A level of 4 is never reached in 3 cycles."),
    (
        {"level-1-name": "bronze"},
        "level-1-name",
        "Another streak level here has this name. Choose another, upper and lower case are the same.",
    ),
    ({"level-1-reward-kind": "POINTS"}, "level-1-reward-value", "Say how many points."),
]


@pytest.mark.parametrize(
    ("fields_for", "changes", "field", "message"),
    [
        *((typed, *each) for each in MILESTONE_REFUSED),
        *((streak, *each) for each in STREAK_REFUSED),
        *WINDOWS_REFUSED,
    ],
)
def test_refusal_stands_at_its_field_and_nothing_is_made(fields_for, changes, field, message):
    fields = fields_for(sandbox()) | changes

    response = press(marketing(), "create", fields)

    assert shown_errors(response) == {field: [message]}
    assert f'name="{field}"' in response.content.decode()
    assert rows() == [0] * 6


@pytest.mark.parametrize(
    ("changes", "field", "noun"),
    [
        ({"name": "abc"}, "name", "target group"),
        ({"name": "B", "target-0-name": "SPEND"}, "target-0-name", "target"),
        ({"name": "B", "target-0-name": "B", "level-2-count": "4"}, "level-1-name", "streak level"),
    ],
)
def test_name_used_in_the_brand_is_refused_before_it_is_created(changes, field, noun):
    client, brand = marketing(), sandbox()
    create(client, streak(brand) | level(0, 1, "Silver") | level(1, 3, "Gold"))
    before = rows()
    fields = streak(brand) | level(0, 1, "New") | level(1, 2, "gold") | changes
    fields |= {"cycle_count": "4", "level-2-name": "Newer" if "level-2-count" in changes else ""}

    response = press(client, "preview", fields)

    assert shown_errors(response) == {field: [f"The brand already has a {noun} of this name: choose another."]}
    assert rows() == before


def test_names_of_another_brand_are_free():
    client = marketing()
    create(client, streak(sandbox()))

    response = create(client, streak(sandbox()))

    assert (response.status_code, TargetGroup.objects.count()) == (302, 2)


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"cycle-2-name": ""}, "cycle-2-name", REQUIRED),
        (
            {"cycle-2-name": "CYCLE_1"},
            "cycle-2-name",
            "Another cycle has this name. Choose another, upper and lower case are the same.",
        ),
        ({"cycle-3-value-0": "-1"}, "cycle-3-value-0", "Ensure this value is greater than or equal to 0.001."),
    ],
)
@pytest.mark.parametrize("button", ["preview", "create"])
def test_wrong_name_or_value_of_a_cycle_is_marked_in_the_table(button, changes, field, message):
    client = marketing()
    fields = sent_by(press(client, "preview", typed(sandbox()))) | changes

    response = press(client, button, fields)

    assert shown_errors(response) == {field: [message]}
    assert (response.context["summary"], rows()) == ([], [0] * 6)


def test_calendar_too_large_for_the_page_is_refused(monkeypatch):
    monkeypatch.setattr("rewards.admin.draft.MOST_VALUES", 5)

    response = press(marketing(), "preview", typed(sandbox()))

    assert [list(shown_errors(response)), rows()] == [["cycle_count"], [0] * 6]


def test_somebody_was_faster_with_a_name(monkeypatch):
    client, brand = marketing(), sandbox()
    create(client, typed(brand))
    fields = sent_by(press(client, "preview", typed(brand, name="B") | target(0, name="Other")))
    before = rows()
    monkeypatch.setattr(defining, "refuse_programme", lambda **programme: None)

    response = press(client, "create", fields | {"target-0-name": "spend"})

    assert response.context["draft"].problems == ["The brand already has a target of this name."]
    assert '<p class="errornote">The brand already has a target of this name.</p>' in response.content.decode()
    assert rows() == before


def test_busy_database_is_said_and_nothing_is_made(monkeypatch):
    def busy(**programme):
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr(defining, "define_programme", busy)

    response = create(marketing(), typed(sandbox()))

    assert response.context["draft"].problems == ["The database is busy. Nothing was made: try again."]
    assert rows() == [0] * 6


def test_body_with_nothing_in_it_marks_what_is_missing():
    response = press(marketing(), "create", {})

    missing = ["kind", "brand", "name", "window", "length", "unit", "cycle_count", "late_days"]
    missing += [f"target-0-{name}" for name in ("name", "kpi", "entity", "value", "allocation")]
    assert sorted(shown_errors(response)) == sorted(missing)
