"""A small, slow, obviously right model of `docs/domain.md`, for one customer and one target.

It remembers facts only (stays, balances, counted activities, grants, barred cycles) and works
everything else out again at each question, with loops. One short function per rule; "domain.md 5"
in a docstring is the section the rule comes from, in our own words.

Left out for now: undo, windows other than the fixed calendar, KPIs other than COUNT and SALES,
inactive groups and edits. It imports nothing of the product and reads no clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

ALREADY_ENROLLED = 310119
NOT_ENROLLED = 310126
CYCLE_NOT_FOUND = 310019
BALANCE_NOT_ALLOWED = 300004

AHEAD_OF_NOW_ALLOWED = timedelta(minutes=5)
HIGHEST_BALANCE = Decimal(10**15 - 1)


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
    kpi: str  # COUNT, SALES
    allocation: str  # IMMEDIATE, PERIOD_END
    cycles: tuple[Cycle, ...]
    levels: tuple[int, ...] = ()
    rewarded: bool = True
    counts_before_enrolment: bool = True

    def __post_init__(self) -> None:
        """Refuse a programme that domain.md 1, 3 and 5 rule out: it would test nothing."""
        if self.kind not in ("DEFAULT", "STREAKS", "NON_CONTINUOUS_STREAKS"):
            raise ValueError(f"unknown kind {self.kind}")
        if self.kpi not in ("COUNT", "SALES"):
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
class Balance:
    """The value of a cycle was set to `value`."""

    run: int
    cycle: int
    recorded_at: datetime
    value: Decimal


@dataclass(frozen=True)
class Activity:
    """An activity was counted and changed the value of a cycle by `change`."""

    run: int
    cycle: int
    recorded_at: datetime
    change: Decimal


# What is answered


@dataclass(frozen=True)
class Outcome:
    """What an enrolment change meant, as of its instant: the content of a receipt."""

    verdicts: dict[int, str]
    levels: dict[int, str] = field(default_factory=dict)
    count: int = 0
    forfeited: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Counted:
    """The activity counted in `cycle` of `run`, whose value is now `value`; `granted` is new by it."""

    run: int
    cycle: int
    value: Decimal
    granted: frozenset[tuple] = frozenset()


@dataclass(frozen=True)
class NotCounted:
    """The activity did not count; `reason` is the first that applies."""

    reason: str


class Refusal(Exception):
    """The product answers with `code`, and nothing changed."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class StaleInstant(Exception):
    """`at` lies before what has happened already; the door takes a later one (domain.md 3)."""


