"""What may not be defined as a target group, one case for each documented refusal, and what is just not refused.

Combinations of kind, entity and window are in test_api_target_groups.py, calendars in test_api_calendars.py.
"""

from decimal import Decimal

import pytest

from targets.access import Role, access_group
from targets.models import TargetGroup
from tests.factories import SECRET, ApiUserFactory
from tests.rewards.test_api_target_groups import MILESTONE, PERIODS, REWARD, STREAK, changed, rows

MISSING = object()
TARGET = MILESTONE["targets"][0]
LITERAL_TRUE = '{"arity":"literal","value":"true","type":"boolean:primitive"}'
OTHER_TREE = '{"arity":"literal","value":"false","type":"boolean:primitive"}'
# The same body with eleven cycles, for as many levels.
LONG_STREAK = {name: value for name, value in STREAK.items() if name != "periods"} | {
    "frequencyType": "DAILY",
    "frequency": 1,
    "totalPeriods": 11,
    "targetCycleStartDate": "2026-01-01T00:00:00",
}


def levels(*counts):
    return [{"name": f"Level {number}", "targetCountOfSequence": count} for number, count in enumerate(counts)]


def without(body, path):
    """A copy of the body without the field at `path`."""
    *parents, last = path
    copied = changed(body, path, MISSING)
    inner = copied
    for key in parents:
        inner = inner[key]
    del inner[last]
    return copied


REFUSED = [
    # What must be there.
    *((MILESTONE, [name], MISSING, name) for name in ("name", "trackingType", "targetEvaluationType", "targets")),
    *((MILESTONE, ["periods", 1, name], MISSING, f"periods[1].{name}") for name in PERIODS[0]),
    *(
        (MILESTONE, ["targets", 0, name], MISSING, f"targets[0].{name}")
        for name in ("name", "targetEntity", "targetType", "defaultValues")
    ),
    *((STREAK, ["streaks", 1, name], MISSING, f"streaks[1].{name}") for name in ("name", "targetCountOfSequence")),
    *((MILESTONE, ["targets", 0, "reward", name], MISSING, f"targets[0].reward.{name}") for name in ("name", "kind")),
    # Forms and lengths.
    (MILESTONE, ["name"], 5, "name"),
    (MILESTONE, ["name"], "A\u0007", "name"),
    (MILESTONE, ["active"], "perhaps", "active"),
    (MILESTONE, ["preferredTillId"], 2**63, "preferredTillId"),
    (MILESTONE, ["periods"], {"refCode": "c1"}, "periods"),
    (MILESTONE, ["periods", 0], "c1", "periods[0]"),
    (MILESTONE, ["periods", 0], None, "periods[0]"),
    (MILESTONE, ["targets", 0], None, "targets[0]"),
    (MILESTONE, ["targets", 0, "defaultValues", 0], None, "targets[0].defaultValues[0]"),
    (MILESTONE, ["targets", 0, "periodRewards"], [None], "targets[0].periodRewards[0]"),
    (STREAK, ["streaks", 0], None, "streaks[0]"),
    (MILESTONE, ["periods", 0, "refCode"], "x" * 101, "periods[0].refCode"),
    (MILESTONE, ["periods", 0, "description"], "x" * 256, "periods[0].description"),
    (MILESTONE, ["targets"], {"name": "Spend"}, "targets"),
    (MILESTONE, ["targets"], [TARGET | {"name": f"Spend {number}"} for number in range(51)], "targets"),
    (MILESTONE, ["targets", 0, "name"], "x" * 201, "targets[0].name"),
    (MILESTONE, ["targets", 0, "description"], "x" * 256, "targets[0].description"),
    (MILESTONE, ["targets", 0, "eventName"], "x" * 101, "targets[0].eventName"),
    (MILESTONE, ["targets", 0, "defaultValues"], [], "targets[0].defaultValues"),
    (MILESTONE, ["targets", 0, "defaultValues", 1, "defaultValue"], "much", "targets[0].defaultValues[1].defaultValue"),
    (MILESTONE, ["targets", 0, "defaultValues", 1, "defaultValue"], 10**15, "targets[0].defaultValues[1].defaultValue"),
    (
        MILESTONE,
        ["targets", 0, "defaultValues", 1, "defaultValue"],
        Decimal("0.0001"),
        "targets[0].defaultValues[1].defaultValue",
    ),
    (MILESTONE, ["targets", 0, "defaultValues", 1, "defaultValue"], -1, "targets[0].defaultValues"),
    (MILESTONE, ["targets", 0, "rewardAllocationType"], "LATER", "targets[0].rewardAllocationType"),
    (MILESTONE, ["targets", 0, "reward", "kind"], "CASH", "targets[0].reward.kind"),
    (MILESTONE, ["targets", 0, "reward", "value"], -1, "targets[0].reward.value"),
    (MILESTONE, ["targets", 0, "reward", "payload"], [1], "targets[0].reward.payload"),
    (MILESTONE, ["targets", 0, "reward", "unheardOf"], 1, "targets[0].reward.unheardOf"),
    (MILESTONE, ["lateDays"], 367, "lateDays"),
    (MILESTONE, ["countsBeforeEnrolment"], "perhaps", "countsBeforeEnrolment"),
    (STREAK, ["streaks", 0, "name"], "x" * 201, "streaks[0].name"),
    (STREAK, ["streaks", 0, "targetCountOfSequence"], 0, "streaks[0].targetCountOfSequence"),
    (LONG_STREAK, ["streaks"], levels(*range(1, 12)), "streaks"),
    (LONG_STREAK, ["streaks"], levels(3, 2), "streaks[1].targetCountOfSequence"),
    # Published fields that would change who is tracked or rewarded.
    (MILESTONE, ["trackingType"], "default", "trackingType"),
    (MILESTONE, ["targetEvaluationType"], "SOME_WINDOW", "targetEvaluationType"),
    (MILESTONE, ["userCreated"], True, "userCreated"),
    (MILESTONE, ["unifiedTargetExpression"], {"thresholdValue": 1}, "unifiedTargetExpression"),
    (MILESTONE, ["periods", 0, "active"], "false", "periods[0].active"),
    (MILESTONE, ["targets", 0, "targetEntity"], "ALTERNATE_CURRENCIES", "targets[0].targetEntity"),
    (MILESTONE, ["targets", 0, "targetEntity"], "REWARDS", "targets[0].targetEntity"),
    *(
        (MILESTONE, ["targets", 0, "targetType"], kpi, "targets[0].targetType")
        for kpi in ("REGULAR_POINTS", "PROMOTIONAL_POINTS", "ALL_POINTS")
    ),
    *(
        (MILESTONE, ["targets", 0, name], value, f"targets[0].{name}")
        for name, value in (
            ("expression", False),
            ("expression", "false"),
            ("expressionJson", OTHER_TREE),
            ("expressionJson", "{" * 5_000),
            ("expressionJson", {"arity": "name"}),
            ("targetAudienceFilter", {"id": 1}),
            ("targetMilestoneTriggers", [{"value": 50}]),
        )
    ),
]


