"""The published cases as data: what each customer does, and what must come of it.

ABC is the milestone of 5 cycles (the months of 2026), XYZ the streak of 30 cycles (weeks) with levels 4, 8 and 12.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

TIME_ZONE = "Asia/Kolkata"
LEVELS = (4, 8, 12)
FIRST_MONDAY = date(2026, 1, 5)
REWARD = {"name": "100 points", "kind": "POINTS", "value": 100}


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(TIME_ZONE))


def in_month(cycle: int, day: int) -> datetime:
    """Noon of a day of a cycle of ABC."""
    return noon(date(2026, cycle, day))


def in_week(cycle: int, day: int) -> datetime:
    """Noon of a day (0: Monday) of a cycle of XYZ."""
    return noon(FIRST_MONDAY + timedelta(weeks=cycle - 1, days=day))


BEGINNING = noon(date(2025, 12, 31))
END = in_week(28, 3)  # XYZ still runs: something to try is left


@dataclass(frozen=True)
class Step:
    """What a customer does at an instant: `enroll`, `buy` or `leave`."""

    at: datetime
    action: str
    record: dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One customer's story and its right outcome.

    `verdicts` and `levels` are those of the receipt of leaving, in order; `warnings` the codes of its answer;
    `granted` the periods or levels that paid in the end, of which `paid_later` only after he had left.
    """

    title: str
    programme: str
    steps: tuple[Step, ...]
    verdicts: tuple[str, ...]
    granted: tuple[str, ...]
    levels: tuple[str, ...] = ()
    warnings: tuple[int, ...] = ()
    paid_later: tuple[str, ...] = ()


def enroll(at: datetime, **record: Any) -> Step:
    return Step(at, "enroll", record)


def buy(at: datetime) -> Step:
    return Step(at, "buy", {})


def leave(at: datetime) -> Step:
    return Step(at, "leave", {"reason": "Demo"})


def programme(name: str, **details: Any) -> dict[str, Any]:
    """The body of `POST /v3/targetGroups`."""
    return {"name": name, "targetEvaluationType": "FIXED_CALENDAR_WINDOW", "timeZoneName": TIME_ZONE} | details


def milestone(name: str, allocation: str, late_days: int = 0) -> dict[str, Any]:
    """Buy twice in a month: five months, each rewarded."""
    target = target_of(name, 2) | {"rewardAllocationType": allocation, "reward": REWARD}
    periods = [period(n, date(2026, n, 1), date(2026, n + 1, 1)) for n in range(1, 6)]
    return programme(name, trackingType="DEFAULT", lateDays=late_days, periods=periods, targets=[target])


def streak(name: str) -> dict[str, Any]:
    """Buy once a week: thirty weeks, rewarded after 4, 8 and 12."""
    mondays = [FIRST_MONDAY + timedelta(weeks=n) for n in range(31)]
    return programme(
        name,
        trackingType="STREAKS",
        periods=[period(n, mondays[n - 1], mondays[n]) for n in range(1, 31)],
        targets=[target_of(name, 1)],
        streaks=[
            {"name": f"{name} level {level}", "targetCountOfSequence": level, "reward": REWARD} for level in LEVELS
        ],
    )


def period(number: int, first: date, following: date) -> dict[str, str]:
    last = following - timedelta(days=1)
    return {"refCode": f"c{number}", "startDate": f"{first}T00:00:00", "endDate": f"{last}T23:59:59"}


def target_of(name: str, value: int) -> dict[str, Any]:
    return {
        "name": name,
        "targetEntity": "TRANSACTION",
        "targetType": "COUNT",
        "eventName": "purchase",
        "defaultValues": [{"defaultValue": value}],
    }


IMMEDIATE = "ABC, rewarded at once"
PERIOD_END = "ABC, rewarded at the period's end"
CLOSED_LATE = "ABC, closed 20 days late"
XYZ = "XYZ"

PROGRAMMES = (
    milestone(IMMEDIATE, "IMMEDIATE"),
    milestone(PERIOD_END, "PERIOD_END"),
    milestone(CLOSED_LATE, "PERIOD_END", late_days=20),
    streak(XYZ),
)


