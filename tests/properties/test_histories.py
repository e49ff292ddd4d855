"""Random histories through the real operations on PostgreSQL, with the reference of `reference.py` beside them."""

import os
import secrets
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from enrollments.integrity import all_violations
from enrollments.models import ArchivedOutcome
from enrollments.operations import ActivityData
from targets.models import Target
from tests.properties.edited_world import EditedWorld
from tests.properties.editing import Edit
from tests.properties.programme import NOT_YET, Cycle
from tests.properties.strategies import (
    ATTRIBUTE,
    COUNTING,
    DAY,
    EVENT_NAMES,
    INSTANT,
    MOSTLY_PERSONAL,
    NEAR,
    Setting,
    settings,
)
from tests.properties.world import Pair

THIS_SOAK = "tests/properties/test_histories.py::test_many_more_random_histories_go_as_the_reference_says[0]"
STEPS = 30
HISTORIES_OF_A_SEED = 10

WHO = st.sampled_from((0, 0, 0, 0, 0, 0, 1, 2, 3, 10, 11))
ANYBODY = 10  # from here on the choice is not steered to whom the step will move
AMOUNTS = st.sampled_from((Decimal(1), Decimal("3.563"), Decimal(9), Decimal(-2), None))
PERIODS = st.sampled_from((None, None, None, 1, 2, 3, 5, 9))
# Mostly now. Earlier: the door looked at the clock long before it got its lock.
EARLY = st.sampled_from((timedelta(0),) * 6 + (timedelta(microseconds=1), timedelta(days=2)))
PASSED = st.sampled_from(((), ("reached",), ("missed",), ("frozen",), ("reached", "missed"), ("reached", "frozen")))
BY_STAFF = st.sampled_from((False, False, False, True))
BALANCES = st.sampled_from((None, None, Decimal(0), Decimal("0.25"), Decimal(2), Decimal(8), Decimal(-1)))


