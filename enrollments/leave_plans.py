"""Looking an uploaded list through and carrying it out, a bounded chunk at each call: nothing runs between two calls.

Whoever calls again goes on where the last call has ended, however it ended. Somebody may do so at the same time: a
verdict stands once it is written, and nobody leaves twice by a batch (`enrollments/planned.py`).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Q

from enrollments.batch import Batch, Left, leave_chunk
from enrollments.enums import Effective, LeaveOutcome, PlanState, Source
from enrollments.foreseen import Foreseen
from enrollments.models import LeavePlan, PlannedLeave
from enrollments.operations.planning import PlanRefused, locked_plan
from enrollments.planned import NOT_NOW, Planned, carry_out
from targets.wording import instant

TOGETHER_AT_ONCE = 2_000  # lines of a call, set by set
ALONE_AT_ONCE = 200  # where everybody has a calendar of his own

ERASED = "Changed since the plan: the customer was erased."
OPEN = ["", *(outcome.value for outcome in NOT_NOW)]  # outcomes that a later try may replace

STORE_VERDICTS = """
UPDATE enrollments_plannedleave line
   SET verdict = told.verdict, facts = told.facts, forfeited = told.forfeited, note = told.text
  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[])
       AS told (id, verdict, facts, forfeited, text)
 WHERE line.id = told.id AND line.verdict = ''
"""
STORE_OUTCOMES = """
UPDATE enrollments_plannedleave line SET outcome = told.outcome, receipt_id = told.receipt_id, message = told.text
  FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[]) AS told (id, outcome, receipt_id, text)
 WHERE line.id = told.id AND line.outcome = ANY (%s)
"""


class _Line(NamedTuple):
    """What is read of each."""

    pk: int
    customer_id: int | None
    is_known: bool
    verdict: str
    facts: str


def plan_chunk(*, plan: LeavePlan, at: datetime, by: str) -> LeavePlan:
    """Say of the next customers what leaving would mean for each; nobody leaves. Planned when it was the last chunk."""
    lines = _next(plan, Q(verdict=""))
    numbers: dict[int | None, int] = {line.customer_id: line.pk for line in lines if line.customer_id is not None}
    told = [(line.pk, Left(None, LeaveOutcome.UNKNOWN_CUSTOMER)) for line in lines if line.customer_id is None]
    batch = batch_of(plan, by=by, dry_run=True)
    told += [
        (numbers[left.customer_id], left)
        for left in leave_chunk(batch, [number for number in numbers if number is not None])
    ]
    with transaction.atomic():
        plan = locked_plan(plan)
        if plan.state == PlanState.PLANNING:
            rows = [(pk, left.outcome.value, left.facts, left.forfeited or "", _said(plan, left)) for pk, left in told]
            _store(STORE_VERDICTS, rows, [])
            if not plan.lines.filter(verdict="").exists():
                plan.state, plan.planned_at = PlanState.PLANNED, at
                plan.leaving = plan.lines.exclude(facts="").count()
                plan.save(update_fields=["state", "planned_at", "leaving"])
    return plan


def run_chunk(*, plan: LeavePlan, at: datetime, by: str, request_id: str = "") -> LeavePlan:
    """Unenrol the next customers, whoever's leave still means what was planned. Done when it was the last chunk.

    Raises `PlanRefused` where it has not been started.
    """
    plan.refresh_from_db(fields=["state"])
    if plan.state != PlanState.RUNNING:
        raise PlanRefused(f"It is {plan.get_state_display().lower()}.")
    lines = _next(plan, Q(outcome=""))
    asked = [line for line in lines if line.customer_id is not None and _is_asked(line)]
    batch = batch_of(plan, by=by, request_id=request_id)
    planned = [Planned(line.customer_id or 0, LeaveOutcome(line.verdict), Foreseen.read(line.facts)) for line in asked]
    told = [(line.pk, _unasked(line)) for line in lines if line.customer_id is None or not _is_asked(line)]
    told += [(line.pk, left) for line, left in zip(asked, carry_out(batch, planned), strict=True)]
    with transaction.atomic():
        plan = locked_plan(plan)
        rows = [(pk, left.outcome.value, left.receipt_id, _said(plan, left)) for pk, left in told]
        _store(STORE_OUTCOMES, rows, [OPEN])
        if plan.state == PlanState.RUNNING and not plan.lines.filter(outcome="").exists():
            plan.state, plan.ended_by, plan.ended_at = PlanState.DONE, by, at
            plan.save(update_fields=["state", "ended_by", "ended_at"])
    return plan


def try_again(*, plan: LeavePlan) -> LeavePlan:
    """Those for whom it was only not possible just then are open again. Raises `PlanRefused` where there are none."""
    with transaction.atomic():
        plan = locked_plan(plan)
        again = plan.lines.filter(outcome__in=NOT_NOW).exclude(facts="")
        if plan.state != PlanState.DONE or not again.update(outcome="", message=""):
            raise PlanRefused("There is nobody to be tried again.")
        plan.state = PlanState.RUNNING
        plan.save(update_fields=["state"])
    return plan


def batch_of(plan: LeavePlan, *, by: str, request_id: str = "", dry_run: bool = False) -> Batch:
    return Batch(
        brand=plan.brand,
        target=plan.target,
        by=by,
        source=Source.ADMIN,
        reason=plan.reason,
        effective=Effective(plan.effective),
        request_id=request_id,
        batch_id=plan.batch_id,
        dry_run=dry_run,
        even_if_inactive=plan.include_inactive,
        is_resumed=not dry_run,
    )


def _next(plan: LeavePlan, is_open: Q) -> list[_Line]:
    """The first that are open, in the order of the file."""
    at_once = ALONE_AT_ONCE if plan.target.target_group.has_own_calendars else TOGETHER_AT_ONCE
    rows = PlannedLeave.objects.filter(is_open, plan=plan).order_by("line")
    found = rows.values_list("pk", "customer__customer_id", "customer", "verdict", "facts")[:at_once]
    return [_Line(pk, number, customer is not None, verdict, facts) for pk, number, customer, verdict, facts in found]


def _is_asked(line: _Line) -> bool:
    return line.verdict != LeaveOutcome.DUPLICATE_IN_REQUEST


def _unasked(line: _Line) -> Left:
    """Of whom there is nothing to ask: nobody is named, or somebody named before, or erased since."""
    if line.is_known and line.facts:
        return Left(None, LeaveOutcome.CHANGED, message=ERASED)
    return Left(None, LeaveOutcome(line.verdict))


def _said(plan: LeavePlan, left: Left) -> str:
    """Why not, without the number of the customer: he may be erased, and this is kept."""
    if left.left_at is not None:
        zone = plan.target.target_group.time_zone
        began = "Changed since the plan: he left" if left.outcome == LeaveOutcome.CHANGED else "Left"
        return f"{began} {instant(left.left_at, zone)} ({zone})."
    return "" if left.outcome in (LeaveOutcome.NEVER_ENROLLED, LeaveOutcome.UNKNOWN_CUSTOMER) else left.message[:500]


def _store(statement: str, rows: Iterable[Sequence[Any]], more: list[Any]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        with connection.cursor() as cursor:
            cursor.execute(statement, [*columns, *more])
