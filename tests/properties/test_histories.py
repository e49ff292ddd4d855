"""Random histories through the real operations on PostgreSQL, with the reference of `reference.py` beside them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from enrollments.operations import ActivityData
from tests.properties.strategies import EVENT_NAMES, NEAR, Setting, settings
from tests.properties.world import Pair, World, commit_without_waiting

STEPS = 30
HISTORIES_OF_A_SEED = 50

SOME = st.integers(0, 7)
AMOUNTS = st.sampled_from((Decimal(1), Decimal("3.563"), Decimal(9), Decimal(-2), None))
BALANCES = st.sampled_from((None, None, Decimal(0), Decimal("0.25"), Decimal(2), Decimal(8), Decimal(-1)))


class Histories(RuleBasedStateMachine):
    """Who does what, when. Every step is compared by `World`, every history by the invariants."""

    world: World

    @initialize(setting=settings())
    def found_a_brand(self, setting: Setting) -> None:
        self.world = World(setting)

    def pair(self, index: int) -> Pair:
        return self.world.pairs[index % len(self.world.pairs)]

    # The clock

    @rule(ahead=st.integers(0, 2), near=NEAR)
    def go_to_a_boundary(self, ahead: int, near: timedelta) -> None:
        later = [each for each in self.world.boundaries if each > self.world.now]
        if later:
            self.world.now = max(self.world.now, later[min(ahead, len(later) - 1)] + near)

    @rule(hours=st.sampled_from((0.05, 1, 9, 30)))
    def wait(self, hours: float) -> None:
        self.world.now += timedelta(hours=hours)

    # Enrolment

    @rule(who=SOME, period=st.sampled_from((None, None, None, 1, 2, 3, 5, 9)), balance=BALANCES, reset=st.booleans())
    def enroll(self, who: int, period: int | None, balance: Decimal | None, reset: bool) -> None:
        self.world.enroll(self.pair(who), period=period, balance=balance, reset=reset, at=self.world.now)

    @rule(who=SOME, scheduled=st.booleans())
    def unenroll(self, who: int, scheduled: bool) -> None:
        self.world.unenroll(self.pair(who), scheduled=scheduled, at=self.world.now)

    @precondition(lambda self: any(each.reference.leaves_after(self.world.now) for each in self.world.pairs))
    @rule(who=SOME)
    def cancel_leave(self, who: int) -> None:
        self.world.cancel_leave(self.pair(who), at=self.world.now)

    @rule(who=SOME, scheduled=st.booleans(), early=st.sampled_from((timedelta(microseconds=1), timedelta(days=2))))
    def be_overtaken(self, who: int, scheduled: bool, early: timedelta) -> None:
        """An operation whose door looked at the clock long before it got its lock."""
        pair, at = self.pair(who), self.world.now - early
        if pair.reference.is_enrolled(self.world.now):
            self.world.unenroll(pair, scheduled=scheduled, at=at)
        else:
            self.world.enroll(pair, period=None, balance=None, reset=False, at=at)

    # Activity

    @rule(who=SOME, name=st.sampled_from(EVENT_NAMES), amount=AMOUNTS, times=st.integers(1, 2))
    def act(self, who: int, name: str, amount: Decimal | None, times: int) -> None:
        for _ in range(times):
            self.deliver(who, name, amount, timedelta(0))

    @rule(
        who=SOME,
        amount=AMOUNTS,
        off=st.sampled_from(
            (timedelta(minutes=5), timedelta(minutes=5, microseconds=1), timedelta(hours=20), -timedelta(hours=20))
        ),
    )
    def act_at_another_time(self, who: int, amount: Decimal | None, off: timedelta) -> None:
        self.deliver(who, EVENT_NAMES[0], amount, off)

    @rule(who=SOME, amount=AMOUNTS, which=st.integers(-4, 2), near=NEAR)
    def act_at_a_boundary(self, who: int, amount: Decimal | None, which: int, near: timedelta) -> None:
        """Beside a boundary of a cycle, the -1st before now, the 0th after it; or of his own coming and going."""
        reference = self.pair(who).reference
        boundaries = sorted([*self.world.boundaries, *reference.instants])
        passed = sum(1 for each in boundaries if each <= self.world.now)
        boundary = boundaries[min(max(passed + which, 0), len(boundaries) - 1)]
        self.deliver(who, EVENT_NAMES[1], amount, boundary + near - self.world.now)

    def deliver(self, who: int, name: str, amount: Decimal | None, off: timedelta) -> None:
        world = self.world
        activity = ActivityData(
            event_id=f"e{len(world.delivered)}",
            event_name=self.pair(who).definition.event_name or name,
            customer_id=self.pair(who).customer.customer_id,
            occurred_at=world.now + off,
            amount=amount,
            quantity=Decimal(-1) if amount is None and off else None,
        )
        world.deliver(activity, at=world.now)

    @precondition(lambda self: self.world.delivered)
    @rule(
        index=st.integers(0, 20),
        content=st.sampled_from(({}, {}, {"amount": Decimal(4)}, {"customer_id": 1}, {"event_name": "visit"})),
    )
    def act_again(self, index: int, content: dict) -> None:
        self.world.deliver_again(index, content, at=self.world.now)

    # Closing

    @rule(at_most=st.sampled_from((None, None, 1)))
    def close(self, at_most: int | None) -> None:
        self.world.close(at_most=at_most)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.check_all()
            self.world.check_receipts()


@pytest.fixture
def database(transactional_db: None) -> None:
    """Operations commit for real; each history has a brand of its own."""
    commit_without_waiting()


def play(seed_: int, histories: int) -> None:
    """Play so many random histories; the same seed plays the same ones."""
    machine = type("Histories", (Histories,), {})
    run_state_machine_as_test(
        seed(seed_)(machine),
        settings=run_settings(
            max_examples=histories,
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            print_blob=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("seed_", [1, 2, 3, 4])
def test_random_histories_go_as_the_reference_says(database, seed_):
    play(seed_, HISTORIES_OF_A_SEED)
