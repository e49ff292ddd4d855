"""Joining a target, for the first time or again (domain.md 4)."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from enrollments.calendars import has_begun
from enrollments.enums import ReceiptKind, Source, Verdict
from enrollments.locks import keep_customer, lock_participation, share_running_cycle
from enrollments.models import Participation, Progress, Receipt, Run, Stay
from enrollments.operations.accounting import Origin, account_fields
from enrollments.operations.granting import settle
from enrollments.queries import cycle_state, is_current, streak_count
from targets.enums import EvaluationType
from targets.errors import AlreadyEnrolled, CycleNotFound, InvalidInput, StaleInstant
from targets.models import MAX_VALUE, Customer, Cycle, Target, TargetGroup, TargetValue

NONE_TO_JOIN = "Target period not found: the last period is over, there is none to join."


def enroll(
    *,
    customer: Customer,
    target: Target,
    at: datetime,
    by: str,
    source: Source,
    period_name: str | None = None,
    initial_balance: Decimal | None = None,
    reset_streak: bool = False,
    reason: str = "",
    request_id: str = "",
    batch_id: UUID | None = None,
    dry_run: bool = False,
) -> Receipt:
    """Join `target` from the cycle called `period_name`, else the one running at `at`, else the next (domain.md 4).

    `initial_balance` becomes the value of the joined cycle of a milestone; for a streak it is ignored, as is
    `reset_streak` for a milestone, and the receipt's `ignored_fields` say so. `reset_streak` opens the next run.
    Raises `TargetGroupNotFound` or `TargetNotFound` (inactive), `CustomerNotFound` (erased meanwhile),
    `AlreadyEnrolled`, `CycleNotFound`, `InvalidInput` (a balance that would achieve a cycle not begun),
    `StaleInstant`. Writes one receipt; with `dry_run` nothing is written, and that is unsaved.
    """
    is_streak = target.target_group.is_streak
    ignored = ignored_fields(is_streak, initial_balance, reset_streak)
    balance = None if is_streak else initial_balance
    if balance is not None and not 0 <= balance <= MAX_VALUE:
        raise InvalidInput(f"A balance is from 0 to {MAX_VALUE}.", field="initialBalance")

    with transaction.atomic():
        keep_customer(customer)
        participation = lock_participation(customer, target) or _make_participation(customer, target, at)
        stays = list(Stay.objects.filter(participation=participation))
        # Before any date is read: an edit may be moving the end at which a scheduled leave takes effect.
        running = share_running_cycle(target, participation, at)
        if stays and is_current(stays[-1], target, at):
            raise AlreadyEnrolled(f"Customer {customer.customer_id} is already enrolled in target {target.pk}.")
        if running is None:
            raise CycleNotFound(NONE_TO_JOIN)
        joined = running if period_name is None else _find_cycle(target, period_name, running, at)

        run_number = _run_to_join(participation, at, is_first=not stays, reset=is_streak and reset_streak)
        stay = Stay.objects.create(
            participation=participation, run_number=run_number, first_cycle=joined.number, enrolled_at=at
        )
        stays.append(stay)
        if balance is not None:
            _set_balance(participation, target, stay, stays, joined, balance, at)

        state = cycle_state(participation, target, run_number, running)
        receipt = Receipt.objects.create(
            **account_fields(
                Origin(at, by, source, reason, request_id, batch_id),
                participation=participation,
                stay=stay,
                streak_count=streak_count(participation, target, run_number, at, stays),
                running=running,
            ),
            kind=ReceiptKind.ENROLLED if len(stays) == 1 else ReceiptKind.REENROLLED,
            from_cycle=joined.number,
            running_verdict=Verdict.MEMBER if running.number >= joined.number else "",
            running_value=state.value,
            running_achieved_at=state.achieved_at,
            ignored_fields=ignored,
        )
        Participation.objects.filter(pk=participation.pk).update(changed_at=at, run_number=run_number)
        if dry_run:
            transaction.set_rollback(True)
            receipt.pk = None
        return receipt


def ignored_fields(is_streak: bool, initial_balance: Decimal | None, reset_streak: bool) -> list[str]:
    if is_streak:
        return [] if initial_balance is None else ["initialBalance"]
    return ["resetStreakStatus"] if reset_streak else []


def _make_participation(customer: Customer, target: Target, at: datetime) -> Participation:
    """Make and lock it, or lock the one that a simultaneous first enrolment has made."""
    Participation.objects.bulk_create(
        [
            Participation(
                brand_id=target.brand_id,
                customer=customer,
                target=target,
                first_enrolled_at=at,
                changed_at=at,
            )
        ],
        ignore_conflicts=True,
    )
    participation = lock_participation(customer, target)
    if participation is None:  # its maker has rolled back between our two statements
        raise StaleInstant(at)
    return participation


def _find_cycle(target: Target, period_name: str, running: Cycle, at: datetime) -> Cycle:
    cycle = Cycle.objects.filter(target_group=target.target_group_id, ref_code=period_name).first()
    return joinable(cycle, period_name, target.target_group, running, at)


def joinable(cycle: Cycle | None, period_name: str, group: TargetGroup, running: Cycle, at: datetime) -> Cycle:
    """The cycle called `period_name`. Raises `CycleNotFound` where there is none, it is over, or not to be joined yet.

    In a calendar of his own he may name the cycle running for him, or his next one (domain.md 10).
    """
    if cycle is None:
        raise CycleNotFound(f"Target period {period_name!r} is not found in this target group.", field="periodName")
    if cycle.has_ended(at) or (group.has_own_calendars and cycle.number < running.number):
        raise CycleNotFound(f"Target period {period_name!r} is over.", field="periodName")
    if not group.has_own_calendars:
        return cycle
    if cycle.number == running.number:
        return running
    # Where a cycle ends when it is achieved, he would wait for ever for one that he passes over.
    runs_on = group.evaluation_type == EvaluationType.CYCLIC_WINDOW and has_begun(running, group, at)
    if cycle.number != running.number + runs_on:
        raise CycleNotFound(
            f"Target period {period_name!r} is not his next one: leave periodName out to join {running.ref_code!r}.",
            field="periodName",
        )
    return cycle


def _run_to_join(participation: Participation, at: datetime, *, is_first: bool, reset: bool) -> int:
    if not is_first and not reset:
        return participation.run_number
    number = 1 if is_first else participation.run_number + 1
    Run.objects.create(participation=participation, number=number, started_at=at)
    return number


def _set_balance(
    participation: Participation,
    target: Target,
    stay: Stay,
    stays: list[Stay],
    joined: Cycle,
    balance: Decimal,
    at: datetime,
) -> None:
    """A balance is the value at this instant: activity of the cycle that occurred earlier no longer counts."""
    target_value = TargetValue.objects.get(target=target, cycle=joined)
    if balance >= target_value.value and not has_begun(joined, target.target_group, at):
        raise InvalidInput(
            f"A balance of {balance} would achieve period {joined.ref_code!r} before it begins. "
            f"Send less than {target_value.value}, or enrol when it has begun.",
            field="initialBalance",
        )
    progress, _ = Progress.objects.get_or_create(
        participation=participation, run_number=stay.run_number, cycle_number=joined.number
    )
    progress.adjustment += balance - progress.value
    progress.value = balance
    progress.balance_at = at
    settle(
        participation=participation,
        target=target,
        progress=progress,
        target_value=target_value,
        stays=stays,
        at=at,
    )
