"""Calendars over HTTP: generated from a frequency, and what a body may say besides its periods (api.md 6)."""

from decimal import Decimal

import pytest

from targets.models import Cycle, TargetGroup
from tests.rewards.test_api_target_groups import MILESTONE

MONTHLY = {name: value for name, value in MILESTONE.items() if name != "periods"} | {
    "timeZoneName": "Europe/Berlin",
    "frequencyType": "MONTHLY",
    "frequency": 1,
    "totalPeriods": 3,
    "targetCycleStartDate": "2026-01-31T00:00:00",
    "targets": [
        {
            "name": "Spend",
            "targetEntity": "TRANSACTION",
            "targetType": "SALES",
            "defaultValues": [{"defaultValue": 100}, {"defaultValue": "200"}, {"defaultValue": 300}],
        }
    ],
}
GIVEN = MILESTONE | {"totalPeriods": 2}


@pytest.mark.parametrize("periods", [{}, {"periods": None}, {"periods": []}])
def test_calendar_is_made_from_the_frequency_with_a_value_for_each_cycle(site, periods):
    status, answer = site.post("/v3/targetGroups", MONTHLY | periods)

    data = answer["data"]
    assert (status, answer["errors"], answer["warnings"]) == (201, None, None)
    assert [(each["refCode"], each["startDate"], each["endDate"]) for each in data["periods"]] == [
        ("Cycle_1", "2026-01-31T00:00:00+01:00", "2026-02-27T23:59:59+01:00"),
        ("Cycle_2", "2026-02-28T00:00:00+01:00", "2026-03-30T23:59:59+02:00"),
        ("Cycle_3", "2026-03-31T00:00:00+02:00", "2026-04-29T23:59:59+02:00"),
    ]
    assert [data[name] for name in ("frequencyType", "frequency", "totalPeriods")] == ["MONTHLY", 1, 3]
    assert [data[name] for name in ("targetCycleStartDate", "targetCycleEndDate")] == [
        "2026-01-31T00:00:00+01:00",
        "2026-04-29T23:59:59+02:00",
    ]
    assert [each["defaultValue"] for each in data["targets"][0]["defaultValues"]] == [
        Decimal("100.000"),
        Decimal("200.000"),
        Decimal("300.000"),
    ]


def test_start_is_read_in_the_zone_of_the_group_and_another_offset_is_warned_of(site):
    body = MONTHLY | {"targetCycleStartDate": "2026-01-31T00:00:00.000Z"}

    status, answer = site.post("/v3/targetGroups", body)

    assert (status, answer["data"]["periods"][0]["startDate"]) == (201, "2026-01-31T00:00:00+01:00")
    assert [(each["code"], each["message"]) for each in answer["warnings"]] == [
        (310202, "targetCycleStartDate: the offset was ignored; the time is read in Europe/Berlin.")
    ]


def test_late_days_of_a_generated_calendar_are_days_of_the_zone(site):
    site.post("/v3/targetGroups", MONTHLY | {"totalPeriods": 1, "targets": [one_value()], "lateDays": 30})

    cycle = Cycle.objects.get()
    assert (cycle.late_days, str(cycle.closes_at)) == (30, "2026-03-29 22:00:00+00:00")


def test_most_cycles_that_are_allowed_are_made(site, settings):
    settings.MAX_CYCLES = 4

    status, answer = site.post("/v3/targetGroups", MONTHLY | {"totalPeriods": 4, "targets": [one_value()]})

    assert (status, [each["refCode"] for each in answer["data"]["periods"]][-1]) == (201, "Cycle_4")


