"""Undoing an unenrolment, as if he had not left (domain.md 5)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from enrollments.calendars import filled, own_calendar
from enrollments.enums import NotCounted, ReceiptKind, Source, Verdict
from enrollments.locks import keep_customer
from enrollments.models import ActivityOutcome, Participation, Receipt, Stay
from enrollments.operations.accounting import Origin, account_fields
from enrollments.operations.counting import count_again
from enrollments.operations.leaving import cancel_leave
from enrollments.queries import cycle_state, streak_count
from enrollments.situation import lock_situation
from targets.errors import (
    AlreadyUndone,
    ChangedSince,
    CustomerErased,
    CustomerNotFound,
    CycleNotFound,
    NotALeave,
    NotEnrolled,
    StaleInstant,
    TooLateToUndo,
)
from targets.models import Cycle, Target, TargetGroup
from targets.queries import refuse_inactive

ENROL_AGAIN = "Enrol the customer again instead."


@dataclass(frozen=True)
class Undone:
    """`receipt` took a leave back. `counted`: how many activities count now that did not only because of the leave;
    `granted`: how many rewards that gave."""

    receipt: Receipt
    counted: int = 0
    granted: int = 0


def undo_leave(
    *,
    receipt: Receipt,
    at: datetime,
    by: str,
    source: Source,
    reason: str = "",
    request_id: str = "",
    batch_id: UUID | None = None,
    dry_run: bool = False,
) -> Undone:
    """Take back the leave of which `receipt` tells: the stay ends as it did before, mostly not at all.

    An unenrolment is undone: possible for `settings.UNDO_HOURS`, while no period that was left has closed, and while
    it is the last change of the enrolment. What he did meanwhile and did not count only because he had left is counted
    now, in the order in which it arrived, each judged as of its arrival; rewards are given as promised at `at`.
    A scheduled leave is cancelled as by `cancel_leave`, until it takes effect.

    `receipt` comes with its participation, customer, target and group. Raises `NotALeave`; `TargetGroupNotFound` or
    `TargetNotFound` where it is inactive; `CustomerErased`, `AlreadyUndone`, `ChangedSince`, `TooLateToUndo`,
    `StaleInstant`. Writes one receipt, which names the first; with `dry_run` nothing is written, and that is unsaved.
    """
    origin = Origin(at, by, source, reason, request_id, batch_id)
    if receipt.kind not in (ReceiptKind.UNENROLLED, ReceiptKind.LEAVE_SCHEDULED):
        raise NotALeave(f"Receipt {receipt.pk} is of kind {receipt.kind}: there is nothing to take back.")
    take_back = _undo if receipt.kind == ReceiptKind.UNENROLLED else _cancel
    target = receipt.participation.target
    refuse_inactive(target, is_group_active=target.target_group.is_active, is_target_active=target.is_active)
    with transaction.atomic():
        try:
            keep_customer(receipt.participation.customer)
        except CustomerNotFound:
            raise CustomerErased(
                f"The customer of receipt {receipt.pk} was erased: he cannot be brought back."
            ) from None
        undone = take_back(receipt, origin)
        if dry_run:
            transaction.set_rollback(True)
            undone.receipt.pk = None
    return undone


def undo_until(receipt: Receipt) -> datetime:
    """The instant from which on an unenrolment can no longer be undone, whatever else happens."""
    return receipt.effective_at + timedelta(hours=settings.UNDO_HOURS)


def _undo(receipt: Receipt, origin: Origin) -> Undone:
    target, customer, at = receipt.participation.target, receipt.participation.customer, origin.at
    found = lock_situation(customer, target, at, even_if_inactive=False)
    participation, stay = found.participation, found.stay
    _refuse_if_changed(receipt)
    if participation is None or stay is None or stay.leave_receipt_id != receipt.pk:
        raise AssertionError(f"Receipt {receipt.pk} is the last one of its enrolment, but not in force.")
    group = _refuse_frozen(target)
    left = _refuse_if_late(receipt, participation, group, at)

    out = ActivityOutcome.objects.filter(left_by=receipt, reason=NotCounted.NOT_ENROLLED)
    missed = list(out.select_related("activity").order_by("pk"))  # as they arrived
    if any(each.activity.recorded_at > at for each in missed):
        raise StaleInstant(at)

    _put_back(stay, receipt, participation)
    counted = [each for each in missed if count_again(each, participation, customer.brand, at)]
    stays = list(Stay.objects.filter(participation=participation))
    running = _running(found.cycle, target, participation, at)
    state = None if running is None else cycle_state(participation, target, stay.run_number, running)
    undoing = Receipt.objects.create(
        **account_fields(
            origin,
            participation=participation,
            stay=stay,
            streak_count=streak_count(participation, target, stay.run_number, at, stays),
            running=left,
        )
        | {"running_cycle": running.number if running else None},
        kind=ReceiptKind.UNENROLMENT_UNDONE,
        undoes=receipt,
        from_cycle=left.number,
        end_cycle_before=receipt.end_cycle,
        end_cycle=receipt.end_cycle_before,
        running_verdict=_verdict(stay, running),
        running_value=state.value if state else None,
        running_achieved_at=state.achieved_at if state else None,
    )
    Participation.objects.filter(pk=participation.pk).update(changed_at=at)
    return Undone(undoing, len(counted), sum(len(each.grant_ids) for each in counted))


def _refuse_if_changed(receipt: Receipt) -> None:
    """Only the last change of an enrolment can be taken back. The caller has locked it."""
    last = Receipt.objects.filter(participation=receipt.participation_id).order_by("-pk").first()
    if last is not None and last.pk != receipt.pk:
        raise _taken_back_or_changed(receipt, last)


def _taken_back_or_changed(receipt: Receipt, last: Receipt) -> AlreadyUndone | ChangedSince:
    undoing = Receipt.objects.filter(undoes=receipt).first()
    if undoing is not None:
        return AlreadyUndone(
            f"Receipt {receipt.pk} was taken back by receipt {undoing.pk}, at {undoing.effective_at.isoformat()}.",
            receipt_id=undoing.pk,
        )
    return ChangedSince(
        f"Receipt {receipt.pk} is not the last change of this enrolment: that is receipt {last.pk} of kind {last.kind}."
    )


def _refuse_frozen(target: Target) -> TargetGroup:
    """Looked at again under the shared calendar, also where the programme is over. Answers the group as it is now."""
    now = Target.objects.select_related("target_group").get(pk=target.pk)
    refuse_inactive(target, is_group_active=now.target_group.is_active, is_target_active=now.is_active)
    target.is_active = True  # count_again asks it
    return now.target_group


def _refuse_if_late(receipt: Receipt, participation: Participation, group: TargetGroup, at: datetime) -> Cycle:
    """The first cycle that he left, with its group.

    A cycle is closed from its closing instant on, however late the job comes: what it pays is decided then. None that
    he is to be a member of again may be: those after the first could close before it, by having fewer late days.
    """
    if at >= undo_until(receipt):
        raise TooLateToUndo(
            f"The unenrolment of {receipt.effective_at.isoformat()} could be undone before "
            f"{undo_until(receipt).isoformat()}. {ENROL_AGAIN}"
        )
    later = Cycle.objects.filter(target_group=group, number__gte=receipt.end_cycle).order_by("number")
    if group.has_own_calendars:
        calendar = own_calendar(group, participation)
        cycles = [filled(cycle, calendar) for cycle in later[:1]]  # they close in their order
        closed = next((cycle for cycle in cycles if cycle.is_closed(at)), None)
    else:
        cycles = list(later[:1])
        closed = later.filter(Q(closed_at__isnull=False) | Q(closes_at__lte=at)).first()
    if closed is not None:
        raise TooLateToUndo(f"Period {closed.ref_code!r}, which he left, has closed. {ENROL_AGAIN}")
    (left,) = cycles
    left.target_group = group
    return left


def _put_back(stay: Stay, receipt: Receipt, participation: Participation) -> None:
    """The end that the stay had before: none, or that of the scheduled leave which this one replaced."""
    stay.end_cycle, stay.left_at, stay.leave_receipt = receipt.end_cycle_before, None, None
    if receipt.end_cycle_before is not None:
        scheduled = Receipt.objects.filter(participation=participation, stay=stay, kind=ReceiptKind.LEAVE_SCHEDULED)
        stay.leave_receipt = scheduled.filter(undone_by=None, pk__lt=receipt.pk).latest("pk")
        stay.leaves_after = stay.leave_receipt.running_cycle
        group = participation.target.target_group
        if group.has_own_calendars:
            stay.leaves_at = own_calendar(group, participation).ends_at(stay.leaves_after or 0)
    stay.save(update_fields=["end_cycle", "left_at", "leave_receipt", "leaves_after", "leaves_at"])


def _running(cycle: Cycle | None, target: Target, participation: Participation, at: datetime) -> Cycle | None:
    """The running cycle, or the next; what has been counted may have moved it in a calendar of his own."""
    group = target.target_group
    if not group.has_own_calendars:
        return cycle
    calendar = own_calendar(group, participation)
    number = calendar.running_or_next(at)
    return None if number is None else filled(group.cycles.get(number=number), calendar)


def _verdict(stay: Stay, running: Cycle | None) -> Verdict | str:
    if running is None:
        return ""
    return Verdict.MEMBER if stay.covers(running.number) else Verdict.NOT_MEMBER


def _cancel(receipt: Receipt, origin: Origin) -> Undone:
    """A scheduled leave; from the end of its period on there is nothing to cancel."""
    try:
        with transaction.atomic():
            cancelled = cancel_leave(
                customer=receipt.participation.customer,
                target=receipt.participation.target,
                at=origin.at,
                by=origin.by,
                source=origin.source,
                reason=origin.reason,
                request_id=origin.request_id,
                batch_id=origin.batch_id,
            )
            if cancelled.undoes_id == receipt.pk:
                return Undone(cancelled)
            raise NotEnrolled  # another leave is pending, and stays so
    except (NotEnrolled, CycleNotFound):
        if Stay.objects.filter(participation=receipt.participation_id).latest("pk").leave_receipt_id == receipt.pk:
            raise TooLateToUndo(f"The scheduled leave has taken effect: he is out. {ENROL_AGAIN}") from None
        last = Receipt.objects.filter(participation=receipt.participation_id).latest("pk")
        raise _taken_back_or_changed(receipt, last) from None
