"""What the reference of `reference.py` speaks of: a programme, facts about one customer in it, and answers.

Written from `docs/domain.md` alone. It imports nothing of the product and reads no clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

KPIS = ("COUNT", "SALES", "GROSS_SALES", "QUANTITY", "VISIT", "EVENT_ATTRIBUTE")
FIXED, CYCLIC, AGNOSTIC = "FIXED_CALENDAR_WINDOW", "CYCLIC_WINDOW", "PERIOD_AGNOSTIC_WINDOW"

# How long one unit of a frequency is.
DAYS = {"DAILY": 1, "WEEKLY": 7, "CUSTOM": 1}
MONTHS = {"MONTHLY": 1, "QUARTERLY": 3, "HALF_YEARLY": 6, "YEARLY": 12}

NOT_YET = datetime.max.replace(tzinfo=UTC)  # an instant that is not known yet, and later than all that are

# What is being modelled


@dataclass(frozen=True)
class Cycle:
    """One evaluation window `[starts_at, ends_at)`; it accepts activity before `closes_at`.

    In a programme with personal calendars these are `NOT_YET`: they differ from customer to customer.
    """

    number: int
    starts_at: datetime
    ends_at: datetime
    closes_at: datetime
    target_value: Decimal


def cycles_without_instants(target_values: Iterable[Decimal]) -> tuple[Cycle, ...]:
    """The cycles of a programme with personal calendars."""
    return tuple(Cycle(number, NOT_YET, NOT_YET, NOT_YET, each) for number, each in enumerate(target_values, start=1))


@dataclass(frozen=True)
class Programme:
    """One target with its calendar. `rewarded`: the target, or each streak level, has a reward.

    A cycle of a cyclic calendar is `frequency` times `frequency_type` long and closes `late_days` after its end.
    """

    kind: str  # DEFAULT, STREAKS, NON_CONTINUOUS_STREAKS
    kpi: str  # one of KPIS
    allocation: str  # IMMEDIATE, PERIOD_END
    cycles: tuple[Cycle, ...]
    levels: tuple[int, ...] = ()
    rewarded: bool = True
    counts_before_enrolment: bool = True
    is_sandbox: bool = False
    time_zone: str = "UTC"
    window: str = FIXED
    frequency_type: str = "DAILY"
    frequency: int = 1
    late_days: int = 0

    def __post_init__(self) -> None:
        """Refuse a programme that domain.md 1, 3, 5 and 10 rule out: it would test nothing."""
        if self.kind not in ("DEFAULT", "STREAKS", "NON_CONTINUOUS_STREAKS"):
            raise ValueError(f"unknown kind {self.kind}")
        if self.kpi not in KPIS:
            raise ValueError(f"unknown KPI {self.kpi}")
        if self.allocation not in ("IMMEDIATE", "PERIOD_END"):
            raise ValueError(f"unknown allocation {self.allocation}")
        if self.is_streak and self.allocation != "IMMEDIATE":
            raise ValueError("streaks are always IMMEDIATE")
        if [cycle.number for cycle in self.cycles] != list(range(1, len(self.cycles) + 1)):
            raise ValueError("cycles are numbered 1 to n")
        if any(cycle.target_value <= 0 for cycle in self.cycles):
            raise ValueError("a cycle has nothing to reach")
        if self.has_personal_calendars:
            self._refuse_impossible_window()
        else:
            self._refuse_impossible_calendar()

    def _refuse_impossible_calendar(self) -> None:
        if self.window != FIXED:
            raise ValueError(f"unknown window {self.window}")
        for cycle in self.cycles:
            if not cycle.starts_at < cycle.ends_at <= cycle.closes_at:
                raise ValueError(f"cycle {cycle.number} starts, ends and closes in this order")
        for earlier, later in zip(self.cycles, self.cycles[1:], strict=False):
            if later.starts_at < earlier.ends_at:
                raise ValueError(f"cycle {later.number} starts before {earlier.number} ends")

    def _refuse_impossible_window(self) -> None:
        if self.is_streak:
            raise ValueError("streaks have a fixed calendar")
        if self.cycles != cycles_without_instants(cycle.target_value for cycle in self.cycles):
            raise ValueError("the instants of personal calendars are nobody else's")
        if self.frequency < 1 or not (self.frequency_type in DAYS or self.frequency_type in MONTHS):
            raise ValueError(f"no length: {self.frequency} times {self.frequency_type}")
        if self.window == AGNOSTIC and (self.allocation != "IMMEDIATE" or self.late_days):
            raise ValueError("a cycle that ends when it is achieved pays then, and nothing is late")

    @property
    def is_streak(self) -> bool:
        return self.kind != "DEFAULT"

    @property
    def has_personal_calendars(self) -> bool:
        return self.window in (CYCLIC, AGNOSTIC)


# What is remembered


@dataclass(frozen=True)
class Stay:
    """Membership of the cycles `[first_cycle, end_cycle)`; `end_cycle` None: no leave is decided.

    He left at `left_at`, or leaves, as scheduled, when the cycle `leaves_after` ends.
    """

    run: int
    enrolled_at: datetime
    first_cycle: int
    end_cycle: int | None = None
    left_at: datetime | None = None
    leaves_after: int | None = None

    @property
    def leave_is_scheduled(self) -> bool:
        return self.leaves_after is not None

    def covers(self, cycle: int) -> bool:
        """Joined at or before the cycle and not left by then; an empty stay covers none (domain.md 2)."""
        return self.first_cycle <= cycle and (self.end_cycle is None or cycle < self.end_cycle)


@dataclass(frozen=True)
class Inactivity:
    """The group was frozen at `began_at`, and runs again since `ended_at` (None: not yet)."""

    began_at: datetime
    ended_at: datetime | None = None

    def covers_the_end_of(self, cycle: Cycle) -> bool:
        """Frozen in the last instant of the cycle. Frozen just when it was over already, it had ended before."""
        return self.began_at < cycle.ends_at and (self.ended_at is None or cycle.ends_at <= self.ended_at)


@dataclass(frozen=True)
class Balance:
    """The value of a cycle was set to `value`."""

    run: int
    cycle: int
    recorded_at: datetime
    value: Decimal


@dataclass(frozen=True)
class Activity:
    """An activity was counted and changed the value of a cycle by `change`.

    `day` is the local day; None for a return.
    """

    run: int
    cycle: int
    recorded_at: datetime
    occurred_at: datetime
    change: Decimal
    day: date | None = None


@dataclass(frozen=True)
class Missed:
    """An activity that found him out, as it arrived: in a calendar for everybody in `cycle`."""

    event_id: str
    arrived_at: datetime
    occurred_at: datetime
    amount: Decimal | None
    quantity: Decimal | None
    attribute: object
    cycle: int


@dataclass
class Change:
    """A receipt was written; of a leave: how the stay was `before`, and what he did since that did not count."""

    kind: str
    at: datetime
    before: Stay | None = None
    is_taken_back: bool = False
    missed: list[Missed] = field(default_factory=list)


# What is answered


@dataclass(frozen=True)
class Outcome:
    """What an enrolment change meant, as of its instant: the content of a receipt.

    `values` are those a receipt shows: of the running (or next) cycle, and of closed cycles he is a member of.
    """

    kind: str
    run: int
    verdicts: dict[int, str]
    values: dict[int, Decimal | None]
    levels: dict[int, str] = field(default_factory=dict)
    count: int = 0
    paid: frozenset[int] = frozenset()  # cycles with a grant
    forfeited: list[int] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Counted:
    """The activity counted in `cycle` of `run`, whose value is now `value`; `granted` is new by it."""

    run: int
    cycle: int
    value: Decimal
    is_achieved: bool
    granted: frozenset[tuple] = frozenset()


@dataclass(frozen=True)
class NotCounted:
    """The activity did not count; `reason` is the first that applies."""

    reason: str


@dataclass(frozen=True)
class CycleView:
    """What one cycle is to him now."""

    verdict: str
    value: Decimal
    is_paid: bool


class Refusal(Exception):
    """The product answers with `code`, and nothing changed. `left_at`: since when he is out, if that is why."""

    def __init__(self, code: int, left_at: datetime | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.left_at = left_at


class StaleInstant(Exception):
    """`at` lies before what has happened already; the door takes a later one (domain.md 3)."""