class Histories(RuleBasedStateMachine):
    """Who does what, when. Every step is compared by `World`, every history by the invariants."""

    world: EditedWorld

    @initialize(setting=settings(), everybody=st.sampled_from((False, False, True)))
    def found_a_brand(self, setting: Setting, everybody: bool) -> None:
        self.world = EditedWorld(setting)
        for each in self.world.pairs if everybody else self.world.pairs[: len(setting.definitions)]:
            self.world.enroll(each, period=None, balance=None, reset=False, at=self.world.now)

    @precondition(lambda self: self.world.is_over)
    @rule(setting=settings(), everybody=st.booleans())
    def start_over(self, setting: Setting, everybody: bool) -> None:
        """Every programme is over: the rest of the history is played in another brand."""
        self.judge()
        self.found_a_brand(setting, everybody)

    @invariant()
    def reads_as_the_reference_says(self) -> None:
        self.world.check_reading()

    def judge(self) -> None:
        self.world.check_all()
        self.world.check_receipts()
        self.world.check_invariants()

    def pair(self, who: int, *, is_enrolled: bool) -> Pair:
        """Mostly one who is in the target, or mostly one who is not: so that histories go deep."""
        known = [each for each in self.world.pairs if not each.reference.is_erased]
        fitting = [each for each in known if each.reference.is_enrolled(self.world.now) == is_enrolled]
        choice = self.world.pairs if who >= ANYBODY else fitting or self.world.pairs
        return choice[who % len(choice)]

    # The clock

    @rule(ahead=st.sampled_from((0, 0, 0, 1, 2, None)), near=NEAR)
    def let_time_pass(self, ahead: int | None, near: timedelta) -> None:
        """To beside one of the next boundaries of a cycle, or a few hours on."""
        later = [each for each in self.world.boundaries if each > self.world.now]
        if ahead is None or not later:
            self.world.now += timedelta(hours=3)
        else:
            self.world.now = max(self.world.now, later[min(ahead, len(later) - 1)] + near)

    # Enrolment

    @rule(who=WHO, period=PERIODS, balance=BALANCES, reset=st.booleans(), early=EARLY)
    def enroll(self, who: int, period: int | None, balance: Decimal | None, reset: bool, early: timedelta) -> None:
        pair = self.pair(who, is_enrolled=False)
        self.world.enroll(pair, period=period, balance=balance, reset=reset, at=self.world.now - early)

    @rule(who=WHO, scheduled=st.booleans(), early=EARLY, by_staff=BY_STAFF)
    def unenroll(self, who: int, scheduled: bool, early: timedelta, by_staff: bool) -> None:
        pair, at = self.pair(who, is_enrolled=True), self.world.now - early
        self.world.preview(pair, scheduled=scheduled, at=at, by_staff=by_staff)
        self.world.unenroll(pair, scheduled=scheduled, at=at, by_staff=by_staff)

    @rule(who=WHO, hours=st.sampled_from((0, 1, 30)), balance=BALANCES, reset=st.booleans(), amount=AMOUNTS)
    def leave_and_return(
        self, who: int, hours: int, balance: Decimal | None, reset: bool, amount: Decimal | None
    ) -> None:
        """Out, and in again; what he did meanwhile is delivered last."""
        pair = self.pair(who, is_enrolled=True)
        left_at = self.world.now
        self.world.unenroll(pair, scheduled=False, at=left_at)
        self.world.now += timedelta(hours=hours)
        self.world.enroll(pair, period=None, balance=balance, reset=reset, at=self.world.now)
        self.deliver(pair, EVENT_NAMES[0], amount, left_at - self.world.now)

    @precondition(lambda self: any(each.reference.leaves_after(self.world.now) for each in self.world.pairs))
    @rule(who=WHO, by_staff=BY_STAFF)
    def cancel_leave(self, who: int, by_staff: bool) -> None:
        scheduled = [each for each in self.world.pairs if each.reference.leaves_after(self.world.now)]
        choice = self.world.pairs if who >= ANYBODY else scheduled
        self.world.cancel_leave(choice[who % len(choice)], at=self.world.now, by_staff=by_staff)

    @precondition(lambda self: any(each.reference.changes for each in self.world.pairs))
    @rule(who=WHO, back=st.sampled_from((1, 1, 1, 2, 3)), early=EARLY)
    def undo(self, who: int, back: int, early: timedelta) -> None:
        """The last change of somebody, mostly a leave; or an earlier one."""
        known = [each for each in self.world.pairs if each.reference.changes]
        left = [each for each in known if each.reference.changes[-1].before is not None]
        choice = known if who >= ANYBODY else left or known
        pair = choice[who % len(choice)]
        self.world.undo(pair, -min(back, len(pair.reference.changes)), at=self.world.now - early)

    @rule(
        who=WHO,
        scheduled=st.sampled_from((False, False, True)),
        at_the_end=st.booleans(),
        meanwhile=st.lists(st.tuples(AMOUNTS, st.sampled_from((0, 1, 4, 20)), NEAR), max_size=4),
        then=st.sampled_from(("undo", "undo", "undo twice", "leave again")),
    )
    def leave_and_undo(
        self,
        who: int,
        scheduled: bool,
        at_the_end: bool,
        meanwhile: list[tuple[Decimal | None, int, timedelta]],
        then: str,
    ) -> None:
        """By mistake, often shortly before his cycle ends; what he does until that is seen goes on being delivered."""
        pair = self.pair(who, is_enrolled=True)
        cycle = pair.reference.calendar.running_or_next(self.world.now)
        if at_the_end and cycle is not None and cycle.ends_at != NOT_YET:
            self.let_come(cycle.ends_at - timedelta(hours=2))
        if scheduled:
            self.world.unenroll(pair, scheduled=True, at=self.world.now)
        self.world.unenroll(pair, scheduled=False, at=self.world.now)
        for amount, hours, off in meanwhile:
            self.deliver(pair, EVENT_NAMES[0], amount, off)
            self.world.now += timedelta(hours=hours)
        if not pair.reference.changes:
            return
        self.world.undo(pair, -1, at=self.world.now)
        if then == "undo twice":
            self.world.undo(pair, -min(2, len(pair.reference.changes)), at=self.world.now)
        if then == "leave again":
            self.world.unenroll(pair, scheduled=False, at=self.world.now)
            self.world.undo(pair, -1, at=self.world.now)

    # Activity

    @rule(who=WHO, name=st.sampled_from(EVENT_NAMES), amount=AMOUNTS)
    def act(self, who: int, name: str, amount: Decimal | None) -> None:
        self.deliver(self.pair(who, is_enrolled=True), name, amount, timedelta(0))

    @rule(
        who=WHO,
        passed=PASSED,
        then=st.sampled_from(("leave", "leave and close", "bring back", "close")),
    )
    def go_through_cycles(self, who: int, passed: tuple[str, ...], then: str) -> None:
        """Cycle by cycle, reaching the value or not, or frozen to its end; the last is reached, and left, undone,
        closed, or left and closed: what it would have paid is forfeited."""
        pair = self.pair(who, is_enrolled=True)
        for how in passed:
            cycle = self.start_cycle(pair)
            if cycle is None:
                break
            if how == "reached":
                self.reach(pair, cycle)
            if how == "frozen":
                self.world.set_group_active(pair.target, False, at=self.world.now)
            self.let_come(pair.reference.calendar.cycles[cycle.number - 1].ends_at)
            if how == "frozen":
                self.world.set_group_active(pair.target, True, at=self.world.now)
        cycle = self.start_cycle(pair)
        if cycle is None:
            return
        self.reach(pair, cycle)
        if then == "bring back":
            self.deliver(pair, EVENT_NAMES[0], -cycle.target_value, timedelta(0))
        if "leave" in then:
            self.world.unenroll(pair, scheduled=False, at=self.world.now)
        if "close" in then:
            self.let_come(pair.reference.calendar.cycles[cycle.number - 1].closes_at)
            self.world.close(at_most=None)

    def start_cycle(self, pair: Pair) -> Cycle | None:
        """The running cycle; in a gap the next, when it has begun."""
        cycle = pair.reference.calendar.running_or_next(self.world.now)
        if cycle is not None:
            self.let_come(cycle.starts_at)
        return cycle

    def let_come(self, instant: datetime) -> None:
        """Time passes until then, unless the instant is not known yet."""
        if instant != NOT_YET:
            self.world.now = max(self.world.now, instant)

    def reach(self, pair: Pair, cycle: Cycle) -> None:
        """As many activities as the cycle asks for; visits on as many days, while it runs."""
        kpi = pair.definition.programme.kpi
        for _ in range(int(cycle.target_value) if kpi in COUNTING else 1):
            self.deliver(pair, EVENT_NAMES[0], cycle.target_value, timedelta(0))
            if kpi == "VISIT":
                ends_at = pair.reference.calendar.cycles[cycle.number - 1].ends_at
                self.let_come(min(self.world.now + DAY, ends_at - INSTANT))

    @rule(
        who=WHO,
        amount=AMOUNTS,
        off=st.sampled_from(
            (timedelta(minutes=5), timedelta(minutes=5, microseconds=1), timedelta(hours=20), -timedelta(hours=20))
        ),
    )
    def act_at_another_time(self, who: int, amount: Decimal | None, off: timedelta) -> None:
        self.deliver(self.pair(who, is_enrolled=True), EVENT_NAMES[0], amount, off)

    @rule(who=WHO, amount=AMOUNTS, which=st.integers(-4, 2), near=NEAR)
    def act_at_a_boundary(self, who: int, amount: Decimal | None, which: int, near: timedelta) -> None:
        """Beside a boundary of a cycle, the -1st before now, the 0th after it; or of his own coming and going."""
        pair = self.pair(who, is_enrolled=True)
        boundaries = sorted([*self.world.boundaries, *pair.reference.instants]) or [self.world.now]
        passed = sum(1 for each in boundaries if each <= self.world.now)
        boundary = boundaries[min(max(passed + which, 0), len(boundaries) - 1)]
        self.deliver(pair, EVENT_NAMES[1], amount, boundary + near - self.world.now)

    def deliver(self, pair: Pair, name: str, amount: Decimal | None, off: timedelta) -> None:
        world = self.world
        activity = ActivityData(
            event_id=f"e{len(world.delivered)}",
            event_name=pair.definition.event_name or name,
            customer_id=pair.customer.customer_id,
            occurred_at=world.now + off,
            amount=amount,
            quantity=Decimal(-1) if amount is None and off else amount,
            attributes={ATTRIBUTE: "many" if amount is None else amount} if amount or off else {},
        )
        world.deliver(activity, at=world.now)

    @precondition(lambda self: self.world.delivered)
    @rule(
        index=st.integers(0, 20),
        content=st.sampled_from(({}, {}, {"amount": Decimal(4)}, {"customer_id": 1}, {"event_name": "visit"})),
    )
    def act_again(self, index: int, content: dict) -> None:
        self.world.deliver_again(index, content, at=self.world.now)

    # The office

    @rule(
        who=WHO,
        what=st.sampled_from(("group", "group", "group", "target", "target", "erase")),
        early=EARLY,
        near=NEAR,
        by_staff=st.booleans(),
    )
    def act_in_the_office(self, who: int, what: str, early: timedelta, near: timedelta, by_staff: bool) -> None:
        """Freeze a while, mostly over the end of a cycle; or erase. What may not be done then is tried at once."""
        pair = self.pair(who, is_enrolled=True)
        if what == "erase":
            self.world.erase(pair.customer, at=self.world.now - early)
        else:
            self.set_active(pair.target, what == "group", False, early)
        self.let_time_pass(0, near)
        self.deliver(pair, EVENT_NAMES[0], Decimal(9), timedelta(0))
        self.world.unenroll(pair, scheduled=False, at=self.world.now, by_staff=by_staff)
        self.world.enroll(pair, period=None, balance=Decimal(0), reset=False, at=self.world.now)
        if who < ANYBODY and what != "erase":
            self.set_active(pair.target, what == "group", True, timedelta(0))

    @precondition(lambda self: any(each.reference.is_frozen for each in self.world.pairs))
    @rule(early=EARLY)
    def let_run_again(self, early: timedelta) -> None:
        for target in self.world.targets:
            self.set_active(target, True, True, early)
            self.set_active(target, False, True, early)

    def set_active(self, target: Target, group: bool, is_active: bool, early: timedelta) -> None:
        if group:
            self.world.set_group_active(target, is_active, at=self.world.now - early)
        else:
            self.world.set_target_active(target, is_active)

    @rule(
        who=WHO,
        what=st.sampled_from(("value", "end", "append")),
        cycle=st.sampled_from((0, 0, 1, 1, 1, 2, -1)),
        value=st.sampled_from((Decimal(1), Decimal(2), Decimal("7.125"))),
        days=st.sampled_from((1, -1, 2, 0)),
        early=EARLY,
    )
    def edit(self, who: int, what: str, cycle: int, value: Decimal, days: int, early: timedelta) -> None:
        """The programme changes while people are in it, mostly the cycle running or one of the next."""
        target = self.pair(who, is_enrolled=True).target
        self.world.edit(target, Edit(what, cycle, value, days), at=self.world.now - early)

    # Closing

    @precondition(lambda self: any(each.reference.due(self.world.now) for each in self.world.pairs))
    @rule(at_most=st.sampled_from((None, None, 1)))
    def close(self, at_most: int | None) -> None:
        self.world.close(at_most=at_most)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.judge()


