"""Defining and reading target groups over HTTP (api.md 6)."""

import copy
from decimal import Decimal

import pytest

from rewards.models import Reward
from targets.models import Cycle, StreakLevel, Target, TargetGroup, TargetValue
from tests.factories import make_programme, own_rewards

PERIODS = [
    {"refCode": "c1", "startDate": "2026-01-01T00:00:00+05:30", "endDate": "2026-01-31T23:59:59+05:30"},
    {"refCode": "c2", "startDate": "2026-02-01T00:00:00+05:30", "endDate": "2026-03-01T00:00:00+05:30"},
]
REWARD = {"name": "100 points", "kind": "POINTS", "value": 100, "payload": {"weight": Decimal("1.10")}}
MILESTONE = {
    "name": "ABC",
    "trackingType": "DEFAULT",
    "targetEvaluationType": "FIXED_CALENDAR_WINDOW",
    "timeZoneName": "Asia/Kolkata",
    "periods": PERIODS,
    "targets": [
        {
            "name": "Spend",
            "targetEntity": "TRANSACTION",
            "targetType": "SALES",
            "eventName": "purchase",
            "defaultValues": [{"defaultValue": "500"}, {"defaultValue": Decimal("250.5")}],
            "rewardAllocationType": "PERIOD_END",
            "reward": REWARD,
        }
    ],
}
COUPON = {"name": "Coffee", "kind": "COUPON", "payload": {"series": 4711}}
OWN = ["targets", 0, "periodRewards"]
STREAK = MILESTONE | {
    "name": "XYZ",
    "trackingType": "STREAK",
    "targets": [
        {"name": "Visit", "targetEntity": "EVENT", "targetType": "COUNT", "defaultValues": [{"defaultValue": 1}]}
    ],
    "streaks": [
        {"name": "Bronze", "targetCountOfSequence": 1},
        {"name": "Silver", "targetCountOfSequence": 2, "reward": REWARD},
    ],
}


def changed(body, path, value):
    """A copy of the body in which the field at `path` is `value`."""
    copied = copy.deepcopy(body)
    *parents, last = path
    inner = copied
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return copied


def rows():
    return [model.objects.count() for model in (TargetGroup, Cycle, Target, TargetValue, StreakLevel, Reward)]


def test_milestone_is_made_with_periods_in_its_zone_values_and_reward(site):
    status, answer = site.post("/v3/targetGroups", MILESTONE)

    data = answer["data"]
    assert (status, answer["errors"], answer["warnings"]) == (201, None, None)
    assert [
        (each["refCode"], each["startDate"], each["endDate"], each["periodStatus"]) for each in data["periods"]
    ] == [
        ("c1", "2026-01-01T00:00:00+05:30", "2026-01-31T23:59:59+05:30", "RUNNING"),
        ("c2", "2026-02-01T00:00:00+05:30", "2026-02-28T23:59:59+05:30", "NOT_STARTED"),
    ]
    target = data["targets"][0]
    assert [each["defaultValue"] for each in target["defaultValues"]] == [Decimal("500.000"), Decimal("250.500")]
    assert target["reward"] == REWARD | {"value": Decimal("100.000")}
    assert target["rewardAllocationType"] == "PERIOD_END"
    assert str(target["defaultValues"][0]["periodId"]) in target["targetPeriodDefaultValuesMap"]
    assert [str(each.ends_at) for each in Cycle.objects.all()] == [
        "2026-01-31 18:30:00+00:00",
        "2026-02-28 18:30:00+00:00",
    ]


def test_reward_of_a_period_is_kept_beside_that_of_the_target_and_read_again(site):
    own = [{"refCode": "c2", "reward": COUPON}, {"refCode": "c1", "reward": REWARD | {"value": 50}}]

    status, answer = site.post("/v3/targetGroups", changed(MILESTONE, OWN, own))

    (target,) = answer["data"]["targets"]
    periods = {each["refCode"]: each["id"] for each in answer["data"]["periods"]}
    assert (status, target["reward"]["value"]) == (201, 100)
    assert target["periodRewards"] == [
        {"refCode": "c1", "periodId": periods["c1"], "reward": REWARD | {"value": 50}},
        {"refCode": "c2", "periodId": periods["c2"], "reward": COUPON | {"value": None}},
    ]
    assert site.get(f"/v3/targetGroups/{answer['data']['id']}/targets")[1]["data"] == [target]


@pytest.mark.parametrize("nothing", [None, []])
def test_target_without_rewards_of_periods_answers_none(site, nothing):
    _, answer = site.post("/v3/targetGroups", changed(MILESTONE, OWN, nothing))

    assert answer["data"]["targets"][0]["periodRewards"] == []