def left_in_c1(purchases: int) -> tuple[Step, ...]:
    bought = [buy(in_month(1, 9 + n)) for n in range(1, purchases + 1)]
    return (enroll(in_month(1, 1)), *bought, leave(in_month(1, 15)))


def left_in_c3(purchases: int) -> tuple[Step, ...]:
    bought = [buy(in_month(cycle, 9 + n)) for cycle in (1, 2) for n in (1, 2)]
    bought += [buy(in_month(3, 9 + n)) for n in range(1, purchases + 1)]
    return (enroll(in_month(1, 1)), *bought, leave(in_month(3, 15)))


def twelve_weeks() -> tuple[Step, ...]:
    """Achieved in each of twelve weeks, left in the middle of the 13th."""
    return (enroll(in_week(1, 0)), *(buy(in_week(n, 1)) for n in range(1, 13)), leave(in_week(13, 3)))


IN_C1 = "Case 1, sub-case 1: left in the middle of c1"
IN_C3 = "Case 1, sub-case 2: left in the middle of c3"
IN_C13 = "Case 2: left in the 13th cycle"
REST_OF_5 = ("left",) * 4
REST_OF_3 = ("kept", "kept")
OUT_OF_30 = ("kept",) * 12 + ("left",) * 18
ALL_LEVELS = tuple(f"{XYZ} level {level}" for level in LEVELS)

CASES = (
    Case(
        f"{IN_C1}, target reached",
        IMMEDIATE,
        left_in_c1(2),
        verdicts=("left_reward_kept", *REST_OF_5),
        granted=("c1",),
    ),
    Case(f"{IN_C1}, target not reached", IMMEDIATE, left_in_c1(1), verdicts=("left", *REST_OF_5), granted=()),
    Case(
        f"{IN_C1}, target reached",
        PERIOD_END,
        left_in_c1(2),
        verdicts=("left_reward_forfeited", *REST_OF_5),
        granted=(),
        warnings=(310201,),
    ),
    Case(f"{IN_C1}, target not reached", PERIOD_END, left_in_c1(1), verdicts=("left", *REST_OF_5), granted=()),
    Case(
        f"{IN_C3}, target reached",
        IMMEDIATE,
        left_in_c3(2),
        verdicts=(*REST_OF_3, "left_reward_kept", "left", "left"),
        granted=("c1", "c2", "c3"),
    ),
    Case(
        f"{IN_C3}, target not reached",
        IMMEDIATE,
        left_in_c3(1),
        verdicts=(*REST_OF_3, "left", "left", "left"),
        granted=("c1", "c2"),
    ),
    Case(
        f"{IN_C3}, target reached",
        PERIOD_END,
        left_in_c3(2),
        verdicts=(*REST_OF_3, "left_reward_forfeited", "left", "left"),
        granted=("c1", "c2"),
        warnings=(310201,),
    ),
    Case(
        f"{IN_C3}, target not reached",
        PERIOD_END,
        left_in_c3(1),
        verdicts=(*REST_OF_3, "left", "left", "left"),
        granted=("c1", "c2"),
    ),
    Case(
        f"{IN_C3}, before the late close of c2",
        CLOSED_LATE,
        left_in_c3(2),
        verdicts=(*REST_OF_3, "left_reward_forfeited", "left", "left"),
        granted=("c1", "c2"),
        warnings=(310201,),
        paid_later=("c2",),
    ),
    Case(IN_C13, XYZ, twelve_weeks(), verdicts=OUT_OF_30, levels=("kept",) * 3, granted=ALL_LEVELS),
    Case(
        f"{IN_C13}, enrolled again in the 16th without reset",
        XYZ,
        (*twelve_weeks(), enroll(in_week(16, 0)), *(buy(in_week(n, 1)) for n in range(16, 28))),
        verdicts=OUT_OF_30,
        levels=("kept",) * 3,
        granted=ALL_LEVELS,
    ),
    Case(
        f"{IN_C13}, enrolled again in the 16th with reset",
        XYZ,
        (
            *twelve_weeks(),
            enroll(in_week(16, 0), resetStreakStatus=True),
            *(buy(in_week(n, 1)) for n in range(16, 28)),
        ),
        verdicts=OUT_OF_30,
        levels=("kept",) * 3,
        granted=ALL_LEVELS * 2,
        paid_later=ALL_LEVELS,
    ),
)
