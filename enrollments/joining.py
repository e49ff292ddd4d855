"""Enrolling many customers in one transaction, each with an outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import OperationalError, connection, transaction

from enrollments.enums import EnrollOutcome, ReceiptKind, Source
from enrollments.models import Participation, Receipt
from enrollments.operations import enroll
from targets.clock import run_at_now
from targets.errors import AlreadyEnrolled, CustomerNotFound, CycleNotFound, InvalidInput, StaleInstant
from targets.models import Brand, Customer, Target
from targets.queries import LARGEST_ID

MOST_RECORDS = 10_000
CUSTOMERS_AT_ONCE = 1_000  # loaded in one statement
MOST_TIMEOUTS = 3


@dataclass(frozen=True)
class JoinRecord:
    """Who is to be enrolled, and how: see `enroll`."""

    customer_id: int
    period_name: str | None = None
    initial_balance: Decimal | None = None
    reset_streak: bool = False


@dataclass(frozen=True)
class Joined:
    """What became of one record; `message` says why not."""

    customer_id: int
    outcome: EnrollOutcome
    receipt: Receipt | None = None
    message: str = ""


@dataclass(frozen=True)
class JoinBatch:
    """Who enrols whom in what."""

    brand: Brand
    target: Target
    by: str
    source: Source
    batch_id: UUID
    request_id: str = ""


def join_all(batch: JoinBatch, records: Sequence[JoinRecord]) -> list[Joined]:
    """Enrol each customer as `enroll` does, and say what became of him, in the order given; all in one transaction.

    Of several records with the same customer the first is taken. Bounded in time: after `MOST_TIMEOUTS` customers
    were locked by somebody else for too long, those that remain are not tried.
    """
    places: dict[int, int] = {}
    for place, record in enumerate(records):
        places.setdefault(record.customer_id, place)
    joined = [_not_tried(record, places[record.customer_id] != place) for place, record in enumerate(records)]
    timeouts = 0
    with transaction.atomic():
        for customer in _in_order_of_locks(batch, list(places)):
            number = customer.customer_id or 0  # those that were found have one
            place = places[number]
            joined[place] = Joined(number, EnrollOutcome.TRY_AGAIN, message="Others took too long.")
            if timeouts < MOST_TIMEOUTS:
                try:
                    joined[place] = _join(batch, customer, records[place])
                except OperationalError as error:  # a lock or statement time-out: the others go on
                    if not connection.is_usable():
                        raise
                    timeouts += 1
                    joined[place] = Joined(number, EnrollOutcome.TRY_AGAIN, message=str(error).strip())
    return joined


def _not_tried(record: JoinRecord, is_repeated: bool) -> Joined:
    if is_repeated:
        return Joined(record.customer_id, EnrollOutcome.DUPLICATE_IN_REQUEST)
    return Joined(record.customer_id, EnrollOutcome.UNKNOWN_CUSTOMER, message="This brand has no such customer.")


def _in_order_of_locks(batch: JoinBatch, customer_ids: list[int]) -> list[Customer]:
    """Those the brand has, by participation, as whoever locks several of them does; then those who never enrolled.

    So two calls that name the same customers do not wait for each other in a ring.
    """
    customers: list[Customer] = []
    participations: dict[int, int] = {}
    for start in range(0, len(customer_ids), CUSTOMERS_AT_ONCE):
        chunk = [each for each in customer_ids[start : start + CUSTOMERS_AT_ONCE] if 0 < each <= LARGEST_ID]
        found = list(Customer.objects.filter(brand=batch.brand, customer_id__in=chunk))
        customers += found
        known = Participation.objects.filter(target=batch.target, customer__in=found)
        participations.update(known.values_list("customer_id", "pk"))
    return sorted(customers, key=lambda each: (each.pk not in participations, participations.get(each.pk, each.pk)))


def _join(batch: JoinBatch, customer: Customer, record: JoinRecord) -> Joined:
    """In a savepoint: that of the operation."""
    customer.brand = batch.brand
    try:
        receipt = run_at_now(
            batch.brand,
            lambda at: enroll(
                customer=customer,
                target=batch.target,
                at=at,
                by=batch.by,
                source=batch.source,
                period_name=record.period_name,
                initial_balance=record.initial_balance,
                reset_streak=record.reset_streak,
                request_id=batch.request_id,
                batch_id=batch.batch_id,
            ),
        )
    except AlreadyEnrolled as refusal:
        return Joined(record.customer_id, EnrollOutcome.ALREADY_ENROLLED, message=refusal.message)
    except CycleNotFound as refusal:
        return Joined(record.customer_id, EnrollOutcome.PERIOD_NOT_FOUND, message=refusal.message)
    except InvalidInput as refusal:
        return Joined(record.customer_id, EnrollOutcome.INVALID_BALANCE, message=refusal.message)
    except CustomerNotFound as refusal:  # erased while we waited
        return Joined(record.customer_id, EnrollOutcome.UNKNOWN_CUSTOMER, message=refusal.message)
    except StaleInstant as refusal:
        return Joined(record.customer_id, EnrollOutcome.TRY_AGAIN, message=refusal.message)
    is_first = receipt.kind == ReceiptKind.ENROLLED
    return Joined(record.customer_id, EnrollOutcome.ENROLLED if is_first else EnrollOutcome.REENROLLED, receipt)
