"""A milestone whose calendar was made from a frequency: its boundaries decide, to the second, what leaving means."""

import pytest

from tests.journeys.programme import CUSTOMER, POINTS, Programme, target_of

MONTHLY = {
    "name": "ABC",
    "trackingType": "DEFAULT",
    "targetEvaluationType": "FIXED_CALENDAR_WINDOW",
    "timeZoneName": "Europe/Berlin",
    "frequencyType": "MONTHLY",
    "frequency": 1,
    "totalPeriods": 3,
    "targetCycleStartDate": "2026-01-31T00:00:00",
}


@pytest.mark.parametrize(
    ("left_at", "verdicts", "warned"),
    [
        # The second cycle ends on the day before 31 March, by then in summer time.
        ("2026-03-30T23:59:59+02:00", ["kept", "left_reward_forfeited", "left"], [310201]),
        ("2026-03-31T00:00:00+02:00", ["kept", "kept", "left"], None),
    ],
)
def test_leaving_at_the_end_of_a_month_belongs_to_the_cycle_that_runs_in_the_zone(site, left_at, verdicts, warned):
    values = [{"defaultValue": value} for value in (1, 2, 3)]
    target = target_of("ABC", 1) | {"defaultValues": values, "rewardAllocationType": "PERIOD_END", "reward": POINTS}
    site.set_clock("2026-01-31T00:00:00+01:00")
    abc = Programme(site, site.post("/v3/targetGroups", MONTHLY | {"targets": [target]})[1]["data"])
    site.put(f"/v3/customers/{CUSTOMER}", {})
    abc.enroll()
    site.set_clock("2026-02-27T23:59:59+01:00")
    abc.buy()
    site.set_clock("2026-02-28T00:00:00+01:00")
    abc.buy(2)
    site.set_clock(left_at)

    status, answer = abc.unenroll()

    codes = answer["warnings"] and [warning["code"] for warning in answer["warnings"]]
    assert (status, codes) == (200, warned)
    assert abc.verdicts() == verdicts
    assert [line["value"] for line in abc.standing()["cycles"]] == [1, 2, 0]
    site.set_clock("2026-05-01T00:00:00+02:00")
    assert abc.granted() == ["Cycle_1", "Cycle_2"][: verdicts.count("kept")]
