"""Enrolling many customers in one transaction, each with an outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, OperationalError, connection, transaction

from enrollments.enums import EnrollOutcome, ReceiptKind, Source
from enrollments.models import Participation, Receipt
from enrollments.operations import Newcomer, enroll, enroll_newcomers
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

    @property
    def receipt_id(self) -> int | None:
        return self.receipt.pk if self.receipt else None


@dataclass(frozen=True)
class JoinBatch:
    """Who enrols whom in what."""

    brand: Brand
    target: Target
    by: str
    source: Source
    batch_id: UUID
    request_id: str = ""

    @property
    def is_streak(self) -> bool:
        return self.target.target_group.is_streak


def join_all(batch: JoinBatch, records: Sequence[JoinRecord]) -> list[Joined]:
    """Enrol each customer as `enroll` does, and say what became of him, in the order given; all in one transaction.

    Of several records with the same customer the first is taken. Customers who were never in the target and bring no
    balance cost a constant number of statements a thousand, the others a savepoint each. Bounded in time: after
    `MOST_TIMEOUTS` customers were locked by somebody else for too long, those that remain are not tried.
    """
    first: dict[int, JoinRecord] = {}
    is_first = [first.setdefault(record.customer_id, record) is record for record in records]
    joining = _Joining(batch, first)
    with transaction.atomic():
        members, newcomers = _in_order_of_locks(batch, list(first))
        joining.one_by_one(members)
        joining.at_once([each for each in newcomers if not joining.has_balance(each)])
        joining.one_by_one([each for each in newcomers if joining.has_balance(each)])
    return [
        joining.joined.get(record.customer_id) or _unknown(record)
        if is_taken
        else Joined(record.customer_id, EnrollOutcome.DUPLICATE_IN_REQUEST, message="Was named before.")
        for record, is_taken in zip(records, is_first, strict=True)
    ]


def _unknown(record: JoinRecord) -> Joined:
    return Joined(record.customer_id, EnrollOutcome.UNKNOWN_CUSTOMER, message="This brand has no such customer.")


class _Joining:
    """What became of whom so far, by customer id."""

    def __init__(self, batch: JoinBatch, records: dict[int, JoinRecord]) -> None:
        self.batch = batch
        self.records = records
        self.joined: dict[int, Joined] = {}
        self.timeouts = 0

    def has_balance(self, customer: Customer) -> bool:
        return not self.batch.is_streak and self.records[number_of(customer)].initial_balance is not None

    def one_by_one(self, customers: list[Customer]) -> None:
        for customer in customers:
            customer_id = number_of(customer)
            if self.timeouts >= MOST_TIMEOUTS:
                self.joined[customer_id] = Joined(customer_id, EnrollOutcome.TRY_AGAIN, message="Others took too long.")
                continue
            try:
                self.joined[customer_id] = _join(self.batch, customer, self.records[customer_id])
            except OperationalError as error:  # a lock or statement time-out: the others go on
                if not connection.is_usable():
                    raise
                self.timeouts += 1
                self.joined[customer_id] = Joined(customer_id, EnrollOutcome.TRY_AGAIN, message=str(error).strip())

    def at_once(self, newcomers: list[Customer]) -> None:
        for start in range(0, len(newcomers), CUSTOMERS_AT_ONCE):
            chunk = newcomers[start : start + CUSTOMERS_AT_ONCE]
            try:
                self.joined |= _join_newcomers(self.batch, [(each, self.records[number_of(each)]) for each in chunk])
            except OperationalError:
                if not connection.is_usable():
                    raise
                self.timeouts += 1
                self.one_by_one(chunk)
            except (
                IntegrityError,
                StaleInstant,
            ):  # somebody has enrolled one of them, or erased him, or closed a cycle
                self.one_by_one(chunk)


def number_of(customer: Customer) -> int:
    """Customers found by their numbers have one."""
    return customer.customer_id or 0


def _in_order_of_locks(batch: JoinBatch, customer_ids: list[int]) -> tuple[list[Customer], list[Customer]]:
    """Those with a participation, by its id, as whoever locks several of them does; and the newcomers, in one order.

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
    members = [each for each in customers if each.pk in participations]
    newcomers = [each for each in customers if each.pk not in participations]
    return sorted(members, key=lambda each: participations[each.pk]), sorted(newcomers, key=lambda each: each.pk)


def _join_newcomers(batch: JoinBatch, who: list[tuple[Customer, JoinRecord]]) -> dict[int, Joined]:
    newcomers = [
        Newcomer(customer, record.period_name, record.initial_balance, record.reset_streak) for customer, record in who
    ]
    answers = run_at_now(
        batch.brand,
        lambda at: enroll_newcomers(
            target=batch.target,
            newcomers=newcomers,
            at=at,
            by=batch.by,
            source=batch.source,
            request_id=batch.request_id,
            batch_id=batch.batch_id,
        ),
    )
    return {
        record.customer_id: Joined(record.customer_id, EnrollOutcome.ENROLLED, answer)
        if isinstance(answer, Receipt)
        else Joined(record.customer_id, EnrollOutcome.PERIOD_NOT_FOUND, message=answer.message)
        for (_, record), answer in zip(who, answers, strict=True)
    }


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
