"""Taking back the leaves of a whole batch, chunk by chunk, each with an outcome."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import OperationalError, connection
from django.db.models import QuerySet

from enrollments.enums import ReceiptKind, Source, UndoOutcome
from enrollments.models import Receipt
from enrollments.operations import Undone, undo_leave, undo_together
from enrollments.operations.closing import never
from enrollments.queries import find_receipt
from enrollments.receipts import LEAVING
from targets.clock import run_at_now
from targets.errors import (
    AlreadyUndone,
    BatchNotFound,
    ChangedSince,
    CustomerErased,
    DomainError,
    StaleInstant,
    TargetGroupNotFound,
    TargetNotFound,
    TooLateToUndo,
)
from targets.models import Brand

MOST_TIMEOUTS = 3  # of a chunk
RECEIPTS_AT_ONCE = 5_000  # read, and undone in one transaction where that is all there is to do

# What needs nothing more to be done: undoing a batch twice is success.
DONE = frozenset({UndoOutcome.UNDONE, UndoOutcome.CANCELLED, UndoOutcome.ALREADY_UNDONE})
REFUSED: dict[type[DomainError], UndoOutcome] = {
    AlreadyUndone: UndoOutcome.ALREADY_UNDONE,
    ChangedSince: UndoOutcome.CHANGED_SINCE,
    TooLateToUndo: UndoOutcome.TOO_LATE,
    CustomerErased: UndoOutcome.ERASED,
    TargetGroupNotFound: UndoOutcome.INACTIVE,
    TargetNotFound: UndoOutcome.INACTIVE,
    StaleInstant: UndoOutcome.TRY_AGAIN,
}


@dataclass(frozen=True)
class TakenBack:
    """What became of one leave, the receipt `undoes`. `receipt_id` is of the receipt that took it back, now or before;
    `message` says why not. An erased customer has no `customer_id`. The rest: see `Undone`."""

    undoes: int
    customer_id: int | None
    outcome: UndoOutcome
    receipt_id: int | None = None
    counted: int = 0
    granted: int = 0
    message: str = ""
    has_timed_out: bool = False

    @property
    def is_written(self) -> bool:
        """Whether there is a new receipt."""
        return self.receipt_id is not None and not self.message


@dataclass(frozen=True)
class Undoing:
    """Who takes back what, and why. `batch_id` goes to the new receipts."""

    brand: Brand
    by: str
    source: Source
    reason: str = ""
    request_id: str = ""
    batch_id: UUID | None = None
    dry_run: bool = False


def leaves_of_batch(brand: Brand, batch_id: UUID) -> QuerySet[Receipt]:
    """The receipts of its leaves, in the order in which they were written. Raises `BatchNotFound` if it has none."""
    leaves = Receipt.objects.filter(brand=brand, batch_id=batch_id, kind__in=LEAVING).order_by("pk")
    if not leaves.exists():
        raise BatchNotFound(f"No batch {batch_id} of unenrolments is found.")
    return leaves


def undo_each(
    undoing: Undoing,
    leaves: QuerySet[Receipt],
    *,
    after: int = 0,
    most: int | None = None,
    is_to_stop: Callable[[], bool] = never,
) -> Iterator[TakenBack]:
    """Take back each of `leaves`, which are of one target and in the order of their ids, and yield what became of it.

    `after`: only those of greater ids; of these the first `most`. What is not consumed is not done; what was yielded
    is committed. With `dry_run` nothing is written. `is_to_stop` is asked between chunks. Safe to run again: what was
    taken back says so.
    """
    left = most
    while not is_to_stop() and left != 0:
        size = RECEIPTS_AT_ONCE if left is None else min(left, RECEIPTS_AT_ONCE)
        rows = leaves.filter(pk__gt=after).values_list("pk", "kind", "participation__customer__customer_id")[:size]
        chunk = [_Leave(*row) for row in rows]
        if not chunk:
            return
        yield from _chunk(undoing, chunk)
        after = chunk[-1].pk
        left = None if left is None else left - len(chunk)


class _Leave(NamedTuple):
    """What is read of each receipt; of most that is enough."""

    pk: int
    kind: str
    customer_id: int | None


def _chunk(undoing: Undoing, chunk: list[_Leave]) -> Iterator[TakenBack]:
    """First together whoever can be; then, in their order, the others."""
    before = dict(Receipt.objects.filter(undoes__in=[each.pk for each in chunk]).values_list("undoes_id", "pk"))
    together = _together(undoing, [each for each in chunk if each.pk not in before])
    timeouts = 0
    for leave in chunk:
        if leave.pk in together:
            yield TakenBack(leave.pk, leave.customer_id, UndoOutcome.UNDONE, together[leave.pk])
        elif leave.pk in before:
            message = f"Was taken back by receipt {before[leave.pk]}."
            yield TakenBack(leave.pk, leave.customer_id, UndoOutcome.ALREADY_UNDONE, before[leave.pk], message=message)
        elif timeouts == MOST_TIMEOUTS:
            yield TakenBack(leave.pk, leave.customer_id, UndoOutcome.TRY_AGAIN, message="Others took too long.")
        else:
            taken_back = _alone(undoing, leave)
            timeouts += taken_back.has_timed_out
            yield taken_back


def _together(undoing: Undoing, leaves: list[_Leave]) -> dict[int, int | None]:
    """In one transaction, committed when this returns."""
    ids = [each.pk for each in leaves if each.kind == ReceiptKind.UNENROLLED]
    if not ids:
        return {}
    target = find_receipt(undoing.brand, ids[0]).participation.target
    if target.target_group.has_own_calendars:
        return {}
    try:
        return run_at_now(
            undoing.brand, lambda at: undo_together(target=target, receipt_ids=ids, **_details(undoing, at))
        )
    except DomainError:  # closed or frozen meanwhile: each is to be told for himself
        return {}
    except OperationalError:  # or too slow
        if not connection.is_usable():
            raise
        return {}


def _alone(undoing: Undoing, leave: _Leave) -> TakenBack:
    try:
        receipt = find_receipt(undoing.brand, leave.pk)
        undone: Undone = run_at_now(undoing.brand, lambda at: undo_leave(receipt=receipt, **_details(undoing, at)))
    except OperationalError as error:  # a lock or statement time-out: the others go on
        if not connection.is_usable():
            raise
        message = str(error).strip()
        return TakenBack(leave.pk, leave.customer_id, UndoOutcome.TRY_AGAIN, message=message, has_timed_out=True)
    except DomainError as refusal:
        receipt_id = refusal.receipt_id if isinstance(refusal, AlreadyUndone) else None
        outcome = REFUSED[type(refusal)]
        return TakenBack(leave.pk, leave.customer_id, outcome, receipt_id, message=refusal.message)
    is_cancelled = undone.receipt.kind == ReceiptKind.LEAVE_CANCELLED
    return TakenBack(
        leave.pk,
        leave.customer_id,
        UndoOutcome.CANCELLED if is_cancelled else UndoOutcome.UNDONE,
        undone.receipt.pk,
        undone.counted,
        undone.granted,
    )


def _details(undoing: Undoing, at: datetime) -> dict[str, Any]:
    """What `undo_leave` and `undo_together` take both."""
    return {
        "at": at,
        "by": undoing.by,
        "source": undoing.source,
        "reason": undoing.reason,
        "request_id": undoing.request_id,
        "batch_id": undoing.batch_id,
        "dry_run": undoing.dry_run,
    }
