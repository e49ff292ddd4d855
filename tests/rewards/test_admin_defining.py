"""Defining programmes in the admin: the page, its preview, and the same rows as over the API (api.md 6)."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from rewards.models import Reward
from targets.enums import Source
from targets.models import Cycle, ProgrammeChange, StreakLevel, Target, TargetGroup, TargetValue
from tests.enrollments.admin_scene import NOW, sandbox, signed_in, staff
from tests.rewards.defining_scene import (
    ADD,
    MAY_DEFINE,
    condition,
    create,
    marketing,
    press,
    sent_by,
    streak,
    target,
    typed,
    untouched_target,
)
from tests.rewards.test_api_target_groups import rows

pytestmark = pytest.mark.django_db

OWN = {"id", "brand_id", "target_group_id", "created_at", "updated_at", "created_by"}
CALENDAR = {
    "targetEvaluationType": "FIXED_CALENDAR_WINDOW",
    "timeZoneName": "Europe/Berlin",
    "frequencyType": "MONTHLY",
    "frequency": 1,
    "totalPeriods": 3,
    "targetCycleStartDate": "2026-01-31T00:00:00",
    "lateDays": 2,
}
SPEND = {
    "name": "Spend",
    "targetEntity": "TRANSACTION",
    "targetType": "SALES",
    "eventName": "purchase",
    "defaultValues": [{"defaultValue": 500}],
}
FIFTY = {"name": "Fifty", "kind": "POINTS", "value": 50}
LEVELS = [
    {"name": "Bronze", "targetCountOfSequence": 1},
    {"name": "Silver", "targetCountOfSequence": 3, "reward": {"name": "Silver badge", "kind": "BADGE"}},
]
MILESTONE = CALENDAR | {"name": "ABC", "trackingType": "DEFAULT", "targets": [SPEND | {"reward": FIFTY}]}
STREAK = CALENDAR | {"name": "ABC", "trackingType": "STREAKS", "targets": [SPEND], "streaks": LEVELS}


def rows_of(brand):
    """All that a programme consists of, without what no two can share."""
    targets = {"target__target_group__brand": brand}
    whole = [
        TargetGroup.objects.filter(brand=brand),
        Cycle.objects.filter(target_group__brand=brand),
        Target.objects.filter(brand=brand).order_by("pk"),
        StreakLevel.objects.filter(brand=brand),
    ]
    return [
        *([{name: row[name] for name in row.keys() - OWN} for row in each.values()] for each in whole),
        list(
            TargetValue.objects.filter(**targets)
            .order_by("target", "cycle")
            .values_list("target__name", "cycle__number", "value")
        ),
        list(
            Reward.objects.filter(**targets)
            .order_by("pk")
            .values("target__name", "level__name", "name", "kind", "value", "payload", "created_at", "retired_at")
        ),
    ]


def with_conditions(brand):
    return (
        typed(brand)
        | condition(0, "store", "texts", "Berlin, Pune")
        | condition(1, "items", "atLeast", "2")
        | condition(2, "items", "atMost", "2.5")
        | condition(3, "gift", "no", "")
    )


SAME = [
    pytest.param(typed, MILESTONE, id="milestone"),
    pytest.param(streak, STREAK, id="streak"),
    pytest.param(
        lambda brand: streak(brand, kind="NON_CONTINUOUS_STREAKS"),
        STREAK | {"trackingType": "NON_CONTINUOUS_STREAKS"},
        id="streak that survives a missed cycle",
    ),
    pytest.param(
        with_conditions,
        MILESTONE
        | {
            "targets": [
                SPEND
                | {
                    "reward": FIFTY,
                    "match": {
                        "store": {"in": ["Berlin", "Pune"]},
                        "items": {"atLeast": 2, "atMost": Decimal("2.5")},
                        "gift": {"equals": False},
                    },
                }
            ]
        },
        id="conditions",
    ),
    pytest.param(
        lambda brand: (
            typed(brand, description="For all", counts_before_enrolment="", late_days="0")
            | target(0, description="All that is bought", allocation="PERIOD_END", reward__payload='{"share": 0.10}')
            | target(
                1, kpi="EVENT_ATTRIBUTE", entity="EVENT", attribute_name="km", event_name="", reward__kind="COUPON"
            )
            | {"targets": "2"}
        ),
        MILESTONE
        | {
            "description": "For all",
            "lateDays": 0,
            "countsBeforeEnrolment": False,
            "targets": [
                SPEND
                | {
                    "description": "All that is bought",
                    "rewardAllocationType": "PERIOD_END",
                    "reward": FIFTY | {"payload": {"share": Decimal("0.10")}},
                },
                SPEND
                | {
                    "name": "Spend 1",
                    "targetEntity": "EVENT",
                    "targetType": "EVENT_ATTRIBUTE",
                    "attributeName": "km",
                    "eventName": "",
                    "reward": FIFTY | {"kind": "COUPON"},
                },
            ],
        },
        id="two targets, all fields",
    ),
    pytest.param(
        lambda brand: typed(brand, unit="DAILY", length="2", first_day="2026-03-28", time_zone=""),
        MILESTONE
        | {
            "frequencyType": "DAILY",
            "frequency": 2,
            "targetCycleStartDate": "2026-03-28T00:00:00",
            "timeZoneName": None,
        },
        id="days, in the zone of the brand",
    ),
]


@pytest.mark.parametrize(("fields_for", "body"), SAME)
def test_programme_is_made_just_as_over_the_api(site, fields_for, body):
    brand = sandbox()
    for each in (brand, site.brand):
        each.time_zone, each.clock_at = "America/New_York", NOW
        each.save()
    status, _ = site.post("/v3/targetGroups", body)

    response = create(marketing(username="mia"), fields_for(brand))

    group = TargetGroup.objects.get(brand=brand)
    assert (status, response.status_code, response["Location"]) == (
        201,
        302,
        f"/admin/targets/targetgroup/{group.pk}/change/",
    )
    assert rows_of(brand) == rows_of(site.brand)
    assert group.created_by == "mia"
    records = [ProgrammeChange.objects.get(target_group__brand=each) for each in (site.brand, brand)]
    assert [(each.source, each.by == "mia", bool(each.request_id), each.version) for each in records] == [
        (Source.API, False, True, 1),
        (Source.ADMIN, True, True, 1),
    ]


def test_group_page_says_that_it_was_created():
    client = marketing()

    html = client.get(create(client, typed(sandbox()))["Location"]).content.decode()

    assert "ABC was created." in html


@pytest.mark.parametrize(
    ("permissions", "get", "post"),
    [
        (None, 302, 302),
        ((), 403, 403),
        (("targets.view_targetgroup", "targets.change_targetgroup"), 403, 403),
        (("targets.add_targetgroup",), 200, 302),
        (MAY_DEFINE, 200, 302),
    ],
)
def test_who_may_define(permissions, get, post):
    fields = sent_by(press(marketing(), "preview", typed(sandbox())))
    client = Client() if permissions is None else signed_in(staff(*permissions))

    shown, done = client.get(ADD), press(client, "create", fields)

    assert (shown.status_code, done.status_code, TargetGroup.objects.count()) == (get, post, int(get == 200))
    if permissions == ("targets.add_targetgroup",):
        assert done["Location"] == "/admin/"


def test_button_is_for_those_who_may():
    clients = [marketing(), signed_in(staff("targets.view_targetgroup"))]

    pages = [client.get("/admin/targets/targetgroup/").content.decode() for client in clients]

    assert [f'href="{ADD}"' in html for html in pages] == [True, False]


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(method):
    assert getattr(marketing(), method)(ADD).status_code == 405


@pytest.mark.parametrize("button", ["preview", "back", "add_target", "add_level", "unheard_of"])
def test_nothing_but_create_writes(button):
    client, brand = marketing(), sandbox()
    fields = sent_by(press(client, "preview", typed(brand)))

    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = press(client, button, fields)

    assert response.status_code == 200
    assert {each["sql"].split()[0] for each in queries} == {"SELECT"}
    assert rows() == [0] * 6


def test_preview_shows_the_calendar_to_the_day_and_what_it_means():
    client = marketing()

    response = press(client, "preview", typed(sandbox()) | target(0, allocation="PERIOD_END"))

    lines = [
        (each.first_day, each.last_day, each.days, each.closes, each.state, each.note)
        for each in response.context["lines"]
    ]
    assert lines == [
        ("31 Jan 2026", "27 Feb 2026", 28, "2 Mar 2026, 00:00", "", ""),
        ("28 Feb 2026", "30 Mar 2026", 31, "2 Apr 2026, 00:00", "", "1 hour shorter: the clocks change"),
        ("31 Mar 2026", "29 Apr 2026", 30, "2 May 2026, 00:00", "", ""),
    ]
    assert response.context["summary"] == [
        "Spend: each customer gets 50 points (“Fifty”) for reaching 500 as the sum of amounts of “purchase” within a "
        "cycle, when the cycle closes, if the value is still reached then.",
        "3 cycles of 1 month each, from 31 Jan 2026 to 29 Apr 2026, the same for everybody; days begin at midnight in "
        "Europe/Berlin.",
        "A cycle takes late activity for 2 days after its end. Activity before the enrolment counts.",
    ]


def test_preview_says_which_cycles_are_over_and_that_october_is_longer():
    fields = typed(sandbox(), unit="DAILY", first_day="2026-01-03", cycle_count="3", late_days="0", time_zone="UTC")
    autumn = typed(sandbox(), unit="WEEKLY", first_day="2026-10-19", cycle_count="1")

    lines = [press(marketing(), "preview", each).context["lines"] for each in (fields, autumn)]

    assert [each.state for each in lines[0]] == ["over already", "running", ""]
    assert [each.note for each in lines[1]] == ["1 hour longer: the clocks change"]


def test_names_and_values_are_changed_cycle_by_cycle():
    client = marketing()

    create(client, typed(sandbox()), cycle__1__name="January", cycle__3__value__0="750.5")

    assert list(Cycle.objects.values_list("ref_code", flat=True)) == ["January", "Cycle_2", "Cycle_3"]
    assert list(TargetValue.objects.values_list("value", flat=True)) == [500, 500, Decimal("750.5")]


def test_back_keeps_everything_typed_and_a_new_value_for_all_spares_what_was_changed():
    client = marketing()
    first = streak(sandbox()) | condition(2, "store", "text", "Pune")
    changed = sent_by(press(client, "preview", first), cycle__2__name="Lent", cycle__3__value__0="900")

    back = press(client, "back", changed)
    html = back.content.decode()
    again = press(client, "preview", changed | {"target-0-value": "600", "cycle_count": "4"})

    forms = [form for row in (*back.context["draft"].targets, *back.context["draft"].levels) for form in row.forms]
    shown = {field.html_name: field.value() for form in [back.context["draft"].programme, *forms] for field in form}
    assert {name: shown[name] for name in first if name not in ("targets", "levels")} == {
        name: True if text == "on" else text for name, text in first.items() if name not in ("targets", "levels")
    }
    assert "errorlist" not in html
    assert '<input type="hidden" name="cycle-2-name" value="Lent">' in html
    assert [(each.name.value(), each.values[0].value()) for each in again.context["lines"]] == [
        ("Cycle_1", "600"),
        ("Lent", "600"),
        ("Cycle_3", "900"),
        ("Cycle_4", "600"),
    ]


def test_rows_are_added_filled_left_empty_or_left_out():
    client, brand = marketing(), sandbox()

    one_more = press(client, "add_target", typed(brand)).context["draft"]
    fields = typed(brand) | target(1) | target(2, left_out="on", value="much") | {"targets": "4", "levels": "4"}
    create(client, fields | untouched_target(3))

    assert (len(one_more.targets), one_more.targets[1].form.is_bound, len(one_more.levels)) == (2, False, 3)
    assert len(press(client, "add_level", typed(brand)).context["draft"].levels) == 4
    assert list(Target.objects.order_by("pk").values_list("name", flat=True)) == ["Spend", "Spend 1"]
    assert list(Reward.objects.values_list("target__name", flat=True)) == ["Spend", "Spend 1"]


def test_no_more_rows_than_a_programme_may_have():
    client = marketing()

    draft = press(client, "add_level", typed(sandbox(), levels="10", targets="9999999999")).context["draft"]

    assert (len(draft.levels), len(draft.targets)) == (10, 50)


def test_second_click_on_create_makes_nothing_twice():
    client = marketing()
    fields = sent_by(press(client, "preview", typed(sandbox())))

    first, second = press(client, "create", fields), press(client, "create", fields)

    assert (first.status_code, second.status_code) == (302, 200)
    assert second.context["draft"].programme.errors == {
        "name": ["The brand already has a target group of this name: choose another."]
    }
    assert rows() == [1, 3, 1, 3, 0, 1]


def test_programme_of_many_cycles_fits_into_one_request():
    values = {f"cycle-{number}-value-{row}": "7" for number in range(1, 101) for row in range(10)}

    response = press(marketing(), "preview", typed(sandbox(), unit="DAILY", cycle_count="100") | values)

    assert len(response.context["lines"]) == 100


def test_hostile_names_are_escaped_wherever_they_are_shown():
    evil = "<script>alert(1)</script>"
    client = marketing()
    fields = streak(sandbox(), name=evil, target__0__name=evil, target__0__event_name=evil, level__1__name=evil)
    fields |= {"level-1-reward-name": evil} | condition(0, evil, "text", evil)

    preview = press(client, "preview", fields)
    changed = sent_by(preview, cycle__1__name=evil)
    pages = [preview, press(client, "preview", changed), press(client, "back", changed)]
    pages.append(client.get(press(client, "create", changed)["Location"]))

    assert [evil in each.content.decode() for each in pages] == [False] * 4
    assert ["&lt;script&gt;alert(1)&lt;/script&gt;" in each.content.decode() for each in pages] == [True] * 4
    assert TargetGroup.objects.get().name == evil


@pytest.mark.parametrize(
    "fields_for",
    [
        lambda brand: typed(brand, cycle_count="1"),
        lambda brand: (
            typed(brand, cycle_count="12", targets="3") | target(1) | target(2) | condition(0, "store", "text", "Pune")
        ),
    ],
)
def test_statements_do_not_grow_with_the_programme(fields_for, django_assert_num_queries):
    client = marketing()
    fields = fields_for(sandbox())

    with django_assert_num_queries(8):
        preview = press(client, "preview", fields)
    fields = sent_by(preview)
    with django_assert_num_queries(18):
        done = press(client, "create", fields)

    assert done.status_code == 302
