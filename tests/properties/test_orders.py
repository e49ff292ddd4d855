"""Out of order and twice: what arrives within the lateness window ends the same, however it arrives (domain.md 6)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from enrollments.integrity import all_violations
from enrollments.models import Participation
from enrollments.operations import ActivityData, close_cycles, record_activity
from tests.factories import START
from tests.properties.programme import Cycle, Programme
from tests.properties.strategies import ATTRIBUTE, DAY, EVENT_NAMES, Definition, Setting, definitions
from tests.properties.words import Facts, View, stored_facts, view
from tests.properties.world import World

LATE_DAYS = 60  # longer than any of these calendars
BOUGHT = (Decimal(0), Decimal("0.5"), Decimal(1), Decimal("3.563"), Decimal(9), None)
RETURNED = (Decimal(-1), Decimal("-3.563"), Decimal(-9))
ALL_ARE_FINE = list(HealthCheck)  # each example has a brand of its own, so that they may share the database
EXAMPLES = run_settings(
    max_examples=20, derandomize=True, database=None, deadline=None, suppress_health_check=ALL_ARE_FINE
)


@dataclass(frozen=True)
class Delivery:
    """An event of whichever customer, at this instant and of this amount."""

    event: int
    occurred_at: datetime
    amount: Decimal | None


@dataclass(frozen=True)
class Ending:
    """All that one may see of a customer in the end, save in which cycle a level was reached."""

    facts: Facts
    view: View


@st.composite
def deliveries(draw: st.DrawFn, amounts: tuple[Decimal | None, ...]) -> tuple[Definition, list, list]:
    """A programme that takes late activity to its end; what happens in it, and the same shuffled and repeated."""
    drawn = draw(definitions(is_sandbox=False))
    definition = replace(drawn, late_days=LATE_DAYS)
    ends = int((definition.programme.cycles[-1].ends_at - START) / timedelta(hours=1))
    happened = [
        Delivery(event, START + timedelta(hours=hour), amount)
        for event, (hour, amount) in enumerate(
            draw(st.lists(st.tuples(st.integers(0, ends - 1), st.sampled_from(amounts)), min_size=2, max_size=14))
        )
    ]
    twice = draw(st.lists(st.sampled_from(happened), max_size=5))
    shuffled = draw(st.permutations([*happened, *twice]))
    return definition, sorted(happened, key=lambda each: each.occurred_at), shuffled


def play(definition: Definition, in_time: list[Delivery], shuffled: list[Delivery]) -> list[Ending]:
    """Three customers: one's activities arrive as they happen, one's all at the very end, one's shuffled and twice."""
    world = World(Setting((definition,), customers=3, is_sandbox=False, begins_before=timedelta(0)))
    for pair in world.pairs:
        world.enroll(pair, period=None, balance=None, reset=False, at=START)
    last_end = definition.programme.cycles[-1].ends_at
    for number, (arriving, at) in enumerate(((in_time, None), (in_time, last_end), (shuffled, last_end))):
        for each in arriving:
            deliver(world, number, each, at or each.occurred_at)
    closed_at = last_end + (LATE_DAYS + 1) * DAY
    list(close_cycles(brand=world.brand, at=closed_at))
    assert list(all_violations(world.brand)) == []
    return [ending(world, number, closed_at) for number in range(3)]


def deliver(world: World, number: int, delivery: Delivery, at: datetime) -> None:
    pair = world.pairs[number]
    activity = ActivityData(
        event_id=f"{number}.{delivery.event}",
        event_name=pair.definition.event_name or EVENT_NAMES[0],
        customer_id=pair.customer.customer_id,
        occurred_at=delivery.occurred_at,
        amount=delivery.amount,
        quantity=delivery.amount,
        attributes={ATTRIBUTE: "many" if delivery.amount is None else delivery.amount},
    )
    record_activity(brand=world.brand, activity=activity, at=at)


def ending(world: World, number: int, at: datetime) -> Ending:
    pair = world.pairs[number]
    facts = stored_facts(world.brand)[0][pair.customer.pk, pair.target.pk]
    participation = Participation.objects.get(customer=pair.customer, target=pair.target)
    return Ending(replace(facts, changed_at=None), view(participation, at))


@EXAMPLES
@given(drawn=deliveries(BOUGHT))
def test_order_and_repetition_of_what_is_no_return_make_no_difference(database, drawn):
    in_time, late, shuffled = play(*drawn)

    assert late == in_time
    assert shuffled == in_time


@EXAMPLES
@given(drawn=deliveries(BOUGHT + RETURNED))
def test_with_returns_values_and_period_end_results_are_the_same(database, drawn):
    in_time, late, shuffled = play(*drawn)

    assert late.facts.values == in_time.facts.values
    assert shuffled.facts.values == in_time.facts.values
    if drawn[0].programme.allocation == "PERIOD_END":
        assert late == in_time
        assert shuffled == in_time


def test_with_returns_an_immediate_grant_may_depend_on_the_order(database):
    """So the two above see something: it is just this that they allow, and forbid."""
    cycle = Cycle(1, START, START + DAY, START + DAY, Decimal(2))
    definition = Definition(Programme("DEFAULT", "SALES", "IMMEDIATE", (cycle,)), LATE_DAYS, "", None)
    bought, returned = Delivery(0, START, Decimal(2)), Delivery(1, START + DAY / 2, Decimal(-1))

    in_time, _, shuffled = play(definition, [bought, returned], [returned, bought])

    assert in_time.facts.values == shuffled.facts.values == {(1, 1): Decimal(1)}
    assert (in_time.facts.grants, shuffled.facts.grants) == ({("cycle", 1)}, frozenset())


@pytest.mark.soak
@pytest.mark.timeout(0)
@run_settings(parent=EXAMPLES, max_examples=2_000, derandomize=False, print_blob=True)
@given(drawn=deliveries(BOUGHT))
def test_many_more_orders_make_no_difference(database, drawn):
    in_time, late, shuffled = play(*drawn)

    assert late == in_time
    assert shuffled == in_time
