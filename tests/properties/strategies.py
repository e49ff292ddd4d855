"""Random programmes, small enough that a history of 30 steps meets every boundary of theirs."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.factories import START
from tests.properties.programme import AGNOSTIC, CYCLIC, FIXED, KPIS, Cycle, Programme, cycles_without_instants

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)  # the smallest step of PostgreSQL's clock

KINDS = ("DEFAULT", "DEFAULT", "DEFAULT", "STREAKS", "STREAKS", "NON_CONTINUOUS_STREAKS")
EVENT_NAMES = ("purchase", "visit")
COUNTING = ("COUNT", "VISIT")  # by ones; the others add up what they find
ZONES = ("UTC", "Asia/Kolkata", "America/Los_Angeles")
ATTRIBUTE = "points"
LENGTHS = (("DAILY", 1), ("DAILY", 2), ("CUSTOM", 3), ("WEEKLY", 1), ("MONTHLY", 1))

ONLY_FIXED = (FIXED,)
MOSTLY_PERSONAL = (CYCLIC, AGNOSTIC, FIXED)

ALLOCATIONS = st.sampled_from(("PERIOD_END", "IMMEDIATE", "PERIOD_END"))

# Beside a boundary: on it, just before and after, and further off.
NEAR = st.sampled_from((timedelta(0), -INSTANT, INSTANT, timedelta(hours=5), -timedelta(hours=5)))


@dataclass(frozen=True)
class Definition:
    """A programme, and what else a brand says of it. An empty event name matches activities of any name.

    `at_least` is what an activity needs as its attribute to match; None: it needs none.
    """

    programme: Programme
    late_days: int
    event_name: str
    at_least: Decimal | None

    def counts(self, event_name: str, attribute: object) -> bool:
        """Whether it is about activities of this name and attribute at all."""
        if self.event_name not in ("", event_name):
            return False
        return self.at_least is None or (isinstance(attribute, Decimal) and attribute >= self.at_least)


@st.composite
def definitions(draw: st.DrawFn, *, is_sandbox: bool, windows: tuple[str, ...] = ONLY_FIXED) -> Definition:
    window = draw(st.sampled_from(windows))
    kpi = draw(st.sampled_from(("COUNT", "VISIT", *KPIS)))
    count = draw(st.sampled_from((4, 1, 2, 3, 5, 6, 7, 8, 8, 8)))
    most = 2 if kpi == "VISIT" else 3  # a cycle is of 1 to 3 days, or a little more
    target_value = (
        st.integers(1, most).map(Decimal) if kpi in COUNTING else st.sampled_from((Decimal("0.5"), Decimal("7.125")))
    )
    target_values = draw(st.lists(target_value, min_size=count, max_size=count))
    late_days = 0 if window == AGNOSTIC else draw(st.integers(0, 2))
    details = draw(calendars(target_values, late_days) if window == FIXED else personal(window, target_values))
    programme = Programme(
        kpi=kpi,
        rewarded=draw(st.sampled_from((True, True, True, False))),
        counts_before_enrolment=draw(st.booleans()),
        is_sandbox=is_sandbox,
        time_zone=draw(st.sampled_from(ZONES)),
        late_days=late_days,
        **details,
    )
    event_name = draw(st.sampled_from((*EVENT_NAMES, "")))
    return Definition(programme, late_days, event_name, draw(st.sampled_from((None, None, None, Decimal("0.5")))))


@st.composite
def calendars(draw: st.DrawFn, target_values: list[Decimal], late_days: int) -> dict[str, Any]:
    """Of a programme whose calendar is the same for everybody: milestones and streaks."""
    kind = draw(st.sampled_from(KINDS))
    cycles = []
    starts_at = START
    for number, target_value in enumerate(target_values, start=1):
        ends_at = starts_at + draw(st.integers(1, 3)) * DAY
        cycles.append(Cycle(number, starts_at, ends_at, ends_at + late_days * DAY, target_value))
        starts_at = ends_at + draw(st.sampled_from((0, 0, 1))) * DAY
    if kind == "DEFAULT":
        return {"kind": kind, "cycles": tuple(cycles), "allocation": draw(ALLOCATIONS)}
    levels = draw(st.sets(st.integers(1, min(len(cycles), 4)), min_size=1))
    return {"kind": kind, "cycles": tuple(cycles), "allocation": "IMMEDIATE", "levels": tuple(sorted(levels))}


@st.composite
def personal(draw: st.DrawFn, window: str, target_values: list[Decimal]) -> dict[str, Any]:
    """Of a programme whose calendar is each customer's own: milestones only."""
    details = {"kind": "DEFAULT", "window": window, "cycles": cycles_without_instants(target_values)}
    if window == CYCLIC:
        frequency_type, frequency = draw(st.sampled_from(LENGTHS))
        return details | {
            "frequency_type": frequency_type,
            "frequency": frequency,
            "allocation": draw(ALLOCATIONS),
        }
    return details | {"allocation": "IMMEDIATE"}


@dataclass(frozen=True)
class Setting:
    """The brand of one history."""

    definitions: tuple[Definition, ...]
    customers: int
    is_sandbox: bool
    begins_before: timedelta


@st.composite
def settings(draw: st.DrawFn, *, windows: tuple[str, ...] = ONLY_FIXED) -> Setting:
    is_sandbox = draw(st.booleans())
    return Setting(
        definitions=tuple(
            draw(definitions(is_sandbox=is_sandbox, windows=windows)) for _ in range(draw(st.sampled_from((1, 1, 2))))
        ),
        customers=draw(st.sampled_from((2, 2, 3))),
        is_sandbox=is_sandbox,
        begins_before=draw(st.sampled_from((timedelta(0), INSTANT, DAY, -timedelta(hours=1)))),
    )
