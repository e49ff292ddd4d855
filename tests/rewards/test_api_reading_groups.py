"""Reading target groups, their periods and their targets over HTTP: published calls."""

from datetime import timedelta
from decimal import Decimal

import pytest

from targets.access import Role, access_group
from targets.enums import Allocation, Kpi, TrackingType
from targets.models import TargetGroup
from tests.factories import SECRET, START, ApiUserFactory, freeze, make_programme
from tests.rewards.test_api_target_groups import MILESTONE, STREAK

LIST, PERIODS, TARGETS = "/v3/targetGroups", "/v3/targetGroups/{}/targetPeriods", "/v3/targetGroups/{}/targets"
DAY = timedelta(days=1)


def test_groups_are_listed_oldest_first_as_each_is_read(site):
    made = [site.post(LIST, body)[1]["data"] for body in (STREAK, MILESTONE | {"targets": [spend("Another")]})]
    make_programme()

    status, answer = site.get(f"{LIST}?includePeriods=true")

    assert (status, answer) == (200, {"data": made, "errors": None, "warnings": None})


def test_list_is_empty_where_the_brand_has_no_groups(site):
    make_programme()

    assert site.get(LIST) == (200, {"data": [], "errors": None, "warnings": None})


def test_periods_are_left_out_of_the_list_unless_asked_for_but_not_the_running_one(site):
    group = make_programme(brand=site.brand).target_group

    [listed] = site.get(LIST)[1]["data"]

    assert listed["periods"] is None
    assert (listed["activePeriod"]["refCode"], listed["activePeriod"]["periodStatus"]) == ("c1", "RUNNING")
    assert (listed["id"], listed["totalPeriods"]) == (group.pk, 5)
    assert (listed["targetCycleStartDate"], listed["targetCycleEndDate"]) == (
        "2026-01-01T00:00:00+00:00",
        "2026-05-30T23:59:59+00:00",
    )


@pytest.mark.parametrize(("begins_in", "period"), [(1, None), (0, "c1"), (-2, None), (-3, "c2")])
def test_active_period_is_the_one_that_runs_at_the_brands_now(site, begins_in, period):
    now = site.brand.clock_at
    make_programme(brand=site.brand, starts_at=now + begins_in * DAY, cycle_length=2 * DAY, gap=DAY, cycles=2)

    [listed] = site.get(LIST)[1]["data"]

    assert (listed["activePeriod"] or {}).get("refCode") == period


@pytest.mark.parametrize(("query", "names"), [("", ["On", "Off"]), ("?includeOnlyActive=true", ["On"])])
def test_inactive_groups_are_listed_unless_only_active_ones_are_asked_for(site, query, names):
    for name in ("On", "Off"):
        make_programme(brand=site.brand, name=name)
    freeze(TargetGroup.objects.get(name="Off"))

    status, answer = site.get(f"{LIST}{query}")

    assert (status, [each["name"] for each in answer["data"]]) == (200, names)


def test_parameters_that_change_nothing_are_passed_over(site):
    make_programme(brand=site.brand, name="Own")

    status, answer = site.get(f"{LIST}?includeUserCreatedTargetGroups=true&unheardOf=1")

    assert (status, [each["name"] for each in answer["data"]]) == (200, ["Own"])


@pytest.mark.parametrize("name", ["includePeriods", "includeOnlyActive"])
def test_parameter_that_is_neither_true_nor_false_is_refused_by_name(site, name):
    status, answer = site.get(f"{LIST}?{name}=perhaps")

    assert (status, answer["errors"][0]["code"]) == (400, 300004)
    assert answer["errors"][0]["message"].startswith(name)


def test_target_periods_have_days_of_the_groups_zone_as_published(site):
    made = site.post(LIST, MILESTONE)[1]["data"]

    status, answer = site.get(PERIODS.format(made["id"]))

    assert (status, answer["errors"], answer["warnings"]) == (200, None, None)
    assert answer["data"] == [
        made["periods"][0] | {"startDate": "2026-01-01", "endDate": "2026-01-31"},
        made["periods"][1] | {"startDate": "2026-02-01", "endDate": "2026-02-28"},
    ]


def test_target_periods_say_what_has_ended_what_runs_and_what_is_to_come(site):
    target = make_programme(brand=site.brand, starts_at=START - DAY, cycle_length=DAY, gap=DAY, cycles=3)

    _, answer = site.get(PERIODS.format(target.target_group_id))

    assert [(each["refCode"], each["startDate"], each["periodStatus"]) for each in answer["data"]] == [
        ("c1", "2025-12-31", "ENDED"),
        ("c2", "2026-01-02", "RUNNING"),
        ("c3", "2026-01-04", "NOT_STARTED"),
    ]