class PersonalHistories(Histories):
    """The same where most programmes have personal calendars (domain.md 10)."""

    @initialize(setting=settings(windows=MOSTLY_PERSONAL), everybody=st.sampled_from((False, False, True)))
    def found_a_brand(self, setting: Setting, everybody: bool) -> None:
        super().found_a_brand(setting, everybody)

    @precondition(lambda self: self.world.is_over)
    @rule(setting=settings(windows=MOSTLY_PERSONAL), everybody=st.booleans())
    def start_over(self, setting: Setting, everybody: bool) -> None:
        super().start_over(setting, everybody)


def play(
    seed_number: int,
    histories: type[Histories] = Histories,
    *,
    phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink),
) -> None:
    """Play ten random histories; the same number plays the same ones.

    Not more: beyond ten, Hypothesis mostly plays variations of those it has played.
    """
    machine = type(histories.__name__, (histories,), {})  # a seed is set on a class, and this one is not to keep it
    run_state_machine_as_test(
        seed(seed_number)(machine),
        settings=run_settings(
            max_examples=HISTORIES_OF_A_SEED,
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            print_blob=False,
            report_multiple_bugs=False,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(900)  # a failure is worth the minutes that Hypothesis takes to make it small
@pytest.mark.parametrize("part", range(7))
def test_random_histories_go_as_the_reference_says(database, part):
    """140 histories, and 60 below."""
    seeds = range(part * 2, part * 2 + 2)

    for each in seeds:
        play(each)

    assert list(all_violations()) == []
    assert ArchivedOutcome.objects.exists()  # they went on after archiving


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(3))
def test_random_histories_in_personal_calendars_go_as_the_reference_says(database, part):
    seeds = range(part * 2, part * 2 + 2)

    for each in seeds:
        play(each, PersonalHistories)

    assert list(all_violations()) == []
    assert ArchivedOutcome.objects.exists()  # likewise


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(20))
def test_many_more_random_histories_go_as_the_reference_says(database, part):
    """5,000 histories, others each time. MILESTREAK_SEED=n, which a failure names, begins with those of that seed."""
    first = int(os.environ.get("MILESTREAK_SEED", secrets.randbelow(10**9)))

    for each in range(first, first + 25):
        try:
            play(each, (Histories, PersonalHistories)[each % 2])
        except BaseException as error:
            error.add_note(f"To repeat it: MILESTREAK_SEED={each} pytest --soak '{THIS_SOAK}'")
            raise

    assert list(all_violations()) == []