REFUSED = [
    (MONTHLY, {"frequencyType": None}, "periods: Send the periods, or frequencyType"),
    (MONTHLY, {"frequencyType": "FORTNIGHTLY"}, "frequencyType: "),
    (MONTHLY, {"frequency": None}, "frequency: Without periods, say how many units a cycle is long: 1 or more."),
    (MONTHLY, {"frequency": 0}, "frequency: Without periods, say how many units a cycle is long: 1 or more."),
    (MONTHLY, {"frequency": -1}, "frequency: "),
    (MONTHLY, {"frequency": 2**31}, "frequency: "),
    (MONTHLY, {"totalPeriods": None}, "totalPeriods: Without periods, say how many there are to be: 1 to 100."),
    (MONTHLY, {"totalPeriods": 0}, "totalPeriods: Without periods, say how many there are to be: 1 to 100."),
    (MONTHLY, {"totalPeriods": 101}, "totalPeriods: Without periods, say how many there are to be: 1 to 100."),
    (MONTHLY, {"totalPeriods": 10**18}, "totalPeriods: Without periods, say how many there are to be: 1 to 100."),
    (MONTHLY, {"targetCycleStartDate": None}, "targetCycleStartDate: Without periods, say when the first one starts"),
    (MONTHLY, {"targetCycleStartDate": "2026-01-31T09:00:00"}, "targetCycleStartDate: A period begins and ends at"),
    (MONTHLY, {"targetCycleStartDate": "2026-01-31"}, "targetCycleStartDate: '2026-01-31' says no time"),
    (MONTHLY, {"targetCycleStartDate": "soon"}, "targetCycleStartDate: 'soon' is no date and time"),
    (MONTHLY, {"targetCycleStartDate": "1969-12-31T00:00:00"}, "targetCycleStartDate: The year is from 1970 to 2200"),
    (MONTHLY, {"targetCycleStartDate": 1724657938000}, "targetCycleStartDate: "),
    (MONTHLY, {"frequency": 9_999_999}, "totalPeriods: The last cycle would end after the year 2200: send fewer"),
    (MONTHLY, {"recurringCycles": 2}, "recurringCycles: A calendar is gone through once"),
    (MONTHLY, {"recurringCycles": -2}, "recurringCycles: A calendar is gone through once"),
    (GIVEN, {"totalPeriods": 3}, "totalPeriods: 2 periods were sent: leave totalPeriods out, or the periods."),
    (GIVEN, {"frequencyType": "MONTHLY", "frequency": 1, "totalPeriods": 1}, "totalPeriods: 2 periods were sent"),
    (GIVEN, {"recurringCycles": 5}, "recurringCycles: A calendar is gone through once"),
]


@pytest.mark.parametrize(("body", "change", "message"), REFUSED)
def test_calendar_that_cannot_be_is_refused_naming_field_and_remedy_and_makes_nothing(site, body, change, message):
    status, answer = site.post("/v3/targetGroups", body | change)

    assert (status, [each["code"] for each in answer["errors"]]) == (400, [300004])
    assert answer["errors"][0]["message"].startswith(message)
    assert TargetGroup.objects.count() == 0


@pytest.mark.parametrize("recurring", [None, -1, 0, 1, 2])
def test_calendar_that_is_gone_through_once_may_say_so_in_each_published_way(site, recurring):
    status, answer = site.post("/v3/targetGroups", GIVEN | {"recurringCycles": recurring})

    assert (status, answer["warnings"], answer["data"]["recurringCycles"]) == (201, None, recurring)


def test_frequency_beside_given_periods_is_kept_and_changes_nothing(site):
    status, answer = site.post("/v3/targetGroups", GIVEN | {"frequencyType": "DAILY", "frequency": 0})

    data = answer["data"]
    assert (status, answer["warnings"], data["frequencyType"], data["frequency"]) == (201, None, "DAILY", 0)
    assert [each["refCode"] for each in data["periods"]] == ["c1", "c2"]


def test_bounds_that_follow_from_the_periods_are_taken_without_a_word(site):
    bounds = {
        "fromDate": "2026-01-01",
        "toDate": "2026-02-28",
        "targetCycleStartDate": "2026-01-01T00:00:00.000+0000",
        "targetCycleEndDate": "2026-02-28T23:59:59.000Z",
    }

    status, answer = site.post("/v3/targetGroups", GIVEN | bounds)

    assert (status, answer["warnings"]) == (201, None)


@pytest.mark.parametrize("name", ["fromDate", "toDate", "targetCycleStartDate", "targetCycleEndDate"])
def test_bound_that_contradicts_the_periods_is_passed_over_with_a_warning(site, name):
    status, answer = site.post("/v3/targetGroups", GIVEN | {name: "2025-12-24T08:42:01.000Z"})

    assert (status, answer["warnings"]) == (
        201,
        [{"code": 310202, "message": f"{name}: ignored; the periods run from 2026-01-01 to 2026-02-28."}],
    )
    assert answer["data"]["targetCycleStartDate"] == "2026-01-01T00:00:00+05:30"
    assert answer["data"]["targetCycleEndDate"] == "2026-02-28T23:59:59+05:30"


def test_group_defined_again_from_its_own_answer_has_the_same_calendar(site):
    body = MONTHLY | {"timeZoneName": "Africa/Cairo", "targetCycleStartDate": "2026-03-24T00:00:00", "frequency": 1}
    answered = site.post("/v3/targetGroups", body)[1]["data"]
    again = {"name": "Again", "periods": answered["periods"], "targets": [body["targets"][0] | {"name": "Again"}]}
    bounds = {name: answered[name] for name in ("targetCycleStartDate", "targetCycleEndDate", "recurringCycles")}

    status, answer = site.post("/v3/targetGroups", body | bounds | again)

    assert (status, answer["warnings"]) == (201, None)
    assert [bounds_of(each) for each in answer["data"]["periods"]] == [bounds_of(each) for each in answered["periods"]]


def one_value():
    return MONTHLY["targets"][0] | {"defaultValues": [{"defaultValue": 100}]}


def bounds_of(period):
    return period["refCode"], period["startDate"], period["endDate"]
