"""Unenrolling many customers, set by set, each with an outcome."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import OperationalError, connection, transaction

from enrollments.enums import Effective, LeaveOutcome, ReceiptKind, Source
from enrollments.foreseen import Foreseen, what_changed
from enrollments.models import Participation, Receipt
from enrollments.operations import LeftTogether, unenroll, unenroll_together
from enrollments.operations.closing import never
from enrollments.operations.leaving import PROGRAMME_OVER, not_enrolled
from enrollments.receipts import forfeited_period
from enrollments.side_by_side import worked_off
from targets.clock import run_at_now
from targets.errors import CycleNotFound, DomainError, NotEnrolled, StaleInstant, TargetGroupNotFound, TargetNotFound
from targets.models import Brand, Customer, Target
from targets.queries import LARGEST_ID

CUSTOMERS_AT_ONCE = 10_000  # unenrolled in one transaction, at most
LOADED_AT_ONCE = 1_000  # in one statement, where each is unenrolled for himself
MOST_TIMEOUTS = 3  # of a chunk

UNKNOWN = "This brand has no such customer."
REPEATED = "The leave had been scheduled before: nothing changed."
TAKEN_BACK = "this batch had unenrolled him, and it was taken back"

# What needs nothing more to be done: running a batch twice is success.
DONE = frozenset(
    {LeaveOutcome.UNENROLLED, LeaveOutcome.SCHEDULED, LeaveOutcome.ALREADY_LEFT, LeaveOutcome.DUPLICATE_IN_REQUEST}
)


class Left(NamedTuple):
    """What became of one customer. `forfeited` names the period whose reward he lost, `message` says why not.

    `left_at` is when he left, if he had left already. `facts`: what his leave means (`Foreseen`). `receipt` is there
    where he was unenrolled for himself. An erased customer has no `customer_id`.
    """

    customer_id: int | None
    outcome: LeaveOutcome
    receipt_id: int | None = None
    forfeited: str | None = None
    message: str = ""
    left_at: datetime | None = None
    facts: str = ""
    has_timed_out: bool = False
    receipt: Receipt | None = None

    @property
    def is_written(self) -> bool:
        """Whether there is a new receipt."""
        return self.receipt_id is not None and not self.message


@dataclass(frozen=True)
class Batch:
    """Who unenrols whom from what, and why.

    Where it `is_resumed` some may have left by it before. Where it `is_paced` as many are unenrolled at once as
    should take `pace.AIM` seconds, else as many as may be.
    """

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
    is_resumed: bool = False
    is_paced: bool = False

    @property
    def customers_at_once(self) -> int:
        return LOADED_AT_ONCE if self.target.target_group.has_own_calendars else CUSTOMERS_AT_ONCE


def leave_each(
    batch: Batch,
    customer_ids: Sequence[int],
    *,
    foreseen: Mapping[int, Foreseen | None] | None = None,
    chunks: int = 0,
    is_to_stop: Callable[[], bool] = never,
) -> Iterator[Left]:
    """Unenrol each customer and yield what became of him, in the order given.

    What was yielded is committed. What is not consumed is not done, except by the threads that carry out `chunks` at a
    time. `is_to_stop` is asked before each. With `dry_run` nothing is written. With `foreseen` each is unenrolled as by
    `leave_as_foreseen`.
    """
    repeated = repeated_positions(customer_ids)

    def leave_those(chunk: list[tuple[int, int]]) -> Iterator[Left]:
        first = [number for position, number in chunk if position not in repeated and is_possible(number)]
        lefts = leave_chunk(batch, first, foreseen)
        for position, number in chunk:
            if position in repeated:
                yield Left(number, LeaveOutcome.DUPLICATE_IN_REQUEST)
            else:
                yield (
                    next(lefts) if is_possible(number) else Left(number, LeaveOutcome.UNKNOWN_CUSTOMER, message=UNKNOWN)
                )

    return worked_off(
        enumerate(customer_ids),
        leave_those,
        at_once=batch.customers_at_once,
        is_paced=batch.is_paced,
        chunks=chunks,
        is_to_stop=is_to_stop,
    )


def leave_chunk(
    batch: Batch, numbers: list[int], foreseen: Mapping[int, Foreseen | None] | None = None
) -> Iterator[Left]:
    """Like `leave_each`, for possible numbers, each named once and no more than are unenrolled at once."""
    if batch.target.target_group.has_own_calendars:
        return _one_by_one(batch, numbers, foreseen)
    return iter(_together(batch, numbers, foreseen))


def is_possible(number: int) -> bool:
    """Whether a customer can have it."""
    return 0 < number <= LARGEST_ID


def repeated_positions(customer_ids: Sequence[int], at_once: int = 250_000) -> set[int]:
    """Where somebody is named again. Looks at a share of the numbers at a time, so that memory holds `at_once` only."""
    repeated = set()
    shares = len(customer_ids) // at_once + 1
    for share in range(shares):
        seen: set[int] = set()
        for position, number in enumerate(customer_ids):
            if number % shares == share:
                if number in seen:
                    repeated.add(position)
                seen.add(number)
    return repeated


def _together(batch: Batch, numbers: list[int], foreseen: Mapping[int, Foreseen | None] | None) -> list[Left]:
    """A chunk, in one transaction; committed when this returns.

    Whoever was locked is waited for afterwards, when nobody waits for us: first one of them, then all others are tried
    once more together, since mostly one and the same transaction has locked them all.
    """
    lefts: dict[int | None, Left] = {}
    waiting = _try_together(batch, numbers, foreseen, lefts)
    if waiting:
        lefts[waiting[0]] = next(_one_by_one(batch, waiting[:1], foreseen))
        waiting = _try_together(batch, waiting[1:], foreseen, lefts)
    for left in _one_by_one(batch, waiting, foreseen):
        lefts[left.customer_id] = left
    return [lefts[number] for number in numbers]


def _try_together(
    batch: Batch, numbers: list[int], foreseen: Mapping[int, Foreseen | None] | None, lefts: dict[int | None, Left]
) -> list[int]:
    """Put what became of each into `lefts`, and answer those of whom nothing can be said yet."""
    if not numbers:
        return []
    try:
        told = run_at_now(
            batch.brand,
            lambda at: unenroll_together(
                customer_ids=numbers, foreseen=foreseen, is_resumed=batch.is_resumed, **_details(batch, at)
            ),
        )
    except DomainError:  # closed or frozen meanwhile: each is to be told for himself
        return numbers
    except OperationalError:  # or too slow
        if not connection.is_usable():
            raise
        return numbers
    lefts |= {
        number: _left_together(batch, number, each, foreseen)
        for number, each in told.items()
        if each.outcome != LeaveOutcome.TRY_AGAIN
    }
    return [number for number in numbers if number not in lefts]


def _left_together(
    batch: Batch, number: int, told: LeftTogether, foreseen: Mapping[int, Foreseen | None] | None
) -> Left:
    message = REPEATED if told.is_repeated else ""
    if told.outcome in (LeaveOutcome.ALREADY_LEFT, LeaveOutcome.NEVER_ENROLLED):
        message = not_enrolled(number, batch.target, told.left_at).message
    elif told.outcome == LeaveOutcome.UNKNOWN_CUSTOMER:
        message = UNKNOWN
    elif told.outcome == LeaveOutcome.PERIOD_OVER:
        message = PROGRAMME_OVER
    elif told.outcome == LeaveOutcome.CHANGED and foreseen is not None:
        is_taken_back = told.receipt_id is not None
        changes = [] if is_taken_back else what_changed(foreseen.get(number), Foreseen.of_facts(told.facts))
        message = str(Outdated(batch, changes or [TAKEN_BACK]))
    return Left(number, told.outcome, told.receipt_id, told.forfeited, message, told.left_at, told.facts)


def _one_by_one(batch: Batch, numbers: Sequence[int], foreseen: Mapping[int, Foreseen | None] | None) -> Iterator[Left]:
    """Each in a transaction of his own, with all the time that a lock may take."""
    customers = {each.customer_id: each for each in Customer.objects.filter(brand=batch.brand, customer_id__in=numbers)}
    timeouts = 0
    for number in numbers:
        customer = customers.get(number)
        if customer is None:
            left = Left(number, LeaveOutcome.UNKNOWN_CUSTOMER, message=UNKNOWN)
        elif timeouts == MOST_TIMEOUTS:
            left = Left(number, LeaveOutcome.TRY_AGAIN, message="Others took too long.")
        elif foreseen is None:
            left = leave(batch, customer)
        else:
            left = leave_as_foreseen(batch, customer, foreseen.get(number))
        timeouts += left.has_timed_out
        yield left


def leave(batch: Batch, customer: Customer) -> Left:
    """Unenrol one customer, and say what became of him. With `dry_run` nothing is written."""
    return _outcome(batch, customer, lambda at: _unenroll(batch, customer, at))


def leave_as_foreseen(batch: Batch, customer: Customer, foreseen: Foreseen | None) -> Left:
    """Unenrol one customer if it means what was foreseen; None: that he was not to be unenrolled.

    Decided under the lock of the operation itself, so nothing can change between the look and the leap. If anything
    differs nothing is written, and the message says what. Where the batch `is_resumed` and has unenrolled him before,
    nothing is written either, and the receipt is that of then.
    """

    def unenroll_or_roll_back(at: datetime) -> Receipt:
        with transaction.atomic():
            if batch.is_resumed and (done := _receipt_of_before(batch, customer)):
                return done
            receipt = _unenroll(batch, customer, at)
            changes = [] if _is_repeated(batch, receipt) else what_changed(foreseen, Foreseen.of(receipt))
            if changes:
                raise Outdated(batch, changes)
            return receipt

    return _outcome(batch, customer, unenroll_or_roll_back)


class Outdated(Exception):
    """What was foreseen of a leave no longer holds. `receipt_id`: of the one by the same batch that was taken back."""

    def __init__(self, batch: Batch, changes: list[str], receipt_id: int | None = None) -> None:
        self.receipt_id = receipt_id
        super().__init__(f"Changed since the {'plan' if batch.is_resumed else 'preview'}: {'; '.join(changes)}.")


def _receipt_of_before(batch: Batch, customer: Customer) -> Receipt | None:
    """Of the leave by the same batch, under the lock of the participation. Raises `Outdated` if it was taken back."""
    enrolment = {"customer": customer, "target": batch.target}
    participation = Participation.objects.select_for_update(no_key=True).filter(**enrolment).first()
    receipts = Receipt.objects.filter(participation=participation).order_by("pk")
    receipts = receipts.select_related("undone_by", "participation__target")
    kinds = (ReceiptKind.UNENROLLED, ReceiptKind.LEAVE_SCHEDULED)
    done = next((each for each in receipts if each.batch_id == batch.batch_id and each.kind in kinds), None)
    if done is None:
        return None
    if hasattr(done, "undone_by"):
        raise Outdated(batch, [TAKEN_BACK], done.pk)
    return done


def _unenroll(batch: Batch, customer: Customer, at: datetime) -> Receipt:
    return unenroll(customer=customer, **_details(batch, at))


def _details(batch: Batch, at: datetime) -> dict[str, Any]:
    """What `unenroll` and `unenroll_together` take both."""
    return {
        "target": batch.target,
        "at": at,
        "by": batch.by,
        "source": batch.source,
        "reason": batch.reason,
        "request_id": batch.request_id,
        "effective": batch.effective,
        "batch_id": batch.batch_id,
        "dry_run": batch.dry_run,
        "even_if_inactive": batch.even_if_inactive,
    }


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
        return Left(customer.customer_id, LeaveOutcome.CHANGED, refusal.receipt_id, message=str(refusal))
    except StaleInstant as refusal:
        return Left(customer.customer_id, LeaveOutcome.TRY_AGAIN, message=refusal.message)
    except OperationalError as error:  # a lock or statement time-out: the others go on
        if not connection.is_usable():
            raise
        return Left(customer.customer_id, LeaveOutcome.TRY_AGAIN, message=str(error).strip(), has_timed_out=True)
    scheduled = receipt.kind == ReceiptKind.LEAVE_SCHEDULED
    is_repeated = _is_repeated(batch, receipt)
    return Left(
        customer.customer_id,
        LeaveOutcome.SCHEDULED if scheduled else LeaveOutcome.UNENROLLED,
        receipt.pk,
        forfeited=forfeited_period(receipt),
        message=REPEATED if is_repeated else "",
        facts="" if is_repeated else str(Foreseen.of(receipt)),
        receipt=receipt,
    )


def _is_repeated(batch: Batch, receipt: Receipt) -> bool:
    """Whether it is the receipt of an earlier leave, still in force: asking for the same again writes nothing."""
    return receipt.pk is not None and (batch.dry_run or receipt.batch_id != batch.batch_id)