def test_targets_of_a_group_are_read_as_the_group_shows_them(site):
    made = site.post(LIST, MILESTONE | {"targets": [spend("One"), spend("Two") | {"reward": None}]})[1]["data"]

    status, answer = site.get(TARGETS.format(made["id"]))

    assert (status, answer) == (200, {"data": made["targets"], "errors": None, "warnings": None})
    assert [(each["name"], each["reward"] and each["reward"]["name"]) for each in answer["data"]] == [
        ("One", "100 points"),
        ("Two", None),
    ]


def test_level_shows_its_reward_whichever_of_several_targets_promises_it(site):
    visits = [STREAK["targets"][0] | {"name": name} for name in ("First", "Second")]
    made = site.post(LIST, STREAK | {"targets": visits})[1]["data"]

    [listed] = site.get(LIST)[1]["data"]

    assert listed["streaks"] == made["streaks"]
    assert [each["reward"] and each["reward"]["name"] for each in listed["streaks"]] == [None, "100 points"]
    assert [each["reward"] for each in listed["targets"]] == [None, None]


@pytest.mark.parametrize("path", [PERIODS, TARGETS])
def test_periods_and_targets_of_an_inactive_group_are_read(site, path):
    group = make_programme(brand=site.brand).target_group
    freeze(TargetGroup.objects.get())

    assert site.get(path.format(group.pk))[0] == 200


@pytest.mark.parametrize("path", [PERIODS, TARGETS])
def test_periods_and_targets_of_another_brand_look_like_those_of_no_group(site, path):
    other = make_programme().target_group_id

    answers = [site.get(path.format(number)) for number in (other, 10**30)]

    assert [(status, answer["errors"][0]["code"], answer["data"]) for status, answer in answers] == [
        (404, 310017, None)
    ] * 2


@pytest.mark.parametrize("path", [PERIODS, TARGETS])
def test_group_id_that_is_no_integer_is_refused(site, path):
    status, answer = site.get(path.format("abc"))

    assert (status, answer["errors"][0]["code"]) == (400, 300004)


@pytest.mark.parametrize("path", [LIST, PERIODS, TARGETS])
def test_call_answers_without_the_prefix_just_the_same(site, path):
    path = path.format(make_programme(brand=site.brand).target_group_id)

    assert site.get(path.removeprefix("/v3")) == site.get(path)


@pytest.mark.parametrize("path", [LIST, PERIODS, TARGETS])
def test_reading_needs_the_permission_that_read_access_has(site, client_of, path):
    path = path.format(make_programme(brand=site.brand).target_group_id)
    nobody, reader = (ApiUserFactory(brand=site.brand, with_default_access=False).user for _ in range(2))
    reader.groups.add(access_group(Role.READ_ONLY))

    statuses = [client_of(user.username, SECRET).get(path).status_code for user in (nobody, reader)]

    assert statuses == [403, 200]


# One for who calls and what he may do, one for the group or groups, and one for each kind of rows.
QUERIES = {LIST: 7, PERIODS: 3, TARGETS: 5}


@pytest.mark.parametrize("path", QUERIES)
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("cycles", [1, 100])
def test_reading_takes_the_same_statements_however_much_there_is(site, django_assert_num_queries, path, groups, cycles):
    kinds = [
        {"tracking_type": TrackingType.STREAKS, "levels": (1,)},
        {"allocation": Allocation.PERIOD_END},
        {"kpi": Kpi.SALES, "target_value": [Decimal(1)] * cycles},
    ]
    made = [make_programme(brand=site.brand, cycles=cycles, **kinds[number]) for number in range(groups)]

    with django_assert_num_queries(QUERIES[path]):
        status, answer = site.get(f"{path.format(made[0].target_group_id)}?includePeriods=true")

    assert (status, len(answer["data"])) == (200, {LIST: groups, PERIODS: cycles, TARGETS: 1}[path])


def test_calls_are_in_the_openapi_document(client):
    paths = client.get("/v3/schema").json()["paths"]

    assert [
        paths[path]["get"]["operationId"]
        for path in (LIST, *(each.format("{targetGroupId}") for each in (PERIODS, TARGETS)))
    ] == [
        "listTargetGroups",
        "listTargetPeriods",
        "listTargets",
    ]


def spend(name):
    return MILESTONE["targets"][0] | {"name": name}
