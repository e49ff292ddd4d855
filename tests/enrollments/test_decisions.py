"""What leaving means, case by case: the pure functions (domain.md 5 and 6)."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from enrollments.decisions import CycleState, Leave, chain_through, decide_leave, shown_count
from enrollments.enums import Effective, Verdict
from targets.enums import Allocation

AT = datetime(2026, 3, 15, 12, tzinfo=UTC)


def leave(*, value=0, granted=False, allocation=Allocation.IMMEDIATE, rewarded=True, **details):
    state = CycleState(Decimal(value), Decimal(3), allocation, AT if value >= 3 else None, granted)
    given = {"effective": Effective.NOW, "first_cycle": 1, "running_cycle": 3} | details
    return decide_leave(at=AT, running=state, is_rewarded=rewarded, **given)


@pytest.mark.parametrize(
    ("allocation", "value", "granted", "rewarded", "verdict"),
    [
        (Allocation.IMMEDIATE, 2, False, True, Verdict.LEFT),
        (Allocation.IMMEDIATE, 3, True, True, Verdict.LEFT_REWARD_KEPT),
        (Allocation.IMMEDIATE, 2, True, True, Verdict.LEFT_REWARD_KEPT),  # a return came after the grant
        (Allocation.IMMEDIATE, 3, False, False, Verdict.LEFT),
        (Allocation.PERIOD_END, 2, False, True, Verdict.LEFT),
        (Allocation.PERIOD_END, 3, False, True, Verdict.LEFT_REWARD_FORFEITED),
        (Allocation.PERIOD_END, 4, False, True, Verdict.LEFT_REWARD_FORFEITED),
        (Allocation.PERIOD_END, 3, False, False, Verdict.LEFT),  # nothing was promised
    ],
)
def test_leaving_now_ends_the_stay_in_the_running_cycle(allocation, value, granted, rewarded, verdict):
    decided = leave(allocation=allocation, value=value, granted=granted, rewarded=rewarded)

    assert decided == Leave(end_cycle=3, left_at=AT, leaves_after=None, running_verdict=verdict)


def test_leaving_at_the_end_keeps_the_running_cycle_and_forfeits_nothing():
    decided = leave(allocation=Allocation.PERIOD_END, value=3, effective=Effective.END_OF_CYCLE)

    assert decided == Leave(end_cycle=4, left_at=None, leaves_after=3, running_verdict=Verdict.KEPT)


@pytest.mark.parametrize(
    ("effective", "first_cycle", "end_cycle", "verdict"),
    [
        (Effective.NOW, 3, 3, Verdict.LEFT),
        (Effective.NOW, 5, 5, None),
        (Effective.END_OF_CYCLE, 3, 4, Verdict.KEPT),
        (Effective.END_OF_CYCLE, 4, 4, None),
        (Effective.END_OF_CYCLE, 5, 5, None),
    ],
)
def test_stay_never_ends_before_it_began(effective, first_cycle, end_cycle, verdict):
    decided = leave(effective=effective, first_cycle=first_cycle)

    assert (decided.end_cycle, decided.running_verdict) == (end_cycle, verdict)


@pytest.mark.parametrize(
    ("cycle", "achieved", "missed", "length"),
    [
        (1, {1}, set(), 1),
        (3, {1, 2, 3}, set(), 3),
        (4, {1, 2, 4}, {3}, 1),
        (4, {1, 2, 4}, set(), 3),  # he was away in 3
        (3, {1, 2, 3, 4, 5}, set(), 5),  # late: joins two chains
        (2, {1, 2, 4, 5}, {3}, 2),
        (5, {1, 2, 4, 5}, {3, 6}, 2),
    ],
)
def test_chain_is_as_long_as_no_missed_cycle_lies_between(cycle, achieved, missed, length):
    assert chain_through(cycle, achieved, missed) == length


@pytest.mark.parametrize(
    ("achieved", "missed", "count"),
    [(set(), set(), 0), ({1, 2}, set(), 2), ({1, 2}, {3}, 0), ({1, 2, 4}, {3}, 1), ({4}, {1, 2, 3}, 1)],
)
def test_count_shown_is_the_chain_after_the_last_missed_cycle(achieved, missed, count):
    assert shown_count(achieved, missed) == count