class Reference:
    """One customer and one target. Every `at` is told; instants must not go backwards."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self.receipts: list[Outcome] = []
        self._stays: list[Stay] = []
        self._facts: list[Balance | Activity] = []  # in the order they were processed
        self._grants: set[tuple] = set()
        self._barred: set[int] = set()
        self._changed_at: datetime | None = None

    # Changes

    def enroll(
        self, *, at: datetime, cycle: int | None = None, balance: Decimal | None = None, reset: bool = False
    ) -> Outcome:
        """Join `cycle`, else the running or next one, and all later ones (domain.md 4).

        `balance` is for milestones, `reset` for streaks; each is ignored for the other.
        Raises `Refusal` 310119, 310019, 300004, checked in this order.
        """
        self._refuse_stale(at)
        if self.is_enrolled(at):
            raise Refusal(ALREADY_ENROLLED)
        joined = self._cycle_to_join(at, cycle)
        balance = self._balance_that_matters(balance)
        self._refuse_achievement_in_advance(at, joined, balance)

        run = self._run_to_join(reset)
        self._stays.append(Stay(run=run, enrolled_at=at, first_cycle=joined.number))
        if balance is not None:
            self._add_fact(Balance(run, joined.number, at, balance))

        verdicts = {each.number: self._verdict_joining(each.number) for each in self.programme.cycles}
        return self._write_receipt(at, verdicts)

    def unenroll(self, *, at: datetime, scheduled: bool = False) -> Outcome:
        """Leave from the running or next cycle on; `scheduled`: from the one after it on (domain.md 5).

        A scheduled leave asked for again answers with the receipt it has; asked for immediately it
        becomes an immediate one. Raises `Refusal` 310126, 310019, checked in this order.
        """
        self._refuse_stale(at)
        if not self.is_enrolled(at):
            raise Refusal(NOT_ENROLLED)
        left = self._running_or_next(at)
        stay = self._stays[-1]
        if scheduled and stay.leave_is_scheduled:
            return self.receipts[-1]  # nothing can have happened since that leaves the leave pending

        first_left = left.number + 1 if scheduled else left.number
        self._stays[-1] = replace(
            stay,
            end_cycle=max(first_left, stay.first_cycle),
            left_at=left.ends_at if scheduled else at,
            leave_is_scheduled=scheduled,
        )

        verdicts = {each.number: self._verdict_leaving(each) for each in self.programme.cycles}
        return self._write_receipt(at, verdicts)

    def cancel_leave(self, *, at: datetime) -> Outcome:
        """Stay after all: a scheduled leave that has not taken effect is taken back (domain.md 5).

        Raises `Refusal` 310126 when there is none.
        """
        self._refuse_stale(at)
        if not self.is_enrolled(at) or not self._stays[-1].leave_is_scheduled:
            raise Refusal(NOT_ENROLLED)
        running = self._running_or_next(at)

        self._stays[-1] = replace(self._stays[-1], end_cycle=None, left_at=None, leave_is_scheduled=False)

        verdicts = {each.number: self._verdict_staying(each.number, running) for each in self.programme.cycles}
        return self._write_receipt(at, verdicts)

    def record(self, *, at: datetime, occurred_at: datetime, amount: Decimal) -> Counted | NotCounted:
        """Process one activity; it counts in the cycle of `occurred_at` or not at all (domain.md 6)."""
        self._refuse_stale(at)
        reason = self._reason_not_to_count(at, occurred_at)
        if reason is not None:
            return NotCounted(reason)

        cycle = self.programme.cycle_at(occurred_at).number
        run = self._covering_stay(cycle).run
        granted = self._add_fact(Activity(run, cycle, at, self._change(amount)))
        return Counted(run, cycle, self._value(run, cycle), granted)

    def close_due(self, *, at: datetime) -> None:
        """Bar every cycle whose closing instant has come, then pay its period-end reward (domain.md 3)."""
        for cycle in self.programme.cycles:
            if cycle.closes_at <= at and cycle.number not in self._barred:
                self._barred.add(cycle.number)
                self._pay_at_close(cycle)

    # Views

    def is_enrolled(self, at: datetime) -> bool:
        """Some stay has begun and its leave, if any, has not taken effect (domain.md 5)."""
        return any(stay.is_current(at) for stay in self._stays)

    @property
    def stays(self) -> list[tuple[int, int, int | None]]:
        """(run, first cycle, end cycle) of each stay, the empty ones too, oldest first (domain.md 2)."""
        return [(stay.run, stay.first_cycle, stay.end_cycle) for stay in self._stays]

    def values(self) -> dict[tuple[int, int], Decimal]:
        """(run, cycle) -> value, for the cycles that have a balance or a counted activity."""
        return {(fact.run, fact.cycle): self._value(fact.run, fact.cycle) for fact in self._facts}

    def grants(self) -> frozenset[tuple]:
        """("cycle", number) for milestones, ("level", run, level) for streaks (domain.md 6)."""
        return frozenset(self._grants)

    def count(self, at: datetime) -> int:
        """The count shown: the chain of the current run that no later cycle broke, else 0 (domain.md 6)."""
        if not self.programme.is_streak or not self._stays:
            return 0
        return len(self._chains(self._stays[-1].run, at)[-1])

    # Instants (domain.md 3)

    def _refuse_stale(self, at: datetime) -> None:
        """No operation runs at an instant before the last enrolment change."""
        if self._changed_at is not None and at < self._changed_at:
            raise StaleInstant

    def _refuse_barred(self, cycle: Cycle) -> Cycle:
        """Nobody leaves or joins a cycle that was closed meanwhile."""
        if cycle.number in self._barred:
            raise StaleInstant
        return cycle

    # Enrolling (domain.md 4)

    def _cycle_to_join(self, at: datetime, number: int | None) -> Cycle:
        """The named cycle, else the running one, else the next; unknown, ended or none is refused."""
        if number is None:
            return self._running_or_next(at)
        named = self.programme.named(number, at)
        if named is None:
            raise Refusal(CYCLE_NOT_FOUND)
        return self._refuse_barred(named)

    def _running_or_next(self, at: datetime) -> Cycle:
        """The first cycle that ends after `at`; when there is none the programme is over."""
        cycle = self.programme.running_or_next(at)
        if cycle is None:
            raise Refusal(CYCLE_NOT_FOUND)
        return self._refuse_barred(cycle)

    def _balance_that_matters(self, balance: Decimal | None) -> Decimal | None:
        """A balance is 0 to 10^15-1 and ignored on a streak."""
        if balance is None or self.programme.is_streak:
            return None
        if not 0 <= balance <= HIGHEST_BALANCE:
            raise ValueError(f"a balance is 0 to {HIGHEST_BALANCE}, not {balance}")
        return balance

    def _refuse_achievement_in_advance(self, at: datetime, joined: Cycle, balance: Decimal | None) -> None:
        """A balance that reaches the target value of a cycle not begun is refused."""
        if balance is not None and balance >= joined.target_value and joined.starts_at > at:
            raise Refusal(BALANCE_NOT_ALLOWED)

    def _run_to_join(self, reset: bool) -> int:
        """Re-enrolling in a streak with a reset opens the next run; everything else continues."""
        if not self._stays:
            return 1
        if self.programme.is_streak and reset:
            return self._stays[-1].run + 1
        return self._stays[-1].run

    # Membership (domain.md 2)

    def _covering_stay(self, cycle: int) -> Stay | None:
        """The stay that covers `cycle`; there is at most one, as non-empty stays never overlap."""
        for stay in self._stays:
            if stay.covers(cycle):
                return stay
        return None

    def _was_member(self, run: int, cycle: int) -> bool:
        """A stay of `run` covers `cycle`."""
        return any(stay.run == run and stay.covers(cycle) for stay in self._stays)

    # Whether an activity counts (domain.md 6)

    def _reason_not_to_count(self, at: datetime, occurred_at: datetime) -> str | None:
        """The first of the seven reasons that applies, else None."""
        cycle = self.programme.cycle_at(occurred_at)
        if cycle is None:
            return "no_cycle"
        stay = self._covering_stay(cycle.number)
        if stay is None:
            return "not_enrolled"
        if cycle.starts_at > at:
            return "cycle_not_begun"
        if at >= cycle.closes_at or cycle.number in self._barred:
            return "cycle_closed"
        if occurred_at > at + AHEAD_OF_NOW_ALLOWED:
            return "in_future"
        if self._was_away(occurred_at):
            return "while_away"
        if self._was_before_balance(stay.run, cycle.number, occurred_at):
            return "before_enrolment"
        if self._was_before_run(stay.run, occurred_at):
            return "before_enrolment"
        return None

    def _was_away(self, occurred_at: datetime) -> bool:
        """From a leave on, and before the enrolment that followed it."""
        for stay, following in zip(self._stays, self._stays[1:], strict=False):
            if stay.left_at <= occurred_at < following.enrolled_at:
                return True
        return False

    def _was_before_balance(self, run: int, cycle: int, occurred_at: datetime) -> bool:
        """Before the balance of its cycle was set (the last one, if several were)."""
        set_at = None
        for fact in self._facts:
            if isinstance(fact, Balance) and (fact.run, fact.cycle) == (run, cycle):
                set_at = fact.recorded_at
        return set_at is not None and occurred_at < set_at

    def _was_before_run(self, run: int, occurred_at: datetime) -> bool:
        """Run 1: before the first enrolment, unless the group counts that. Later runs: before they began."""
        if run == 1 and self.programme.counts_before_enrolment:
            return False
        began_at = next(stay.enrolled_at for stay in self._stays if stay.run == run)
        return occurred_at < began_at

    def _change(self, amount: Decimal) -> Decimal:
        """SALES adds the amount; COUNT adds 1, and takes 1 away for a return."""
        if self.programme.kpi == "SALES":
            return amount
        return Decimal(-1) if amount < 0 else Decimal(1)

    # Progress and achievement (domain.md 6, 9.7)

    def _value(self, run: int, cycle: int) -> Decimal:
        """The balance last set plus the activities counted since; 0 where there is neither."""
        history = self._value_history(run, cycle)
        return history[-1][1] if history else Decimal(0)

    def _value_history(self, run: int, cycle: int) -> list[tuple[datetime, Decimal]]:
        """(instant, value then) after each fact of this cycle in this run, in order of processing."""
        history = []
        value = Decimal(0)
        for fact in self._facts:
            if (fact.run, fact.cycle) != (run, cycle):
                continue
            value = fact.value if isinstance(fact, Balance) else value + fact.change
            history.append((fact.recorded_at, value))
        return history

    def _is_achieved(self, run: int, cycle: int) -> bool:
        """IMMEDIATE: the value once reached the target value. PERIOD_END: it does so now."""
        target_value = self.programme.cycles[cycle - 1].target_value
        if self.programme.allocation == "PERIOD_END":
            return self._value(run, cycle) >= target_value
        return any(value >= target_value for _, value in self._value_history(run, cycle))

    def _add_fact(self, fact: Balance | Activity) -> frozenset[tuple]:
        """Remember the fact, and grant what it achieved in the same breath; answers the new grants."""
        was_achieved = self._is_achieved(fact.run, fact.cycle)
        granted_before = self.grants()
        self._facts.append(fact)

        is_new = not was_achieved and self._is_achieved(fact.run, fact.cycle)
        if self.programme.allocation == "IMMEDIATE" and is_new:
            self._grant_achievement(fact.run, fact.cycle, fact.recorded_at)
        return self.grants() - granted_before

    # Grants (domain.md 6)

    def _grant_achievement(self, run: int, cycle: int, at: datetime) -> None:
        """A milestone pays its cycle; a streak every level up to the length of the cycle's chain."""
        if self.programme.is_streak:
            length = self._length_of_chain_with(run, cycle, at)
            for level in self.programme.levels:
                if level <= length:
                    self._grant(("level", run, level))
        else:
            self._grant(("cycle", cycle))

    def _grant(self, grant: tuple) -> None:
        """Give a reward once, where there is one to give."""
        if self.programme.rewarded:
            self._grants.add(grant)

    def _pay_at_close(self, cycle: Cycle) -> None:
        """PERIOD_END: whoever is a member of the cycle when it closes, and has reached it, is paid."""
        if self.programme.allocation != "PERIOD_END":
            return
        stay = self._covering_stay(cycle.number)
        if stay is not None and self._value(stay.run, cycle.number) >= cycle.target_value:
            self._grant(("cycle", cycle.number))

    # Streak count (domain.md 6)

    def _chains(self, run: int, at: datetime) -> list[list[int]]:
        """The achieved cycles of `run`, in order, split wherever a cycle was missed.

        The last chain is the one still going on; it is empty when the last cycle was missed.
        """
        chains: list[list[int]] = [[]]
        for cycle in self.programme.cycles:
            if self._is_achieved(run, cycle.number):
                chains[-1].append(cycle.number)
            elif self._breaks_chain(run, cycle, at):
                chains.append([])
        return chains

    def _breaks_chain(self, run: int, cycle: Cycle, at: datetime) -> bool:
        """A cycle he was a member of that ended unachieved; in a non-continuous streak nothing does."""
        if self.programme.kind == "NON_CONTINUOUS_STREAKS":
            return False
        return self._was_member(run, cycle.number) and cycle.ends_at <= at

    def _length_of_chain_with(self, run: int, cycle: int, at: datetime) -> int:
        """The length of the unbroken chain that contains the achieved `cycle`."""
        for chain in self._chains(run, at):
            if cycle in chain:
                return len(chain)
        raise AssertionError(f"cycle {cycle} is not achieved in run {run}")

    # Receipts (domain.md 5)

    def _verdict_joining(self, cycle: int) -> str:
        """Enrolling: the cycles joined, those an earlier stay covers, the rest."""
        if self._stays[-1].covers(cycle):
            return "member"
        return self._verdict_of_earlier(cycle)

    def _verdict_staying(self, cycle: int, running: Cycle) -> str:
        """Cancelling a leave: the cycles from the running one on that are his again, and the earlier."""
        if cycle >= running.number and self._stays[-1].covers(cycle):
            return "member"
        return self._verdict_of_earlier(cycle)

    def _verdict_of_earlier(self, cycle: int) -> str:
        """A cycle some stay covers is kept, whatever it earned or will be paid; else it is nobody's."""
        return "not_member" if self._covering_stay(cycle) is None else "kept"

    def _verdict_leaving(self, cycle: Cycle) -> str:
        """Leaving: from `end_cycle` on everything is left, and before it nothing changes."""
        stay = self._stays[-1]
        if cycle.number < stay.end_cycle:
            return self._verdict_of_earlier(cycle.number)
        if ("cycle", cycle.number) in self._grants:
            return "left_reward_kept"
        if self._is_forfeited(stay.run, cycle):
            return "left_reward_forfeited"
        return "left"

    def _is_forfeited(self, run: int, cycle: Cycle) -> bool:
        """A period-end reward he has reached the value for, and leaves before the cycle can pay it."""
        if self.programme.allocation != "PERIOD_END" or not self.programme.rewarded:
            return False
        return self._value(run, cycle.number) >= cycle.target_value

    def _level_verdicts(self) -> dict[int, str]:
        """A level granted in the current run is kept, the rest is not reached."""
        if not self.programme.is_streak:
            return {}
        run = self._stays[-1].run
        return {
            level: "kept" if ("level", run, level) in self._grants else "not_reached" for level in self.programme.levels
        }

    def _write_receipt(self, at: datetime, verdicts: dict[int, str]) -> Outcome:
        """The account of a change that has just been made, as of its instant."""
        self._changed_at = at
        forfeited = [cycle for cycle, verdict in verdicts.items() if verdict == "left_reward_forfeited"]
        outcome = Outcome(verdicts, self._level_verdicts(), self.count(at), forfeited)
        self.receipts.append(outcome)
        return outcome
