"""Uploaded lists of customers who are to leave a target: taken, approved by a second person, begun, withdrawn, purged.

What stands in a list is looked at and carried out by `enrollments/leave_plans.py`, chunk by chunk.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from uuid import uuid4

from django.conf import settings
from django.db import connection, transaction

from enrollments.enums import Effective, LeaveOutcome, PlanState
from enrollments.models import LeavePlan, PlannedLeave
from enrollments.uploaded import Given
from targets.enums import AuditAction
from targets.models import Customer, Target
from targets.operations import Change, record

AT_ONCE = 5_000  # rows of a statement
PURGED_AT_ONCE = 10_000

SEVERAL = "Several customers of the brand have this external id."
# An array, found once: a query in its place the planner may join to, and ask for so many more with every row.
PURGE_LINES = """
DELETE FROM enrollments_plannedleave WHERE id = ANY(ARRAY(
    SELECT line.id FROM enrollments_plannedleave line JOIN enrollments_leaveplan plan ON plan.id = line.plan_id
     WHERE plan.uploaded_at < %s LIMIT %s FOR UPDATE OF line SKIP LOCKED
))
"""
PURGE_PLANS = """
DELETE FROM enrollments_leaveplan plan
 WHERE plan.uploaded_at < %s AND NOT EXISTS (SELECT FROM enrollments_plannedleave WHERE plan_id = plan.id)
