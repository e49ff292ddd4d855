"""What happened to one customer in one target, and what follows from it (domain.md 2, 6 and 7).

Facts only are kept (stays, balances, counted activities, grants, when it was frozen); membership, values,
achievements and streak counts are worked out again at each question, with loops. The rules of each operation are in
`reference.py`.
"""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from tests.properties.calendars import AgnosticCalendar, Calendar, CyclicCalendar
from tests.properties.programme import AGNOSTIC, CYCLIC, NOT_YET, Activity, Balance, Cycle, Inactivity, Programme, Stay


class History:
    """Facts about one customer and one target, in the order in which they were processed."""

    def __init__(self, programme: Programme) -> None:
        self.programme = programme
        self.changed_at: datetime | None = None
        self._stays: list[Stay] = []
        self._facts: list[Balance | Activity] = []
        self._grants: set[tuple] = set()
        self._inactivities: list[Inactivity] = []

    # Views

    @property
    def stays(self) -> list[tuple[int, int, int | None]]:
        """(run, first cycle, end cycle) of each stay, the empty ones too, oldest first (domain.md 2)."""
        return [(stay.run, stay.first_cycle, stay.end_cycle) for stay in self._stays]

    @property
    def instants(self) -> list[datetime]:
        """When he came and left, for tests that aim at these boundaries."""
        found = {instant for stay in self._stays for instant in (stay.enrolled_at, self._left_at(stay))}
        return sorted(found - {NOT_YET})

    def values(self) -> dict[tuple[int, int], Decimal]:
        """(run, cycle) -> value, for the cycles that have a balance or a counted activity."""
        return {(fact.run, fact.cycle): self._value(fact.run, fact.cycle) for fact in self._facts}

    def achieved(self) -> frozenset[tuple[int, int]]:
        """(run, cycle) of what stands achieved (domain.md 6)."""
        return frozenset(pair for pair in self.values() if self._is_achieved(*pair))

    def grants(self) -> frozenset[tuple]:
        """("cycle", number) for milestones, ("level", run, level) for streaks (domain.md 6)."""
        return frozenset(self._grants)

    def count(self, at: datetime) -> int:
        """The count shown: the chain of the current run that no later cycle broke, else 0 (domain.md 6)."""
        if not self.programme.is_streak or not self._stays:
            return 0
        return len(self._chains(self._stays[-1].run, at)[-1])

    # His calendar (domain.md 10)

    @property
    def calendar(self) -> Calendar:
        """When the cycles are, for him and as of now: the same for everybody, or his own."""
        if self.programme.window == CYCLIC:
            return CyclicCalendar(self.programme, self._anchor())
        if self.programme.window == AGNOSTIC:
            return AgnosticCalendar(self.programme, self._beginnings())
        return Calendar(self.programme.cycles)

    def _anchor(self) -> datetime | None:
        """When the first counted activity occurred: none counts before there is an anchor, so it is the anchor."""
        return next((fact.occurred_at for fact in self._facts if isinstance(fact, Activity)), None)

    def _beginnings(self) -> list[datetime]:
        """The instant of the first enrolment, and of each achievement: with each of them a cycle begins."""
        achieved = [self._achieved_at(self._stays[0].run, each) for each in self.programme.cycles if self._stays]
        return [stay.enrolled_at for stay in self._stays[:1]] + [each for each in achieved if each is not None]

    def _achieved_at(self, run: int, cycle: Cycle) -> datetime | None:
        """When the value first reached the target value."""
        history = self._value_history(run, cycle.number)
        return next((instant for instant, value in history if value >= cycle.target_value), None)

    def _calendar_with(self, occurred_at: datetime) -> Calendar:
        """His calendar; a cyclic one not begun as this activity would begin it (domain.md 10).

        What is older than the enrolment begins nothing, so that it lies in no cycle.
        """
        if self.programme.window != CYCLIC or self._anchor() is not None:
            return self.calendar
        stay = self._covering_stay(1)
        if stay is not None and occurred_at < stay.enrolled_at:
            return self.calendar
        return CyclicCalendar(self.programme, occurred_at)

    # Membership (domain.md 2)

    def _left_at(self, stay: Stay) -> datetime:
        """Since when he is out; a scheduled leave takes effect when its cycle ends, be it known yet or not."""
        if stay.leaves_after is not None:
            return self.calendar.cycles[stay.leaves_after - 1].ends_at
        return NOT_YET if stay.left_at is None else stay.left_at

    def _is_current(self, stay: Stay, at: datetime) -> bool:
        """Enrolled at `at`; a scheduled leave counts as enrolled until it takes effect (domain.md 5)."""
        return stay.enrolled_at <= at < self._left_at(stay)

    def _covering_stay(self, cycle: int) -> Stay | None:
        """The stay that covers `cycle`; there is at most one, as non-empty stays never overlap."""
        for stay in self._stays:
            if stay.covers(cycle):
                return stay
        return None

    def _was_member(self, run: int, cycle: int) -> bool:
        """A stay of `run` covers `cycle`."""
        return any(stay.run == run and stay.covers(cycle) for stay in self._stays)

    # What an activity adds (domain.md 6)

    def _is_return(self, *numbers: Decimal | None) -> bool:
        """A negative amount or quantity."""
        return any(number is not None and number < 0 for number in numbers)

    def _local_day(self, instant: datetime) -> date:
        return instant.astimezone(ZoneInfo(self.programme.time_zone)).date()

    def _change(
        self,
        run: int,
        cycle: int,
        day: date | None,
        amount: Decimal | None,
        quantity: Decimal | None,
        attribute: object,
    ) -> Decimal | None:
        """By the KPI; what is missing adds 0, but an attribute that is no number is told so.

        `day`: the local day, None for a return, which takes 1 from COUNT and is no visit.
        """
        match self.programme.kpi:
            case "COUNT":
                return Decimal(-1) if day is None else Decimal(1)
            case "VISIT":
                return Decimal(0) if day is None or self._was_visited(run, cycle, day) else Decimal(1)
            case "QUANTITY":
                return quantity or Decimal(0)
            case "EVENT_ATTRIBUTE":
                return attribute if isinstance(attribute, Decimal) else None
        return amount or Decimal(0)

    def _was_visited(self, run: int, cycle: int, day: date) -> bool:
        """Something that is no return has counted on this day; a balance set since makes no difference.

        Agnostic: in whichever cycle.
        """
        return any(
            isinstance(fact, Activity)
            and (fact.run, fact.day) == (run, day)
            and (fact.cycle == cycle or self._is_agnostic)
            for fact in self._facts
        )

    @property
    def _is_agnostic(self) -> bool:
        return self.programme.window == AGNOSTIC

    # Progress and achievement (domain.md 6, 9.7)

    def value_in(self, cycle: int) -> Decimal:
        """The highest he has in the cycle, in whichever run."""
        return max(self._value(run, cycle) for run in {1, *(stay.run for stay in self._stays)})

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
        history = self._value_history(run, cycle)
        return any(value >= target_value for instant, value in history if not self._is_too_early(cycle, instant))

    def _is_too_early(self, cycle: int, instant: datetime) -> bool:
        """A balance set before its cycle began achieves nothing, though the value to reach was lowered since."""
        is_fixed = self.programme.window not in (CYCLIC, AGNOSTIC)
        return is_fixed and instant < self.programme.cycles[cycle - 1].starts_at

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
        if self.programme.kind == "NON_CONTINUOUS_STREAKS" or self._ended_while_inactive(cycle):
            return False
        return self._was_member(run, cycle.number) and cycle.ends_at <= at

    def _ended_while_inactive(self, cycle: Cycle) -> bool:
        """Frozen as it ended, he could do nothing about it any more: it does not break a chain (domain.md 6)."""
        return any(each.covers_the_end_of(cycle) for each in self._inactivities)

    def _length_of_chain_with(self, run: int, cycle: int, at: datetime) -> int:
        """The length of the unbroken chain that contains the achieved `cycle`."""
        for chain in self._chains(run, at):
            if cycle in chain:
                return len(chain)
        raise AssertionError(f"cycle {cycle} is not achieved in run {run}")