def test_cosmetic_fields_that_were_sent_are_kept_and_echoed_and_others_left_out(site):
    body = changed(MILESTONE, ["targets", 0, "emfRuleSetId"], 126421625) | {"preferredTillId": 751552970000}

    made = site.post("/v3/targetGroups", body | {"emfUnrolledRulesetId": None, "unheardOf": 5})[1]["data"]

    read = site.get(f"/v3/targetGroups/{made['id']}")[1]["data"]
    assert read == made
    assert (read["preferredTillId"], read["emfUnrolledRulesetId"]) == (751552970000, None)
    assert read["targets"][0]["emfRuleSetId"] == 126421625
    assert {"emfRuleSetId", "unheardOf"} & set(read) == set()
    assert "emfUnrolledRulesetId" not in read["targets"][0]


def test_made_group_is_read_again_as_it_was_answered(site):
    made = site.post("/targetGroups", STREAK)[1]["data"]

    status, read = site.get(f"/targetGroups/{made['id']}")

    assert (status, read["data"]) == (200, made)


def test_streak_is_made_with_levels_and_their_rewards(site):
    status, answer = site.post("/v3/targetGroups", STREAK)

    streaks = answer["data"]["streaks"]
    assert (status, answer["data"]["trackingType"]) == (201, "STREAKS")
    assert [(each["name"], each["targetCountOfSequence"]) for each in streaks] == [("Bronze", 1), ("Silver", 2)]
    assert [each["reward"] and each["reward"]["name"] for each in streaks] == [None, "100 points"]
    assert [each["defaultValue"] for each in answer["data"]["targets"][0]["defaultValues"]] == [1, 1]


def test_other_offset_than_the_zone_has_is_ignored_with_a_warning(site):
    body = changed(MILESTONE, ["periods", 0, "startDate"], "2026-01-01T00:00:00Z")

    status, answer = site.post("/v3/targetGroups", body)

    assert (status, [each["code"] for each in answer["warnings"]]) == (201, [310202])
    assert answer["data"]["periods"][0]["startDate"] == "2026-01-01T00:00:00+05:30"


REFUSED = [
    (MILESTONE, ["name"], "", 300004, "name"),
    (MILESTONE, ["name"], "x" * 201, 300004, "name"),
    (MILESTONE, ["description"], "x" * 256, 300004, "description"),
    (MILESTONE, ["trackingType"], "UNIFIED", 300004, "trackingType"),
    (MILESTONE, ["trackingType"], "CAPPING", 300004, "trackingType"),
    (MILESTONE, ["targetEvaluationType"], "CYCLIC_WINDOW", 300004, "targetEvaluationType"),
    (STREAK, ["targetEvaluationType"], "CYCLIC_WINDOW", 310033, "targetEvaluationType"),
    (MILESTONE, ["timeZoneName"], "Mars/Olympus", 300004, "timeZoneName"),
    (MILESTONE, ["periods"], [], 300004, "periods"),
    (MILESTONE, ["periods"], PERIODS[::-1], 300004, "periods[1].startDate"),
    (MILESTONE, ["totalPeriods"], 3, 300004, "totalPeriods"),
    (MILESTONE, ["periods", 0, "startDate"], "2026-01-01T09:00:00+05:30", 300004, "periods[0].startDate"),
    (MILESTONE, ["periods", 0, "startDate"], "tomorrow", 300004, "periods[0].startDate"),
    (MILESTONE, ["periods", 0, "endDate"], "2026-01-01T00:00:00+05:30", 300004, "periods[0].endDate"),
    (MILESTONE, ["periods", 0, "endDate"], "2026-02-02T00:00:00+05:30", 300004, "periods[1].startDate"),
    (MILESTONE, ["periods", 0, "active"], False, 300004, "periods[0].active"),
    (MILESTONE, ["periods", 1, "refCode"], "C1", 310069, "periods"),
    (MILESTONE, ["targets"], [], 300004, "targets"),
    (MILESTONE, ["targets", 0, "targetType"], "REGULAR_POINTS", 300004, "targets[0].targetType"),
    (MILESTONE, ["targets", 0, "targetEntity"], "POINTS", 300004, "targets[0].targetEntity"),
    (MILESTONE, ["targets", 0, "targetEntity"], "CUSTOMER", 310033, "targets[0].targetEntity"),
    (MILESTONE, ["targets", 0, "defaultValues"], [{"defaultValue": 0}], 300004, "targets[0].defaultValues"),
    (MILESTONE, ["targets", 0, "defaultValues"], [{"defaultValue": 1}] * 3, 300004, "targets[0].defaultValues"),
    (MILESTONE, ["targets", 0, "filters"], [{"a": 1}], 300004, "targets[0].filters"),
    (MILESTONE, ["targets", 0, "expression"], "amount > 5", 300004, "targets[0].expression"),
    (MILESTONE, ["targets", 0, "enrolmentMethod"], "TRANSACTION", 300004, "targets[0].enrolmentMethod"),
    (MILESTONE, ["targets", 0, "reward", "value"], None, 300004, "targets[0].reward.value"),
    (MILESTONE, ["targets", 0, "reward", "value"], 0, 300004, "targets[0].reward.value"),
    (MILESTONE, ["targets", 0, "reward", "value"], -1, 300004, "targets[0].reward.value"),
    (MILESTONE, ["targets", 0, "reward", "value"], Decimal("0.0001"), 300004, "targets[0].reward.value"),
    (MILESTONE, ["targets", 0, "reward", "name"], " ", 300004, "targets[0].reward.name"),
    (MILESTONE, ["targets", 0, "reward", "name"], "x" * 201, 300004, "targets[0].reward.name"),
    (MILESTONE, ["targets", 0, "reward", "kind"], "CASH", 300004, "targets[0].reward.kind"),
    (MILESTONE, ["targets", 0, "reward", "payload"], [], 300004, "targets[0].reward.payload"),
    (MILESTONE, ["targets", 0, "reward", "payload"], {"a": "x" * 10_000}, 300004, "targets[0].reward.payload"),
    (MILESTONE, OWN, [{"refCode": "c3", "reward": COUPON}], 300004, "targets[0].periodRewards[0].refCode"),
    (MILESTONE, OWN, [{"refCode": "C2", "reward": COUPON}], 300004, "targets[0].periodRewards[0].refCode"),
    (MILESTONE, OWN, [{"refCode": "c2", "reward": COUPON}] * 2, 300004, "targets[0].periodRewards[1].refCode"),
    (MILESTONE, OWN, [{"refCode": "c2"}], 300004, "targets[0].periodRewards[0].reward"),
    (MILESTONE, OWN, [{"refCode": "c2", "reward": None}], 300004, "targets[0].periodRewards[0].reward"),
    (
        MILESTONE,
        OWN,
        [{"refCode": "c2", "reward": COUPON | {"value": 0}}],
        300004,
        "targets[0].periodRewards[0].reward.value",
    ),
    (MILESTONE, ["leaderboardEnabled"], True, 300004, "leaderboardEnabled"),
    (MILESTONE, ["emfRuleSetId"], {"a": 1}, 300004, "emfRuleSetId"),
    (MILESTONE, ["targets", 0, "emfRuleSetId"], "x", 300004, "targets[0].emfRuleSetId"),
    (MILESTONE, ["lateDays"], -1, 300004, "lateDays"),
    (MILESTONE, ["streaks"], STREAK["streaks"], 310033, "streaks"),
    (STREAK, ["targets", 0, "rewardAllocationType"], "PERIOD_END", 310033, "targets[0].rewardAllocationType"),
    (STREAK, ["targets", 0, "reward"], REWARD, 310033, "targets[0].reward"),
    (STREAK, OWN, [{"refCode": "c2", "reward": COUPON}], 310033, "targets[0].periodRewards"),
    (STREAK, ["streaks", 1, "reward", "value"], 0, 300004, "streaks[1].reward.value"),
    (STREAK, ["streaks", 1, "targetCountOfSequence"], 1, 300004, "streaks[1].targetCountOfSequence"),
    (STREAK, ["streaks", 1, "targetCountOfSequence"], 3, 300004, "streaks[1].targetCountOfSequence"),
    (STREAK, ["streaks", 1, "name"], "bronze", 310069, "streaks"),
]


