"""Leaving: now, at the end of the running cycle, and changing one's mind (domain.md 5)."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from enrollments.decisions import decide_leave
from enrollments.enums import Effective, ReceiptKind, Source, Verdict
from enrollments.locks import lock_participation, share_cycle
from enrollments.models import Participation, Receipt, Stay
from enrollments.queries import cycle_state, is_current, out_since, promised_reward, scheduled_end, streak
from targets.errors import CycleNotFound, NotEnrolled, StaleInstant
from targets.models import Customer, Cycle, Target
from targets.queries import running_or_next_cycle


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
) -> Receipt:
    """Leave `target` from the cycle running at `at`, or from the one after it (domain.md 5).

    Finished cycles stay the customer's, and whatever they are still owed is still paid. No grant is ever removed.
    Asking for the end of the cycle again while that is scheduled changes nothing and answers the receipt in force.
    Raises `NotEnrolled`, `CycleNotFound`, `StaleInstant`. Writes one receipt; with `dry_run` writes nothing and
    returns the same receipt, unsaved.
    """
    with transaction.atomic():
        participation = lock_participation(customer, target, at)
        stays = list(Stay.objects.filter(participation=participation)) if participation else []
        stay = stays[-1] if stays else None
        if participation is None or stay is None or not is_current(stay, target, at):
            raise NotEnrolled(_why_not_enrolled(customer, target, stay))
        if effective == Effective.END_OF_CYCLE and stay.leave_receipt is not None:
            return stay.leave_receipt
        cycle = running_or_next_cycle(target.target_group, at)
        if cycle is None:
            raise CycleNotFound("Target period not found: the last period is over, nothing is left to leave.")
        if share_cycle(cycle).closed_at is not None:
            raise StaleInstant(at)

        state = cycle_state(participation, target, stay.run_number, cycle)
        leave = decide_leave(
            at=at,
            effective=effective,
            first_cycle=stay.first_cycle,
            running_cycle=cycle.number,
            running=state,
            allocation=target.allocation,  # type: ignore[arg-type]  # a column's str is the enum's value
            is_rewarded=promised_reward(target) is not None,
        )
        scheduled = leave.leaves_after is not None
        receipt = Receipt(
            **_common(participation, target, stay, stays, cycle, at, by, source, reason, request_id, batch_id),
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
            end_cycle=leave.end_cycle, left_at=leave.left_at, leaves_after=leave.leaves_after, leave_receipt=receipt
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
) -> Receipt:
    """Take back a scheduled leave before it takes effect (domain.md 5).

    Raises `NotEnrolled` where none is pending, `StaleInstant`. Writes one receipt that names the first.
    """
    with transaction.atomic():
        participation = lock_participation(customer, target, at)
        stays = list(Stay.objects.filter(participation=participation)) if participation else []
        stay = stays[-1] if stays else None
        if participation is None or stay is None or stay.leaves_after is None or at >= scheduled_end(stay, target):
            raise NotEnrolled(f"Customer {customer.customer_id} has no scheduled leave that could be cancelled.")
        cycle = running_or_next_cycle(target.target_group, at)
        if cycle is None:
            raise CycleNotFound()
        if share_cycle(cycle).closed_at is not None:
            raise StaleInstant(at)
        state = cycle_state(participation, target, stay.run_number, cycle)
        receipt = Receipt.objects.create(
            **_common(participation, target, stay, stays, cycle, at, by, source, reason, request_id, None),
            kind=ReceiptKind.LEAVE_CANCELLED,
            undoes=stay.leave_receipt,
            from_cycle=cycle.number,
            end_cycle_before=stay.end_cycle,
            end_cycle=None,
            running_verdict=Verdict.MEMBER if cycle.number >= stay.first_cycle else Verdict.NOT_MEMBER,
            running_value=state.value,
            running_achieved_at=state.achieved_at,
        )
        Stay.objects.filter(pk=stay.pk).update(end_cycle=None, leaves_after=None, leave_receipt=None)
        Participation.objects.filter(pk=participation.pk).update(changed_at=at)
        return receipt


def _common(
    participation: Participation,
    target: Target,
    stay: Stay,
    stays: list[Stay],
    cycle: Cycle,
    at: datetime,
    by: str,
    source: Source,
    reason: str,
    request_id: str,
    batch_id: UUID | None,
) -> dict[str, object]:
    """What every receipt of a stay says."""
    group = target.target_group
    count = streak(participation, target, stay.run_number, at, stays).count if group.is_streak else 0
    return {
        "brand_id": participation.brand_id,
        "participation": participation,
        "stay": stay,
        "batch_id": batch_id,
        "effective_at": at,
        "recorded_at": at,
        "source": source,
        "actor": by,
        "reason": reason,
        "request_id": request_id,
        "run_number": stay.run_number,
        "streak_count": count,
        "cycle_count": group.cycle_count,
        "first_cycle": stay.first_cycle,
        "running_cycle": cycle.number,
    }


def _why_not_enrolled(customer: Customer, target: Target, stay: Stay | None) -> str:
    """The message says which: never, or when he left."""
    if stay is None:
        return f"Customer {customer.customer_id} is not enrolled in target {target.pk}: he never was."
    ends = {stay.leaves_after: scheduled_end(stay, target)} if stay.leaves_after is not None else {}
    left = out_since(stay, ends)  # type: ignore[arg-type]  # the key is not None where it is looked up
    return f"Customer {customer.customer_id} is not enrolled in target {target.pk}: he left at {left:%Y-%m-%dT%H:%M:%S%z}."
