"""A small, slow, obviously right model of `docs/domain.md`, for one customer and one target.

It remembers facts only (stays, balances, counted activities, grants, barred cycles, what is frozen) and
works everything else out again at each question, with loops. One short function per rule; "domain.md 5"
in a docstring is the section the rule comes from, in our own words. What concerns the programme as a whole,
or the customer as a whole, is in `office.py`.

It imports nothing of the product and reads no clock.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from tests.properties.office import Office
from tests.properties.programme import (
    AGNOSTIC,
    FIXED,
    Activity,
    Balance,
    Change,
    Counted,
    Cycle,
    CycleView,
    Missed,
    NotCounted,
    Outcome,
    Programme,
    Refusal,
    StaleInstant,
    Stay,
)

ALREADY_ENROLLED = 310119
NOT_ENROLLED = 310126
CYCLE_NOT_FOUND = 310019
BALANCE_NOT_ALLOWED = 300004
CUSTOMER_ERASED = 300012
NOT_A_LEAVE = 300013
ALREADY_TAKEN_BACK = 300014
CHANGED_SINCE = 300015
TOO_LATE = 300016

UNDO_WINDOW = timedelta(hours=24)

AHEAD_OF_NOW_ALLOWED = timedelta(minutes=5)
HIGHEST_BALANCE = Decimal(10**15 - 1)


class Reference(Office):
    """One customer and one target. Every `at` is told; the model reads no clock."""

    def __init__(self, programme: Programme) -> None:
        super().__init__(programme)
        self.receipts: list[Outcome] = []
        self.changes: list[Change] = []  # what each receipt is about

    # Changes

    def enroll(
        self, *, at: datetime, cycle: int | None = None, balance: Decimal | None = None, reset: bool = False
    ) -> Outcome:
        """Join `cycle`, else the running or next one, and all later ones (domain.md 4).

        `balance` is for milestones, `reset` for streaks; each is ignored for the other, with a warning.
        Raises `Refusal` 300004 (out of range), 310017, 310018, 310011, 310119, 310019, 300004 (achieves in advance),
        in this order.
        """
        ignored = self._ignored(balance, reset)
        balance = self._balance_that_matters(balance)
        self._refuse_frozen_or_erased()
        self._refuse_stale(at)
        self._refuse_closed(at)
        if self.is_enrolled(at):
            raise Refusal(ALREADY_ENROLLED)
        running, joined = self._running_or_next(at), self._cycle_to_join(at, cycle)
        self._refuse_achievement_in_advance(at, joined, balance)

        kind = "REENROLLED" if self._stays else "ENROLLED"
        run = self._run_to_join(reset)
        self._stays.append(Stay(run=run, enrolled_at=at, first_cycle=joined.number))
        if balance is not None:
            self._add_fact(Balance(run, joined.number, at, balance))

        verdicts = {each.number: self._verdict_joining(each.number) for each in self.programme.cycles}
        return self._write_receipt(kind, at, running, verdicts, ignored)

    def unenroll(self, *, at: datetime, scheduled: bool = False, even_if_inactive: bool = False) -> Outcome:
        """Leave from the running or next cycle on; `scheduled`: from the one after it on (domain.md 5).

        A scheduled leave asked for again answers with the receipt it has; asked for immediately it
        becomes an immediate one. Raises `Refusal` 310017, 310018, 310011, 310126, 310019, checked in this order.
        """
        self._refuse_frozen_or_erased(even_if_inactive)
        self._refuse_stale(at)
        self._refuse_closed(at)
        if not self.is_enrolled(at):
            raise Refusal(NOT_ENROLLED, left_at=self._left_at(self._stays[-1]) if self._stays else None)
        stay = self._stays[-1]
        if scheduled and stay.leave_is_scheduled:
            in_force = self._leave_in_force()
            return next(each for each, of in zip(self.receipts, self.changes, strict=True) if of is in_force)
        left = self._running_or_next(at)

        first_left = left.number + 1 if scheduled else left.number
        self._stays[-1] = replace(
            stay,
            end_cycle=max(first_left, stay.first_cycle),
            left_at=None if scheduled else at,
            leaves_after=left.number if scheduled else None,
        )

        verdicts = {each.number: self._verdict_leaving(each) for each in self.programme.cycles}
        return self._write_receipt("LEAVE_SCHEDULED" if scheduled else "UNENROLLED", at, left, verdicts, before=stay)

    def cancel_leave(self, *, at: datetime, even_if_inactive: bool = False) -> Outcome:
        """Stay after all: a scheduled leave that has not taken effect is taken back (domain.md 5).

        Raises `Refusal` 310017, 310018, 310011, and 310126 when there is none.
        """
        self._refuse_frozen_or_erased(even_if_inactive)
        self._refuse_stale(at)
        self._refuse_closed(at)
        if not self.is_enrolled(at) or not self._stays[-1].leave_is_scheduled:
            raise Refusal(NOT_ENROLLED)
        running = self._running_or_next(at)

        self._stays[-1] = replace(self._stays[-1], end_cycle=None, leaves_after=None)
        self._leave_in_force().is_taken_back = True

        verdicts = {each.number: self._verdict_staying(each.number, running) for each in self.programme.cycles}
        return self._write_receipt("LEAVE_CANCELLED", at, running, verdicts)

    def undo(self, number: int, *, at: datetime) -> tuple[Outcome, dict[str, Counted]]:
        """Take back the leave of the `number`th receipt, as if he had not left (domain.md 5).

        A scheduled one is cancelled; an immediate one is undone within 24 hours while nothing that was left has closed.
        Answers the receipt, and by event what counts now that did not because he had left. Raises `Refusal` 300013,
        310017, 310018, 300012, 300014, 300015, 300016, in this order.
        """
        change = self.changes[number]
        if change.kind not in ("UNENROLLED", "LEAVE_SCHEDULED"):
            raise Refusal(NOT_A_LEAVE)
        self._refuse_frozen_or_erased(of_erased=CUSTOMER_ERASED)
        self._refuse_stale(at)
        self._refuse_closed(at)
        if change.is_taken_back:
            raise Refusal(ALREADY_TAKEN_BACK)
        if change.kind == "LEAVE_SCHEDULED":
            return self._undo_scheduled(change, at), {}
        if change is not self.changes[-1]:
            raise Refusal(CHANGED_SINCE)
        if at >= change.at + UNDO_WINDOW or self._has_closed_from(self._stays[-1].end_cycle, at):
            raise Refusal(TOO_LATE)
        if any(each.arrived_at > at for each in change.missed):
            raise StaleInstant  # what came later is not counted at an earlier instant

        change.is_taken_back = True
        self._stays[-1] = change.before
        counted = {}
        for missed in change.missed:
            answer = self._count_if_nothing_else_was_in_the_way(missed, at)
            if answer is not None:
                counted[missed.event_id] = answer

        running = self.calendar.running_or_next(at)
        verdicts = {each.number: self._verdict_staying(each.number, running) for each in self.programme.cycles}
        return self._write_receipt("UNENROLMENT_UNDONE", at, running, verdicts), counted

    def record(
        self,
        *,
        at: datetime,
        occurred_at: datetime,
        amount: Decimal | None,
        quantity: Decimal | None = None,
        attribute: object = None,
        event_id: str = "",
    ) -> Counted | NotCounted:
        """Process one activity; it counts in the cycle it belongs to or not at all (domain.md 6 and 10).

        `attribute` is what it has under the name that the target adds up.
        """
        self._refuse_stale(at)
        cycle = self._calendar_with(occurred_at).of_activity(at, occurred_at)
        reason = self._reason_not_to_count(at, occurred_at, cycle)
        if reason == "not_enrolled" and self.changes[-1].kind == "UNENROLLED":
            self.changes[-1].missed.append(Missed(event_id, at, occurred_at, amount, quantity, attribute, cycle.number))
        if reason is not None:
            return NotCounted(reason)
        return self._count(at, cycle.number, occurred_at, amount, quantity, attribute)

    def _count(
        self,
        at: datetime,
        cycle: int,
        occurred_at: datetime,
        amount: Decimal | None,
        quantity: Decimal | None,
        attribute: object,
    ) -> Counted | NotCounted:
        run = self._covering_stay(cycle).run
        day = None if self._is_return(amount, quantity) else self._local_day(occurred_at)
        change = self._change(run, cycle, day, amount, quantity, attribute)
        if change is None:
            return NotCounted("no_number")
        granted = self._add_fact(Activity(run, cycle, at, occurred_at, change, day))
        self.changed_at = at
        return Counted(run, cycle, self._value(run, cycle), self._is_achieved(run, cycle), granted)

    def due(self, at: datetime) -> list[Cycle]:
        """The cycles whose closing instant has come and that were not closed (domain.md 3).

        A cycle that ends when it is achieved needs no closing (domain.md 10).
        """
        if self.programme.window == AGNOSTIC:
            return []
        return [each for each in self.calendar.cycles if each.closes_at <= at and each.number not in self._barred]

    def close(self, number: int) -> bool:
        """Bar a due cycle, then pay its period-end reward (domain.md 3). Answers whether one was given."""
        self._barred.add(number)
        granted_before = self.grants()
        self._pay_at_close(self.programme.cycles[number - 1])
        return self.grants() != granted_before

    # Views

    def is_enrolled(self, at: datetime) -> bool:
        """Some stay has begun and its leave, if any, has not taken effect (domain.md 5)."""
        return any(self._is_current(stay, at) for stay in self._stays)

    def leaves_after(self, at: datetime) -> int | None:
        """The cycle at whose end a scheduled leave will take effect (domain.md 5)."""
        return self._stays[-1].leaves_after if self.is_enrolled(at) else None

    @property
    def run(self) -> int | None:
        """The current run (domain.md 1)."""
        return self._stays[-1].run if self._stays else None

    def cycles(self, at: datetime) -> dict[int, CycleView]:
        """What each cycle is to him now: a receipt's words, as of `at` (api.md 7)."""
        return {each.number: self._view(each, at) for each in self.calendar.cycles}

    def levels(self) -> dict[int, str]:
        """A level granted in the current run is kept, the rest is not reached (domain.md 5)."""
        if not self.programme.is_streak:
            return {}
        run = self._stays[-1].run
        return {
            level: "kept" if ("level", run, level) in self._grants else "not_reached" for level in self.programme.levels
        }

    # Instants (domain.md 3)

    def _refuse_stale(self, at: datetime) -> None:
        """No operation runs at an instant before the last change: of enrolment, or a counted activity."""
        if self.changed_at is not None and at < self.changed_at:
            raise StaleInstant

    def _refuse_closed(self, at: datetime) -> None:
        """Nor in a cycle that was closed meanwhile: `at` lies in a past that was paid, nobody leaves or joins there."""
        cycle = self.calendar.running_or_next(at)
        if cycle is not None and cycle.number in self._barred:
            raise StaleInstant

    # Enrolling (domain.md 4)

    def _cycle_to_join(self, at: datetime, number: int | None) -> Cycle:
        """The named cycle, else the running one, else the next; unknown, ended, not his or none is refused."""
        running = self._running_or_next(at)
        if number is None:
            return running
        for cycle in self.calendar.cycles:
            if cycle.number == number and self.calendar.may_name(cycle, at):
                return cycle
        raise Refusal(CYCLE_NOT_FOUND)

    def _running_or_next(self, at: datetime) -> Cycle:
        """The first cycle that ends after `at`; when there is none the programme is over."""
        cycle = self.calendar.running_or_next(at)
        if cycle is None:
            raise Refusal(CYCLE_NOT_FOUND)
        return cycle

    def _ignored(self, balance: Decimal | None, reset: bool) -> list[str]:
        """A balance means nothing to a streak, a reset nothing to a milestone."""
        if self.programme.is_streak:
            return [] if balance is None else ["initialBalance"]
        return ["resetStreakStatus"] if reset else []

    def _balance_that_matters(self, balance: Decimal | None) -> Decimal | None:
        """A balance is 0 to 10^15-1 and ignored on a streak."""
        if balance is None or self.programme.is_streak:
            return None
        if not 0 <= balance <= HIGHEST_BALANCE:
            raise Refusal(BALANCE_NOT_ALLOWED)
        return balance

    def _refuse_achievement_in_advance(self, at: datetime, joined: Cycle, balance: Decimal | None) -> None:
        """A balance that reaches the target value of a cycle not begun is refused."""
        if balance is not None and balance >= joined.target_value and not self.calendar.has_begun(joined, at):
            raise Refusal(BALANCE_NOT_ALLOWED)

    def _run_to_join(self, reset: bool) -> int:
        """Re-enrolling in a streak with a reset opens the next run; everything else continues."""
        if not self._stays:
            return 1
        if self.programme.is_streak and reset:
            return self._stays[-1].run + 1
        return self._stays[-1].run

    # Undoing (domain.md 5)

    def _leave_in_force(self) -> Change:
        """The last leave that was not taken back."""
        return [each for each in self.changes if each.before is not None and not each.is_taken_back][-1]

    def _undo_scheduled(self, change: Change, at: datetime) -> Outcome:
        """While it is in force, and has not taken effect, it is cancelled."""
        if self._stays[-1].end_cycle is None or self._leave_in_force() is not change:
            raise Refusal(CHANGED_SINCE)
        if not self.is_enrolled(at):
            raise Refusal(TOO_LATE)
        return self.cancel_leave(at=at)

    def _has_closed_from(self, number: int, at: datetime) -> bool:
        """A cycle from this one on has closed; its instant counts, not when somebody got round to it."""
        later = self.calendar.cycles[number - 1 :]
        return any(each.closes_at <= at or each.number in self._barred for each in later)

    def _count_if_nothing_else_was_in_the_way(self, missed: Missed, at: datetime) -> Counted | None:
        """Looked at as it was when it arrived, had he been a member. (Agnostic: what counted before it may have ended
        a cycle just now.)"""
        cycle = self._calendar_with(missed.occurred_at).of_activity(at, missed.occurred_at)
        if self.programme.window == FIXED:
            cycle = self.programme.cycles[missed.cycle - 1]
        if self._reason_not_to_count(missed.arrived_at, missed.occurred_at, cycle) is not None:
            return None
        answer = self._count(at, cycle.number, missed.occurred_at, missed.amount, missed.quantity, missed.attribute)
        return answer if isinstance(answer, Counted) else None

    # Whether an activity counts (domain.md 6)

    def _reason_not_to_count(self, at: datetime, occurred_at: datetime, cycle: Cycle | None) -> str | None:
        """The first reason that applies, else None. `cycle`: the one it lies in."""
        if self._frozen() is not None:
            return "target_inactive"
        calendar = self._calendar_with(occurred_at)
        if cycle is None:
            return "no_cycle"
        stay = self._covering_stay(cycle.number)
        if stay is None:
            return "not_enrolled"
        if not calendar.has_begun(cycle, at):
            return "cycle_not_begun"
        if at >= cycle.closes_at or cycle.number in self._barred:
            return "cycle_closed"
        if occurred_at > at + AHEAD_OF_NOW_ALLOWED and not self._may_run_ahead(at, cycle.number):
            return "in_future"
        if self._was_away(occurred_at):
            return "while_away"
        if self._was_before_balance(stay.run, cycle.number, occurred_at):
            return "before_enrolment"
        if self._was_before_run(stay.run, occurred_at):
            return "before_enrolment"
        return None

    def _may_run_ahead(self, at: datetime, cycle: int) -> bool:
        """In a sandbox any instant of the running cycle will do; before a calendar begins none is running."""
        return self.programme.is_sandbox and self.calendar.is_running(self.calendar.cycles[cycle - 1], at)

    def _was_away(self, occurred_at: datetime) -> bool:
        """From a leave on, and before the enrolment that followed it."""
        for stay, following in zip(self._stays, self._stays[1:], strict=False):
            if self._left_at(stay) <= occurred_at < following.enrolled_at:
                return True
        return False

    def _was_before_balance(self, run: int, cycle: int, occurred_at: datetime) -> bool:
        """Before the balance of its cycle was set (the last one, if several were); agnostic: of any cycle."""
        set_at = None
        for fact in self._facts:
            if isinstance(fact, Balance) and fact.run == run and (fact.cycle == cycle or self._is_agnostic):
                set_at = fact.recorded_at
        return set_at is not None and occurred_at < set_at

    def _was_before_run(self, run: int, occurred_at: datetime) -> bool:
        """Run 1: before the first enrolment, unless the group counts that. Later runs: before they began."""
        if run == 1 and self.programme.counts_before_enrolment:
            return False
        began_at = next(stay.enrolled_at for stay in self._stays if stay.run == run)
        return occurred_at < began_at

    # Receipts (domain.md 5)

    def _verdict_joining(self, cycle: int) -> str:
        """Enrolling: the cycles joined, those an earlier stay covers, the rest."""
        if self._stays[-1].covers(cycle):
            return "member"
        return self._verdict_of_earlier(cycle)

    def _verdict_staying(self, cycle: int, running: Cycle | None) -> str:
        """Taking a leave back: the cycles from the running one on that are his again, and the earlier."""
        if running is not None and cycle >= running.number and self._stays[-1].covers(cycle):
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

    def _values_known(self, at: datetime, running: Cycle | None) -> dict[int, Decimal | None]:
        """Values of the cycle running (or next) when he came, and of closed cycles some stay covers; of others none."""
        values: dict[int, Decimal | None] = {}
        for cycle in self.calendar.cycles:
            stay = self._covering_stay(cycle.number)
            if running is not None and cycle.number == running.number:
                values[cycle.number] = self._value(self._stays[-1].run, cycle.number)
            elif cycle.closes_at <= at and stay is not None:
                values[cycle.number] = self._value(stay.run, cycle.number)
            else:
                values[cycle.number] = None
        return values

    def _write_receipt(
        self,
        kind: str,
        at: datetime,
        running: Cycle | None,
        verdicts: dict[int, str],
        ignored: list[str] | None = None,
        before: Stay | None = None,
    ) -> Outcome:
        """The account of a change that has just been made, as of its instant; `running`: when it was asked for.

        (A balance may achieve the open cycle of an agnostic calendar, and so end it.)
        """
        self.changed_at = at
        outcome = Outcome(
            kind=kind,
            run=self._stays[-1].run,
            verdicts=verdicts,
            values=self._values_known(at, running),
            levels=self.levels(),
            count=self.count(at),
            paid=frozenset(number for number in verdicts if ("cycle", number) in self._grants),
            forfeited=[number for number, verdict in verdicts.items() if verdict == "left_reward_forfeited"],
            ignored=ignored or [],
        )
        self.receipts.append(outcome)
        self.changes.append(Change(kind, at, before))
        return outcome

    # How a cycle stands now (api.md 7)

    def _view(self, cycle: Cycle, at: datetime) -> CycleView:
        """The words of a receipt as of `at`; the value is of the stay that covers the cycle, or that left it."""
        is_paid = ("cycle", cycle.number) in self._grants
        covering, left = self._covering_stay(cycle.number), self._last_stay_that_left(cycle.number)
        if covering is not None:
            verdict = "kept" if cycle.ends_at <= at else "member"
            return CycleView(verdict, self._value(covering.run, cycle.number), is_paid)
        if left is None:
            return CycleView("not_member", Decimal(0), is_paid)
        if is_paid:
            verdict = "left_reward_kept"
        elif self._is_forfeited(left.run, cycle):
            verdict = "left_reward_forfeited"
        else:
            verdict = "left"
        return CycleView(verdict, self._value(left.run, cycle.number), is_paid)

    def _last_stay_that_left(self, cycle: int) -> Stay | None:
        """The latest stay whose leave came at or before the cycle."""
        left = [stay for stay in self._stays if stay.end_cycle is not None and stay.end_cycle <= cycle]
        return left[-1] if left else None