"""


class PlanRefused(Exception):
    """It cannot be done with this plan, or not now; nothing was changed."""


def upload_plan(
    *,
    target: Target,
    given: Sequence[Given],
    effective: Effective,
    reason: str,
    at: datetime,
    by: str,
    include_inactive: bool = False,
    file_name: str = "",
) -> LeavePlan:
    """Take a list. Everybody on it is looked up in the target's brand; what leaving means is for `plan_chunk`.

    Whoever is named again is a duplicate of the first line that names him, in whichever way it does.
    """
    with transaction.atomic():
        plan = LeavePlan.objects.create(
            brand_id=target.brand_id,
            target=target,
            batch_id=uuid4(),
            effective=effective,
            reason=reason,
            include_inactive=include_inactive,
            file_name=file_name,
            rows=len(given),
            approval_above=settings.BULK_APPROVAL_ABOVE,
            uploaded_by=by,
            uploaded_at=at,
        )
        lines = _lines(plan, given)
        while chunk := list(islice(lines, AT_ONCE)):
            PlannedLeave.objects.bulk_create(chunk)
        record(AuditAction.ADDED, plan, [Change("customers", None, str(plan.rows)), Change("reason", None, reason)])
    return plan


def _lines(plan: LeavePlan, given: Sequence[Given]) -> Iterator[PlannedLeave]:
    first: dict[int, int] = {}  # line that names a customer, by his key
    for start in range(0, len(given), AT_ONCE):
        chunk = given[start : start + AT_ONCE]
        known = _known(plan.brand_id, chunk)
        for each in chunk:
            line = PlannedLeave(plan=plan, brand_id=plan.brand_id, line=each.line)
            keys = known.get(each.text if each.number is None else each.number, [])
            if len(keys) != 1:
                line.given = each.text
                line.verdict = LeaveOutcome.UNKNOWN_CUSTOMER
                line.note = SEVERAL if keys else ""
            else:
                line.customer_id = keys[0]
                if (named := first.setdefault(keys[0], each.line)) != each.line:
                    line.verdict = LeaveOutcome.DUPLICATE_IN_REQUEST
                    line.note = f"Was named on line {named}."
            yield line


def _known(brand_id: int, given: Iterable[Given]) -> dict[int | str, list[int]]:
    """Keys of the customers, by number and by external id. Two statements."""
    numbers = {each.number for each in given if each.number is not None}
    texts = {each.text for each in given if each.number is None}
    customers = Customer.objects.filter(brand=brand_id)
    found: dict[int | str, list[int]] = {}
    for name, wanted in (("customer_id", numbers), ("external_id", texts)):
        for value, pk in customers.filter(**{f"{name}__in": wanted}).values_list(name, "pk"):
            found.setdefault(value, []).append(pk)
    return found


def locked_plan(plan: LeavePlan) -> LeavePlan:
    """As it is now; whoever changes it waits. Raises `PlanRefused` where it has been purged."""
    found = LeavePlan.objects.select_for_update(of=("self",), no_key=True).filter(pk=plan.pk).first()
    if found is None:
        raise PlanRefused("It is no longer kept.")
    found.brand, found.target = plan.brand, plan.target
    return found


def approve_plan(*, plan: LeavePlan, at: datetime, by: str) -> LeavePlan:
    """Agree to a large plan, as a second person. Raises `PlanRefused`. Puts it on record in the audit."""
    with transaction.atomic():
        plan = locked_plan(plan)
        if plan.state != PlanState.PLANNED:
            raise PlanRefused(f"Only what is planned can be approved; this is {plan.get_state_display().lower()}.")
        if not plan.needs_approval:
            raise PlanRefused("It needs no approval.")
        if plan.uploaded_by == by:
            raise PlanRefused("Whoever has uploaded a list cannot approve it: that is for a second person.")
        if plan.approved_by:
            raise PlanRefused(f"{plan.approved_by} has approved it already.")
        plan.approved_by, plan.approved_at = by, at
        plan.save(update_fields=["approved_by", "approved_at"])
        record(AuditAction.CHANGED, plan, [Change("approved for so many customers", None, str(plan.leaving))])
    return plan


def start_plan(*, plan: LeavePlan, at: datetime, by: str) -> LeavePlan:
    """From now on it may be carried out. Raises `PlanRefused`: not approved, too old, nobody to leave."""
    with transaction.atomic():
        plan = locked_plan(plan)
        if plan.state != PlanState.PLANNED or plan.planned_at is None:
            raise PlanRefused(f"Only what is planned can be started; this is {plan.get_state_display().lower()}.")
        if plan.leaving == 0:
            raise PlanRefused("Nobody leaves by it.")
        if plan.needs_approval and not plan.approved_by:
            raise PlanRefused("A second person has to approve it first.")
        if at - plan.planned_at > timedelta(hours=settings.PLAN_HOURS):
            raise PlanRefused(
                f"It may be begun within {settings.PLAN_HOURS} hours (PLAN_HOURS), and is older: upload the list again."
            )
        plan.state, plan.started_by, plan.started_at = PlanState.RUNNING, by, at
        plan.save(update_fields=["state", "started_by", "started_at"])
        record(AuditAction.CHANGED, plan, [Change("started for so many customers", None, str(plan.leaving))])
    return plan


def withdraw_plan(*, plan: LeavePlan, at: datetime, by: str) -> LeavePlan:
    """It is never carried out. Raises `PlanRefused` where that has begun."""
    with transaction.atomic():
        plan = locked_plan(plan)
        if plan.state not in (PlanState.PLANNING, PlanState.PLANNED):
            raise PlanRefused(f"It cannot be withdrawn: it is {plan.get_state_display().lower()}.")
        plan.state, plan.ended_by, plan.ended_at = PlanState.WITHDRAWN, by, at
        plan.save(update_fields=["state", "ended_by", "ended_at"])
        record(AuditAction.CHANGED, plan, [Change("withdrawn")])
    return plan


def purge_plans(*, before: datetime, at_once: int = PURGED_AT_ONCE) -> Iterator[int]:
    """Remove lists uploaded before that instant, whatever became of them; how many rows, a transaction each time.

    What is not consumed is not removed. Several may do it at once. Receipts and the audit stay.
    """
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(PURGE_LINES, [before, at_once])
            removed = cursor.rowcount
            cursor.execute(PURGE_PLANS, [before])
            removed += cursor.rowcount
        if not removed:
            return
        yield removed