@pytest.mark.parametrize(("body", "path", "value", "field"), REFUSED)
def test_input_that_is_not_right_is_refused_naming_the_field_and_makes_nothing(site, body, path, value, field):
    body = without(body, path) if value is MISSING else changed(body, path, value)

    status, answer = site.post("/v3/targetGroups", body)

    assert (status, answer["data"], [each["code"] for each in answer["errors"]]) == (400, None, [300004])
    assert answer["errors"][0]["message"].startswith(field)
    assert rows() == [0] * 6


@pytest.mark.parametrize("body", [[MILESTONE], "ABC", 5, None, []])
def test_body_that_is_no_object_is_refused(site, body):
    status, answer = site.post("/v3/targetGroups", body)

    assert (status, [each["code"] for each in answer["errors"]]) == (400, [300004])


def test_all_faults_of_a_body_are_named_at_once(site):
    body = changed(changed(MILESTONE, ["name"], ""), ["targets", 0, "name"], 5) | {"lateDays": "x"}

    status, answer = site.post("/v3/targetGroups", body)

    fields = [each["message"].split(": ")[0] for each in answer["errors"]]
    assert (status, fields) == (400, ["name", "targets[0].name", "lateDays"])


@pytest.mark.parametrize("body", [STREAK, LONG_STREAK])
@pytest.mark.parametrize("taken", ["BRONZE", "Silver"])
def test_level_name_used_in_the_brand_is_refused_ignoring_case(site, body, taken):
    site.post("/v3/targetGroups", STREAK)
    before = rows()
    again = body | {
        "name": "Another",
        "targets": [STREAK["targets"][0] | {"name": "Another"}],
        "streaks": [{"name": taken, "targetCountOfSequence": 1}],
    }

    status, answer = site.post("/v3/targetGroups", again)

    assert (status, [each["code"] for each in answer["errors"]]) == (409, [310069])
    assert answer["errors"][0]["message"].startswith("streaks: ")
    assert rows() == before


def test_names_of_two_targets_of_one_body_must_differ(site):
    body = changed(MILESTONE, ["targets"], [TARGET, TARGET | {"name": "SPEND"}])

    status, answer = site.post("/v3/targetGroups", body)

    assert (status, [each["code"] for each in answer["errors"]]) == (409, [310069])
    assert answer["errors"][0]["message"].startswith("targets: ")
    assert rows() == [0] * 6