@pytest.mark.parametrize(("body", "path", "value", "code", "field"), REFUSED)
def test_impossible_definition_is_refused_by_code_naming_the_field_and_makes_nothing(
    site, body, path, value, code, field
):
    status, answer = site.post("/v3/targetGroups", changed(body, path, value))

    assert (status, [each["code"] for each in answer["errors"]]) == (409 if code == 310069 else 400, [code])
    message = answer["errors"][0]["message"]
    assert message.startswith(field)
    assert not message.startswith(f"{field}: {field}")
    assert rows() == [0] * 6


@pytest.mark.parametrize(("own", "taken"), [("abc", "Other"), ("Other", "SPEND")])
def test_name_used_in_the_brand_is_refused_ignoring_case(site, own, taken):
    site.post("/v3/targetGroups", MILESTONE)
    before = rows()
    again = changed(changed(MILESTONE, ["name"], own), ["targets", 0, "name"], taken)

    status, answer = site.post("/v3/targetGroups", again)

    assert (status, answer["errors"][0]["code"]) == (409, 310069)
    assert rows() == before


def test_too_many_periods_are_refused(site, settings):
    settings.MAX_CYCLES = 1

    status, answer = site.post("/v3/targetGroups", MILESTONE)

    assert (status, answer["errors"][0]["code"]) == (400, 300004)


@pytest.mark.parametrize("cycles", [1, 100])
def test_group_is_made_and_read_in_constant_number_of_queries(site, django_assert_num_queries, cycles):
    target = make_programme(brand=site.brand, cycles=cycles)
    own_rewards(target)

    with django_assert_num_queries(7):
        status, _ = site.get(f"/v3/targetGroups/{target.target_group_id}")

    assert status == 200


def test_group_of_another_brand_is_unknown(site):
    other = make_programme()

    status, answer = site.get(f"/v3/targetGroups/{other.target_group_id}")

    assert (status, answer["errors"][0]["code"]) == (404, 310017)
