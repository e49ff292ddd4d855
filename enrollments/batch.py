"""Unenrolling many customers, each in a transaction of his own, each with an outcome."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db import OperationalError, transaction

from enrollments.enums import Effective, LeaveOutcome, ReceiptKind, Source
from enrollments.foreseen import Foreseen, what_changed
from enrollments.models import Receipt
from enrollments.operations import unenroll
from enrollments.receipts import forfeited_period
from targets.clock import run_at_now
from targets.errors import CycleNotFound, NotEnrolled, StaleInstant, TargetGroupNotFound, TargetNotFound
from targets.models import Brand, Customer, Target

CUSTOMERS_AT_ONCE = 1_000  # loaded in one statement

# What needs nothing more to be done: running a batch twice is success.
DONE = frozenset(
    {LeaveOutcome.UNENROLLED, LeaveOutcome.SCHEDULED, LeaveOutcome.ALREADY_LEFT, LeaveOutcome.DUPLICATE_IN_REQUEST}
)


@dataclass(frozen=True)
class Left:
    """What became of one customer. `forfeited` names the period whose reward he lost, `message` says why not.

    `left_at` is when he left, if he had left already. An erased customer has no `customer_id`.
    """

    customer_id: int | None
    outcome: LeaveOutcome
    receipt: Receipt | None = None
    forfeited: str | None = None
    message: str = ""
    left_at: datetime | None = None


@dataclass(frozen=True)
class Batch:
    """Who unenrols whom from what, and why."""

    brand: Brand
    target: Target
    by: str
    source: Source
    reason: str = ""
    effective: Effective = Effective.NOW
    request_id: str = ""
    batch_id: UUID | None = None
    dry_run: bool = False
    even_if_inactive: bool = False


def leave_each(batch: Batch, customer_ids: Sequence[int]) -> Iterator[Left]:
    """Unenrol each customer and yield what became of him, in the order given.

    What is not consumed is not done; what was yielded is committed. With `dry_run` nothing is written.
    """
    seen: set[int] = set()
    remaining = iter(customer_ids)
    while chunk := list(islice(remaining, CUSTOMERS_AT_ONCE)):
        customers = {
            each.customer_id: each for each in Customer.objects.filter(brand=batch.brand, customer_id__in=chunk)
        }
        for customer_id in chunk:
            if customer_id in seen:
                yield Left(customer_id, LeaveOutcome.DUPLICATE_IN_REQUEST)
            elif customer_id not in customers:
                yield Left(customer_id, LeaveOutcome.UNKNOWN_CUSTOMER, message="This brand has no such customer.")
            else:
                yield leave(batch, customers[customer_id])
            seen.add(customer_id)


def leave(batch: Batch, customer: Customer) -> Left:
    """Unenrol one customer, and say what became of him. With `dry_run` nothing is written."""
    return _outcome(batch, customer, lambda at: _unenroll(batch, customer, at))


def leave_as_foreseen(batch: Batch, customer: Customer, foreseen: Foreseen | None) -> Left:
    """Unenrol one customer if it means what a preview foresaw; None: that he could not be unenrolled.

    Decided under the lock of the operation itself, so nothing can change between the look and the leap. If anything
    differs nothing is written, and the message says what.
    """

    def unenroll_or_roll_back(at: datetime) -> Receipt:
        with transaction.atomic():
            receipt = _unenroll(batch, customer, at)
            changes = [] if _is_repeated(batch, receipt) else what_changed(foreseen, Foreseen.of(receipt))
            if changes:
                raise Outdated(changes)
            return receipt

    return _outcome(batch, customer, unenroll_or_roll_back)


class Outdated(Exception):
    """What was foreseen of a leave no longer holds."""

    def __init__(self, changes: list[str]) -> None:
        super().__init__(f"Changed since the preview: {'; '.join(changes)}.")


def _unenroll(batch: Batch, customer: Customer, at: datetime) -> Receipt:
    return unenroll(
        customer=customer,
        target=batch.target,
        at=at,
        by=batch.by,
        source=batch.source,
        reason=batch.reason,
        request_id=batch.request_id,
        effective=batch.effective,
        batch_id=batch.batch_id,
        dry_run=batch.dry_run,
        even_if_inactive=batch.even_if_inactive,
    )


def _outcome(batch: Batch, customer: Customer, operation: Callable[[datetime], Receipt]) -> Left:
    try:
        receipt = run_at_now(batch.brand, operation)
    except NotEnrolled as refusal:
        outcome = LeaveOutcome.ALREADY_LEFT if refusal.left_at else LeaveOutcome.NEVER_ENROLLED
        return Left(customer.customer_id, outcome, message=refusal.message, left_at=refusal.left_at)
    except CycleNotFound as refusal:
        return Left(customer.customer_id, LeaveOutcome.PERIOD_OVER, message=refusal.message)
    except (TargetGroupNotFound, TargetNotFound) as refusal:
        return Left(customer.customer_id, LeaveOutcome.INACTIVE, message=refusal.message)
    except Outdated as refusal:
        return Left(customer.customer_id, LeaveOutcome.CHANGED, message=str(refusal))
    except StaleInstant as refusal:
        return Left(customer.customer_id, LeaveOutcome.TRY_AGAIN, message=refusal.message)
    except OperationalError as error:  # a lock or statement time-out: the others go on
        return Left(customer.customer_id, LeaveOutcome.TRY_AGAIN, message=str(error).strip())
    scheduled = receipt.kind == ReceiptKind.LEAVE_SCHEDULED
    return Left(
        customer.customer_id,
        LeaveOutcome.SCHEDULED if scheduled else LeaveOutcome.UNENROLLED,
        receipt,
        forfeited=forfeited_period(receipt),
        message="The leave had been scheduled before: nothing changed." if _is_repeated(batch, receipt) else "",
    )


def _is_repeated(batch: Batch, receipt: Receipt) -> bool:
    """Whether it is the receipt of an earlier leave, still in force: asking for the same again writes nothing."""
    return receipt.pk is not None and (batch.dry_run or receipt.batch_id != batch.batch_id)
