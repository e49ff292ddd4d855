"""What an enrolment change means: pure functions over loaded values (domain.md 2, 4, 5, 6).

Preview, commit, bulk and admin all ask here; nothing in this module reads a clock or a database.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from enrollments.enums import Effective, Verdict
from targets.enums import Allocation


class CycleState(NamedTuple):
    """What is known of one cycle at the instant of a decision."""

    value: Decimal
    target_value: Decimal
    allocation: Allocation
    achieved_at: datetime | None
    is_granted: bool


class Leave(NamedTuple):
    """`end_cycle` is all that leaving writes into the stay; the rest says when and what it means."""

    end_cycle: int
    left_at: datetime | None
    leaves_after: int | None
    running_verdict: Verdict | None


def decide_leave(
    *,
    at: datetime,
    effective: Effective,
    first_cycle: int,
    running_cycle: int,
    running: CycleState,
    is_rewarded: bool,
) -> Leave:
    """Leave in `running_cycle`, the first cycle that ends after `at` (domain.md 5).

    Cycles before `end_cycle` stay the customer's, it and all later ones are left. `running_verdict` is None where
    he was never a member of the running cycle.
    """
    if effective == Effective.END_OF_CYCLE:
        end_cycle = max(running_cycle + 1, first_cycle)
        left_at, leaves_after = None, running_cycle
    else:
        end_cycle = max(running_cycle, first_cycle)
        left_at, leaves_after = at, None

    if running_cycle < first_cycle:
        verdict = None
    elif running_cycle < end_cycle:
        verdict = Verdict.KEPT
    else:
        verdict = verdict_of_left_cycle(running, is_rewarded)
    return Leave(end_cycle, left_at, leaves_after, verdict)


def verdict_of_left_cycle(cycle: CycleState, is_rewarded: bool) -> Verdict:
    """What becomes of the reward of a cycle that is left. A given reward is never taken back."""
    if cycle.is_granted:
        return Verdict.LEFT_REWARD_KEPT
    if cycle.allocation == Allocation.PERIOD_END and is_rewarded and cycle.value >= cycle.target_value:
        return Verdict.LEFT_REWARD_FORFEITED
    return Verdict.LEFT


def chain_through(cycle: int, achieved: Collection[int], missed: Collection[int]) -> int:
    """Length of the unbroken chain of achieved cycles that contains `cycle` (domain.md 6, streak count).

    `missed` are the cycles he was a member of that ended unachieved; any other cycle does not break a chain.
    """
    lower = max((number for number in missed if number < cycle), default=0)
    upper = min((number for number in missed if number > cycle), default=None)
    return sum(1 for number in achieved if lower < number and (upper is None or number < upper))


def shown_count(achieved: Collection[int], missed: Iterable[int]) -> int:
    """The chain that ends at the last cycle not missed, else 0."""
    last_missed = max(missed, default=0)
    return sum(1 for number in achieved if number > last_missed)