def test_names_of_another_brand_are_free(site, client_of):
    site.post("/v3/targetGroups", STREAK)
    other = client_of(ApiUserFactory().user.username, SECRET)

    status = other.post("/v3/targetGroups", STREAK | {"streaks": STREAK["streaks"][:1]}).status_code

    assert (status, TargetGroup.objects.count()) == (201, 2)


@pytest.mark.parametrize("permitted", [False, True])
def test_defining_needs_its_own_permission(site, client_of, permitted):
    user = ApiUserFactory(brand=site.brand, with_default_access=permitted).user
    user.groups.add(access_group(Role.READ_ONLY))

    response = client_of(user.username, SECRET).post("/v3/targetGroups", STREAK | {"streaks": []})

    assert (response.status_code, TargetGroup.objects.count()) == ((201, 1) if permitted else (403, 0))


# Bodies that published clients send for a programme like ours, in each form that their documentation shows.
NEUTRAL_OF_GROUP = [
    {"userCreated": False, "leaderboardEnabled": False, "unifiedTargetExpression": None, "preferredTillId": 75050875},
    {"userCreated": None, "leaderboardEnabled": None, "totalPeriods": 2, "frequency": 0, "recurringCycles": 0},
    {"active": True, "frequencyType": "MONTHLY", "frequency": 1, "totalPeriods": 2, "recurringCycles": 1},
    {"active": None, "description": None, "streaks": None, "frequencyType": None, "timeZoneName": None},
]
NEUTRAL_OF_TARGET = [
    {"expression": True, "expressionJson": LITERAL_TRUE, "filters": [], "targetMilestoneTriggers": []},
    {"expression": "true", "expressionJson": f"\n{LITERAL_TRUE.replace(',', ', ')}\n", "extendedFieldInfo": None},
    {"expression": "", "expressionJson": None, "filters": None, "enrolmentMethod": "IMPORT"},
    {"expressionJson": {"type": "boolean:primitive", "arity": "literal", "value": True}, "targetAudienceFilter": None},
    {"active": True, "description": "", "eventName": None, "defaultValues": [{"defaultValue": "500.00"}] * 2},
    {"enrolmentMethod": None, "extendedFieldInfo": {}, "unheardOf": [1]},
]


@pytest.mark.parametrize("neutral", NEUTRAL_OF_GROUP)
def test_published_field_of_a_group_in_a_form_that_changes_nothing_is_taken(site, neutral):
    status, answer = site.post("/v3/targetGroups", MILESTONE | {"timeZoneName": "Asia/Kolkata"} | neutral)

    assert (status, answer["errors"], [each["refCode"] for each in answer["data"]["periods"]]) == (
        201,
        None,
        ["c1", "c2"],
    )


@pytest.mark.parametrize("neutral", NEUTRAL_OF_TARGET)
def test_published_field_of_a_target_in_a_form_that_changes_nothing_is_taken(site, neutral):
    status, answer = site.post("/v3/targetGroups", MILESTONE | {"targets": [TARGET | neutral]})

    assert (status, answer["errors"], answer["warnings"]) == (201, None, None)
    assert [answer["data"]["targets"][0][name] for name in ("expression", "filters", "enrolmentMethod")] == [
        "true",
        [],
        "IMPORT",
    ]


def test_published_streak_of_four_days_is_taken_as_its_documentation_writes_it(site):
    days = [f"2026-10-{day:02}" for day in range(8, 12)]
    periods = [
        {
            "active": True,
            "description": "",
            "startDate": f"{day}T00:00:00.000Z",
            "endDate": f"{day}T23:59:59.999Z",
            "periodStatus": "NOT_STARTED",
            "refCode": f"Cycle_{number}",
        }
        for number, day in enumerate(days, 1)
    ]
    published = {
        "trackingType": "STREAKS",
        "totalPeriods": 4,
        "frequencyType": "DAILY",
        "frequency": 0,
        "recurringCycles": 0,
        "periods": periods,
    }

    status, answer = site.post("/v3/targetGroups", STREAK | published | {"timeZoneName": "UTC"})

    assert (status, answer["errors"], answer["warnings"]) == (201, None, None)
    assert [(each["startDate"], each["endDate"]) for each in answer["data"]["periods"]] == [
        (f"{day}T00:00:00+00:00", f"{day}T23:59:59+00:00") for day in days
    ]
    assert [each["targetCountOfSequence"] for each in answer["data"]["streaks"]] == [1, 2]


def test_reward_of_a_level_is_validated_like_any_other(site):
    body = changed(STREAK, ["streaks", 1, "reward"], REWARD | {"value": None})

    status, answer = site.post("/v3/targetGroups", body)

    assert (status, answer["errors"][0]["code"]) == (400, 300004)
    assert answer["errors"][0]["message"].startswith("streaks[1].reward.value: ")
