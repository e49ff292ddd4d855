"""POST /v3/targetGroups where each customer has a calendar of his own: names and a length instead of dates."""

import pytest

from targets.models import Cycle, TargetGroup
from tests.journeys.programme import target_of

CYCLIC = {
    "name": "Own months",
    "trackingType": "DEFAULT",
    "targetEvaluationType": "CYCLIC_WINDOW",
    "timeZoneName": "Europe/Berlin",
    "frequencyType": "MONTHLY",
    "frequency": 1,
    "totalPeriods": 3,
    "targets": [target_of("Own months", 5)],
}
AGNOSTIC = {
    "name": "Five and on",
    "trackingType": "DEFAULT",
    "targetEvaluationType": "PERIOD_AGNOSTIC_WINDOW",
    "periods": [{"refCode": "First"}, {"refCode": "Second", "description": "the last"}],
    "targets": [target_of("Five and on", 5) | {"defaultValues": [{"defaultValue": 5}, {"defaultValue": 10}]}],
}
STREAK = {"trackingType": "STREAKS", "streaks": [{"name": "Bronze", "targetCountOfSequence": 1}]}


@pytest.mark.parametrize(
    ("body", "names", "values"),
    [(CYCLIC, ["Cycle_1", "Cycle_2", "Cycle_3"], [5, 5, 5]), (AGNOSTIC, ["First", "Second"], [5, 10])],
)
def test_group_with_own_calendars_has_periods_with_names_and_no_dates(site, body, names, values):
    status, answer = site.post("/v3/targetGroups", body)

    data = answer["data"]
    assert (status, answer["warnings"]) == (201, None)
    assert [each["refCode"] for each in data["periods"]] == names
    assert {(each["startDate"], each["endDate"], each["periodStatus"]) for each in data["periods"]} == {
        (None, None, None)
    }
    assert [each["defaultValue"] for each in data["targets"][0]["defaultValues"]] == values
    assert (data["targetEvaluationType"], data["totalPeriods"]) == (body["targetEvaluationType"], len(names))
    assert (data["targetCycleStartDate"], data["targetCycleEndDate"], data["activePeriod"]) == (None, None, None)
    assert site.get(f"/v3/targetGroups/{data['id']}")[1]["data"] == data
    periods = site.get(f"/v3/targetGroups/{data['id']}/targetPeriods")[1]["data"]
    assert {(each["startDate"], each["endDate"]) for each in periods} == {(None, None)}


def test_dates_of_the_whole_are_passed_over_with_a_warning(site):
    dates = {"targetCycleStartDate": "2026-01-01T00:00:00Z", "toDate": "2026-12-31T23:59:59Z"}

    status, answer = site.post("/v3/targetGroups", CYCLIC | dates)

    messages = [each["message"] for each in answer["warnings"]]
    assert (status, [each["code"] for each in answer["warnings"]]) == (201, [310202, 310202])
    assert messages == [
        f"{name}: ignored; the calendar of each customer begins with his first activity." for name in dates
    ]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (CYCLIC | STREAK, 310033, "targetEvaluationType"),
        (AGNOSTIC | STREAK, 310033, "targetEvaluationType"),
        (CYCLIC | {"frequencyType": None}, 300004, "frequencyType"),
        (CYCLIC | {"frequency": None}, 300004, "frequency"),
        (CYCLIC | {"frequency": 0}, 300004, "frequency"),
        (CYCLIC | {"frequency": 10_000}, 300004, "totalPeriods"),
        (CYCLIC | {"totalPeriods": None}, 300004, "totalPeriods"),
        (CYCLIC | {"totalPeriods": 101}, 300004, "totalPeriods"),
        (AGNOSTIC | {"totalPeriods": 3}, 300004, "totalPeriods"),
        (AGNOSTIC | {"recurringCycles": 7}, 300004, "recurringCycles"),
        (AGNOSTIC | {"lateDays": 1}, 310033, "lateDays"),
        (
            AGNOSTIC | {"targets": [AGNOSTIC["targets"][0] | {"rewardAllocationType": "PERIOD_END"}]},
            310033,
            "targets[0].rewardAllocationType",
        ),
        (AGNOSTIC | {"targets": [*AGNOSTIC["targets"], target_of("Another", 1)]}, 310033, "targets"),
        (
            AGNOSTIC | {"periods": [{"refCode": "x", "endDate": "2026-01-01T00:00:00Z"}]},
            310033,
            "periods[0].endDate",
        ),
        (AGNOSTIC | {"periods": [{"refCode": "x", "active": False}]}, 300004, "periods[0].active"),
        (AGNOSTIC | {"periods": [{"refCode": "x"}, {"refCode": "X"}]}, 310069, "periods"),
    ],
)
def test_what_own_calendars_cannot_have_is_refused_naming_the_field_and_makes_nothing(site, body, code, field):
    status, answer = site.post("/v3/targetGroups", body)

    (error,) = answer["errors"]
    assert (error["code"], error["message"].partition(": ")[0], answer["data"]) == (code, field, None)
    assert status == (409 if code == 310069 else 400)
    assert (TargetGroup.objects.count(), Cycle.objects.count()) == (0, 0)


@pytest.mark.parametrize("name", ["startDate", "endDate"])
def test_period_of_everybodys_calendar_needs_its_dates(site, name):
    period = {"refCode": "c1", "startDate": "2026-01-01T00:00:00Z", "endDate": "2026-01-31T23:59:59Z"}
    body = CYCLIC | {"targetEvaluationType": "FIXED_CALENDAR_WINDOW", "totalPeriods": 1}

    status, answer = site.post("/v3/targetGroups", body | {"periods": [period | {name: None}]})

    assert (status, answer["errors"]) == (
        400,
        [{"code": 300004, "message": f"periods[0].{name}: This field is required."}],
    )
