"""Leaving: now, at the end of the running cycle, and changing one's mind (domain.md 5)."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from enrollments.decisions import decide_leave
from enrollments.enums import Effective, ReceiptKind, Source, Verdict
from enrollments.locks import lock_participation, share_running_cycle
from enrollments.models import Participation, Receipt, Stay
from enrollments.operations.accounting import Origin, account_fields
from enrollments.queries import cycle_state, is_current, scheduled_end
from rewards.queries import promised_reward
from targets.errors import CycleNotFound, NotEnrolled
from targets.models import Customer, Target


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
        participation = lock_participation(customer, target, at)
        stays = list(Stay.objects.filter(participation=participation)) if participation else []
        stay = stays[-1] if stays else None
        if participation is None or stay is None or not is_current(stay, target, at):
            raise _not_enrolled(customer, target, stay)
        if effective == Effective.END_OF_CYCLE and stay.leave_receipt is not None:
            return stay.leave_receipt
        cycle = share_running_cycle(target, participation, at, even_if_inactive=even_if_inactive)
        if cycle is None:
            raise CycleNotFound("Target period not found: the last period is over, nothing is left to leave.")

        state = cycle_state(participation, target, stay.run_number, cycle)
        leave = decide_leave(
            at=at,
            effective=effective,
            first_cycle=stay.first_cycle,
            running_cycle=cycle.number,
            running=state,
            is_rewarded=promised_reward(target, cycle.pk, at) is not None,
        )
        scheduled = leave.leaves_after is not None
        receipt = Receipt(
            **account_fields(
                Origin(at, by, source, reason, request_id, batch_id),
                participation=participation,
                target=target,
                stay=stay,
                stays=stays,
                running=cycle,
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
        receipt.save()
        Stay.objects.filter(pk=stay.pk).update(
            end_cycle=leave.end_cycle,
            left_at=leave.left_at,
            leaves_after=leave.leaves_after,
            leaves_at=cycle.ends_at if scheduled and target.target_group.has_own_calendars else None,
            leave_receipt=receipt,
        )
        Participation.objects.filter(pk=participation.pk).update(changed_at=at)
        return receipt


def cancel_leave(
    *,
    customer: Customer,
    target: Target,
    at: datetime,
    by: str,
    source: Source,
    reason: str = "",
    request_id: str = "",
    even_if_inactive: bool = False,
) -> Receipt:
    """Take back a scheduled leave before it takes effect (domain.md 5).

    Raises `NotEnrolled` where none is pending, `StaleInstant`, and where it is inactive what `unenroll` raises.
    Writes one receipt that names the first.
    """
    with transaction.atomic():
        participation = lock_participation(customer, target, at)
        stays = list(Stay.objects.filter(participation=participation)) if participation else []
        stay = stays[-1] if stays else None
        if participation is None or stay is None or stay.leaves_after is None or not is_current(stay, target, at):
            raise NotEnrolled(f"Customer {customer.customer_id} has no scheduled leave that could be cancelled.")
        cycle = share_running_cycle(target, participation, at, even_if_inactive=even_if_inactive)
        if cycle is None:
            raise CycleNotFound()
        state = cycle_state(participation, target, stay.run_number, cycle)
        receipt = Receipt.objects.create(
            **account_fields(
                Origin(at, by, source, reason, request_id),
                participation=participation,
                target=target,
                stay=stay,
                stays=stays,
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


def _not_enrolled(customer: Customer, target: Target, stay: Stay | None) -> NotEnrolled:
    """The message says which: never, or when he left."""
    who = f"Customer {customer.customer_id} is not enrolled in target {target.pk}"
    if stay is None:
        return NotEnrolled(f"{who}: he never was.")
    left_at = stay.left_at if stay.leaves_after is None else scheduled_end(stay, target)
    return NotEnrolled(f"{who}: he left at {left_at:%Y-%m-%dT%H:%M:%S%z}.", left_at=left_at)
