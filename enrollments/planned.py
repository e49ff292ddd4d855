"""Unenrolling many customers just as it was planned."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from enrollments.batch import Batch, Left, leave_chunk
from enrollments.enums import LeaveOutcome
from enrollments.foreseen import Foreseen
from enrollments.operations.closing import never
from enrollments.side_by_side import worked_off

# That the plan cannot be carried out for somebody just now, without a change of his own situation.
NOT_NOW = frozenset({LeaveOutcome.TRY_AGAIN, LeaveOutcome.INACTIVE})


class Planned(NamedTuple):
    """What is to become of one customer. `foreseen` is what his leave means; None: he is not to leave."""

    customer_id: int
    outcome: LeaveOutcome
    foreseen: Foreseen | None

    @property
    def is_asked(self) -> bool:
        return self.outcome != LeaveOutcome.DUPLICATE_IN_REQUEST


def carry_out(
    batch: Batch, plan: Iterable[Planned], *, chunks: int = 0, is_to_stop: Callable[[], bool] = never
) -> Iterator[Left]:
    """Unenrol each customer if that means what the plan says, and yield what became of him, in the order of the plan.

    Whoever's situation is another one now is CHANGED, and nothing is written for him. The batch is one that
    `is_resumed`: whoever has left by it before is told with the receipt of then. So an interrupted plan is carried out
    to its end, and reported as a whole, by carrying it out again. `chunks` and `is_to_stop` as of `leave_each`; of the
    plan no more is read than what is under way.
    """

    def leave_as_planned(chunk: list[Planned]) -> Iterator[Left]:
        foreseen = {planned.customer_id: planned.foreseen for planned in chunk if planned.is_asked}
        lefts = leave_chunk(batch, list(foreseen), foreseen)
        for planned in chunk:
            yield _as_planned(planned, next(lefts)) if planned.is_asked else Left(planned.customer_id, planned.outcome)

    return worked_off(
        plan,
        leave_as_planned,
        at_once=batch.customers_at_once,
        is_paced=batch.is_paced,
        chunks=chunks,
        is_to_stop=is_to_stop,
    )


def _as_planned(planned: Planned, left: Left) -> Left:
    """Whoever was to leave and has not, whatever now keeps him from it, is CHANGED."""
    if planned.foreseen is None or left.is_written or left.outcome == LeaveOutcome.CHANGED or left.outcome in NOT_NOW:
        return left
    message = f"Changed since the plan: {left.message[:1].lower()}{left.message[1:]}"
    return left._replace(outcome=LeaveOutcome.CHANGED, message=message)
