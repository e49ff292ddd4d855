"""Leaving: now, at the end of the running cycle, and changing one's mind (domain.md 5)."""

from datetime import datetime
from uuid import UUID

import orjson
from django.db import DEFAULT_DB_ALIAS, transaction

from enrollments.decisions import Leave, decide_leave
from enrollments.enums import Effective, ReceiptKind, Source, Verdict
from enrollments.models import Participation, Receipt, Stay
from enrollments.operations.accounting import WRITTEN, Origin, account_fields
from enrollments.queries import scheduled_end
from enrollments.situation import Situation, lock_named, lock_situation
from targets.errors import CycleNotFound, NotEnrolled
from targets.models import Customer, Target
from targets.queries import Named
from targets.rows import unsaved
from targets.statements import execute_last

PROGRAMME_OVER = "Target period not found: the last period is over, nothing is left to leave."


def unenroll(
    *,
    customer: Customer,
    target: Target,
    at: datetime,
    by: str,
    source: Source,
    effective: Effective = Effective.NOW,
    reason: str = "",
    request_id: str = "",
    batch_id: UUID | None = None,
    dry_run: bool = False,
    even_if_inactive: bool = False,
) -> Receipt:
    """Leave `target` from the cycle running at `at`, or from the one after it (domain.md 5).

    Finished cycles stay the customer's, and whatever they are still owed is still paid. No grant is ever removed.
    Asking for the end of the cycle again while that is scheduled changes nothing and answers the receipt in force.
    Raises `NotEnrolled`, `CycleNotFound`, `StaleInstant`; `TargetGroupNotFound` or `TargetNotFound` where it is
    inactive, unless `even_if_inactive` (staff, who say so). Writes one receipt; with `dry_run` writes nothing and
    returns the same receipt, unsaved.
    """
    with transaction.atomic():
        found = lock_situation(customer, target, at, even_if_inactive=even_if_inactive, is_for_receipt=not dry_run)
        return _leave(found, Origin(at, by, source, reason, request_id, batch_id), effective, dry_run=dry_run)


def unenroll_named(
    *,
    named: Named,
    at: datetime,
    by: str,
    source: Source,
    effective: Effective = Effective.NOW,
    reason: str = "",
    request_id: str = "",
    dry_run: bool = False,
) -> Receipt:
    """`unenroll` of what a call names; raises what `find_target_and_customer` raises besides."""
    with transaction.atomic():
        found = lock_named(named, at, is_for_receipt=not dry_run)
        return _leave(found, Origin(at, by, source, reason, request_id), effective, dry_run=dry_run)


def _leave(found: Situation, origin: Origin, effective: Effective, *, dry_run: bool) -> Receipt:
    """The receipt of leaving, stored unless `dry_run`; or the one in force where nothing changes."""
    target, participation, stay, cycle, state = found.target, found.participation, found.stay, found.cycle, found.state
    if participation is None or stay is None or not found.is_current:
        left_at = None if stay is None else _left_at(stay, target)
        raise not_enrolled(found.customer.customer_id, target, left_at)
    if effective == Effective.END_OF_CYCLE and stay.leave_receipt is not None:
        return stay.leave_receipt
    if cycle is None or state is None:
        raise CycleNotFound(PROGRAMME_OVER)

    leave = decide_leave(
        at=origin.at,
        effective=effective,
        first_cycle=stay.first_cycle,
        running_cycle=cycle.number,
        running=state,
        is_rewarded=found.is_rewarded,
    )
    scheduled = leave.leaves_after is not None
    receipt: Receipt = unsaved(
        Receipt,
        **account_fields(
            origin, participation=participation, stay=stay, streak_count=found.streak_count, running=cycle
        ),
        kind=ReceiptKind.LEAVE_SCHEDULED if scheduled else ReceiptKind.UNENROLLED,
        from_cycle=leave.end_cycle,
        end_cycle_before=stay.end_cycle,
        end_cycle=leave.end_cycle,
        running_verdict=leave.running_verdict or Verdict.NOT_MEMBER,
        running_value=state.value,
        running_achieved_at=state.achieved_at,
    )
    if dry_run:
        return receipt
    has_own_end = scheduled and target.target_group.has_own_calendars
    _store(receipt, leave, found, leaves_at=cycle.ends_at if has_own_end else None)
    return receipt


COLUMNS = [("id", "id"), *((str(each.column), each.attname) for each in WRITTEN)]
STORE = "SELECT write_leave(%s, %s, %s, %s, %s)"


def _store(receipt: Receipt, leave: Leave, found: Situation, *, leaves_at: datetime | None) -> None:
    """Write the receipt, and into stay and participation what it says, by one statement, the last one."""
    values = vars(receipt)
    values |= {"id": found.receipt_id, "transaction_id": found.transaction_id}
    account = orjson.dumps({column: values[attribute] for column, attribute in COLUMNS}, default=str).decode()
    execute_last(STORE, [account, leave.end_cycle, leave.left_at, leave.leaves_after, leaves_at])
    del values["snapshot"]  # the database's: fetched if somebody asks
    receipt._state.adding, receipt._state.db = False, DEFAULT_DB_ALIAS


def cancel_leave(
    *,
    customer: Customer,
    target: Target,
    at: datetime,
    by: str,
    source: Source,
    reason: str = "",
    request_id: str = "",
    batch_id: UUID | None = None,
    even_if_inactive: bool = False,
) -> Receipt:
    """Take back a scheduled leave before it takes effect (domain.md 5).

    Raises `NotEnrolled` where none is pending, `StaleInstant`, and where it is inactive what `unenroll` raises.
    Writes one receipt that names the first.
    """
    with transaction.atomic():
        found = lock_situation(customer, target, at, even_if_inactive=even_if_inactive)
        participation, stay, cycle, state = found.participation, found.stay, found.cycle, found.state
        if participation is None or stay is None or stay.leaves_after is None or not found.is_current:
            raise NotEnrolled(f"Customer {customer.customer_id} has no scheduled leave that could be cancelled.")
        if cycle is None or state is None:
            raise CycleNotFound()
        receipt = Receipt.objects.create(
            **account_fields(
                Origin(at, by, source, reason, request_id, batch_id),
                participation=participation,
                stay=stay,
                streak_count=found.streak_count,
                running=cycle,
            ),
            kind=ReceiptKind.LEAVE_CANCELLED,
            undoes=stay.leave_receipt,
            from_cycle=cycle.number,
            end_cycle_before=stay.end_cycle,
            end_cycle=None,
            running_verdict=Verdict.MEMBER if cycle.number >= stay.first_cycle else Verdict.NOT_MEMBER,
            running_value=state.value,
            running_achieved_at=state.achieved_at,
        )
        Stay.objects.filter(pk=stay.pk).update(end_cycle=None, leaves_after=None, leaves_at=None, leave_receipt=None)
        Participation.objects.filter(pk=participation.pk).update(changed_at=at)
        return receipt


def not_enrolled(customer_id: int | None, target: Target, left_at: datetime | None) -> NotEnrolled:
    """The message says which: never, or when he left."""
    who = f"Customer {customer_id} is not enrolled in target {target.pk}"
    if left_at is None:
        return NotEnrolled(f"{who}: he never was.")
    return NotEnrolled(f"{who}: he left at {left_at:%Y-%m-%dT%H:%M:%S%z}.", left_at=left_at)


def _left_at(stay: Stay, target: Target) -> datetime | None:
    return stay.left_at if stay.leaves_after is None else scheduled_end(stay, target)
