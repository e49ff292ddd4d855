"""What the reference of `reference.py` speaks of: a programme, facts about one customer in it, and answers.

Written from `docs/domain.md` alone. It imports nothing of the product and reads no clock.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

KPIS = ("COUNT", "SALES", "GROSS_SALES", "QUANTITY", "VISIT", "EVENT_ATTRIBUTE")

# What is being modelled


@dataclass(frozen=True)
class Cycle:
    """One evaluation window `[starts_at, ends_at)`; it accepts activity before `closes_at`."""

    number: int
    starts_at: datetime
    ends_at: datetime
    closes_at: datetime
    target_value: Decimal


@dataclass(frozen=True)
class Programme:
    """One target with its calendar. `rewarded`: the target, or each streak level, has a reward."""

    kind: str  # DEFAULT, STREAKS, NON_CONTINUOUS_STREAKS
    kpi: str  # one of KPIS
    allocation: str  # IMMEDIATE, PERIOD_END
    cycles: tuple[Cycle, ...]
    levels: tuple[int, ...] = ()
    rewarded: bool = True
    counts_before_enrolment: bool = True
    is_sandbox: bool = False
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse a programme that domain.md 1, 3 and 5 rule out: it would test nothing."""
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
        for cycle in self.cycles:
            if not cycle.starts_at < cycle.ends_at <= cycle.closes_at:
                raise ValueError(f"cycle {cycle.number} starts, ends and closes in this order")
            if cycle.target_value <= 0:
                raise ValueError(f"cycle {cycle.number} has nothing to reach")
        for earlier, later in zip(self.cycles, self.cycles[1:], strict=False):
            if later.starts_at < earlier.ends_at:
                raise ValueError(f"cycle {later.number} starts before {earlier.number} ends")

    @property
    def is_streak(self) -> bool:
        return self.kind != "DEFAULT"

    def cycle_at(self, instant: datetime) -> Cycle | None:
        """The cycle containing `instant`; starts belong to a cycle, ends do not (domain.md 1)."""
        for cycle in self.cycles:
            if cycle.starts_at <= instant < cycle.ends_at:
                return cycle
        return None

    def running_or_next(self, at: datetime) -> Cycle | None:
        """The first cycle that ends after `at`: the running one, else the next (domain.md 5)."""
        for cycle in self.cycles:
            if cycle.ends_at > at:
                return cycle
        return None

    def named(self, number: int, at: datetime) -> Cycle | None:
        """The cycle called `number`, unless there is none or it has ended (domain.md 4)."""
        for cycle in self.cycles:
            if cycle.number == number and cycle.ends_at > at:
                return cycle
        return None


# What is remembered


@dataclass(frozen=True)
class Stay:
    """Membership of the cycles `[first_cycle, end_cycle)`; `end_cycle` None: no leave is decided.

    He counts as enrolled from `enrolled_at` until `left_at`, which a scheduled leave sets ahead.
    """

    run: int
    enrolled_at: datetime
    first_cycle: int
    end_cycle: int | None = None
    left_at: datetime | None = None
    leave_is_scheduled: bool = False

    def covers(self, cycle: int) -> bool:
        """Joined at or before the cycle and not left by then; an empty stay covers none (domain.md 2)."""
        return self.first_cycle <= cycle and (self.end_cycle is None or cycle < self.end_cycle)

    def is_current(self, at: datetime) -> bool:
        """Enrolled at `at`; a scheduled leave counts as enrolled until it takes effect (domain.md 5)."""
        return self.enrolled_at <= at and (self.left_at is None or at < self.left_at)


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
    change: Decimal
    day: date | None = None


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
