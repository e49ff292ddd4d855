"""Everything held about a customer, section by section, a few rows at a time (docs/privacy.md)."""

from collections.abc import Iterator
from typing import Any, TypeVar

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet

from enrollments.models import EveryActivity, EveryOutcome, Participation, PlannedLeave, Receipt
from enrollments.receipts import Account, accounts
from rewards.models import Grant
from targets.models import Customer, StoredAnswer

Row = TypeVar("Row", bound=Model)

AT_ONCE = 100  # rows in memory, whatever they lead to


def identity(customer: Customer) -> dict[str, Any]:
    return {
        "brand": customer.brand.name,
        "customerId": customer.customer_id,
        "externalId": customer.external_id,
        "firstName": customer.first_name,
        "lastName": customer.last_name,
        "email": customer.email,
        "mobile": customer.mobile,
        "createdAt": customer.created_at,
    }


def sections(customer: Customer) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """The name of each section and its rows, oldest first. Nothing is read before it is asked for."""
    yield "enrolments", _enrolments(customer)
    yield "activities", _activities(customer)
    yield "grants", _grants(customer)
    yield "receipts", _receipts(customer)
    yield "edits", _edits(customer)
    yield "storedAnswers", _stored_answers(customer)
    yield "uploadedLists", _uploaded_lists(customer)


def in_chunks(rows: QuerySet[Row]) -> Iterator[list[Row]]:
    """By key, not by cursor: those of the server do not live behind a connection pool."""
    last = 0
    while chunk := list(rows.filter(pk__gt=last).order_by("pk")[:AT_ONCE]):
        yield chunk
        last = chunk[-1].pk


def _enrolments(customer: Customer) -> Iterator[dict[str, Any]]:
    rows = Participation.objects.filter(customer=customer).select_related("target__target_group")
    for chunk in in_chunks(rows.prefetch_related("stays", "runs", "progress")):
        for each in chunk:
            yield _where(each) | {
                "firstEnrolledAt": each.first_enrolled_at,
                "changedAt": each.changed_at,
                "ownCalendarBeganAt": each.anchored_at,
                "ownCalendarClosedThrough": each.closed_through,
                "run": each.run_number,
                "runs": [{"number": run.number, "startedAt": run.started_at} for run in each.runs.all()],
                "stays": [
                    {
                        "run": stay.run_number,
                        "firstCycle": stay.first_cycle,
                        "endCycle": stay.end_cycle,
                        "enrolledAt": stay.enrolled_at,
                        "leftAt": stay.left_at,
                        "leavesAfterCycle": stay.leaves_after,
                        "leavesAt": stay.leaves_at,
                    }
                    for stay in each.stays.all()
                ],
                "progress": [
                    {
                        "run": progress.run_number,
                        "cycle": progress.cycle_number,
                        "value": progress.value,
                        "adjustment": progress.adjustment,
                        "balanceSetAt": progress.balance_at,
                        "achievedAt": progress.achieved_at,
                    }
                    for progress in each.progress.all()
                ],
            }


def _where(participation: Participation) -> dict[str, Any]:
    target = participation.target
    return {
        "targetGroupId": target.target_group_id,
        "targetGroup": target.target_group.name,
        "targetId": target.pk,
        "target": target.name,
    }


def _activities(customer: Customer) -> Iterator[dict[str, Any]]:
    for chunk in in_chunks(EveryActivity.objects.filter(customer=customer).prefetch_related("outcomes__participation")):
        for each in chunk:
            yield {
                "eventId": each.event_id,
                "eventName": each.event_name,
                "occurredAt": each.occurred_at,
                "recordedAt": each.recorded_at,
                "amount": each.amount,
                "quantity": each.quantity,
                "attributes": each.attributes,
                "notCounted": each.not_counted or None,
                "outcomes": [_outcome(outcome) for outcome in each.outcomes.all()],
            }


def _outcome(outcome: EveryOutcome) -> dict[str, Any]:
    return {
        "targetId": outcome.participation.target_id,
        "run": outcome.run_number,
        "cycle": outcome.cycle_number,
        "notCounted": outcome.reason or None,
        "change": outcome.delta,
        "value": outcome.value,
        "achieved": outcome.achieved,
        "grants": list(outcome.grant_ids),
    }


def _grants(customer: Customer) -> Iterator[dict[str, Any]]:
    for chunk in in_chunks(Grant.objects.filter(customer=customer).select_related("level")):
        for each in chunk:
            yield {
                "grantId": each.pk,
                "targetId": each.target_id,
                "cycle": each.cycle_number,
                "run": each.run_number,
                "level": each.level.name if each.level else None,
                "allocation": each.allocation,
                "reward": {
                    "name": each.reward_name,
                    "kind": each.reward_kind,
                    "value": each.reward_value,
                    "payload": each.reward_payload,
                },
                "achievedAt": each.achieved_at,
                "grantedAt": each.granted_at,
            }


def _receipts(customer: Customer) -> Iterator[dict[str, Any]]:
    for chunk in in_chunks(Receipt.objects.filter(participation__customer=customer)):
        yield from (_receipt(account) for account in accounts(chunk))


def _receipt(account: Account) -> dict[str, Any]:
    receipt = account.receipt
    return {
        "receiptId": receipt.pk,
        "kind": receipt.kind,
        "undoes": receipt.undoes_id,
        "batchId": str(receipt.batch_id) if receipt.batch_id else None,
        "targetId": receipt.participation.target_id,
        "effectiveAt": receipt.effective_at,
        "recordedAt": receipt.recorded_at,
        "source": receipt.source,
        "actor": receipt.actor,
        "reason": receipt.reason,
        "requestId": receipt.request_id,
        "fromCycle": account.from_cycle.ref_code if account.from_cycle else None,
        "run": receipt.run_number,
        "streakCount": receipt.streak_count,
        "cycles": [
            {
                "cycle": line.cycle.number,
                "name": line.cycle.ref_code,
                "verdict": line.verdict.value,
                "value": line.value,
                "targetValue": line.target_value,
                "achievedAt": line.achieved_at,
                "grantId": line.grant.pk if line.grant else None,
            }
            for line in account.cycles
        ],
        "levels": [
            {
                "level": line.level.name,
                "count": line.level.target_count,
                "verdict": line.verdict.value,
                "grantId": line.grant.pk if line.grant else None,
            }
            for line in account.levels
        ],
        "warnings": [message for _, message in account.warnings],
    }


def _edits(customer: Customer) -> Iterator[dict[str, Any]]:
    """What staff changed of him in the admin."""
    content_type = ContentType.objects.get_for_model(Customer)
    rows = LogEntry.objects.filter(content_type=content_type, object_id=str(customer.pk)).select_related("user")
    for chunk in in_chunks(rows):
        for each in chunk:
            yield {
                "at": each.action_time,
                "by": each.user.get_username(),
                "calledHim": each.object_repr,
                "what": each.get_change_message(),
            }


def _stored_answers(customer: Customer) -> Iterator[dict[str, Any]]:
    """What calls with an Idempotency-Key that named him were answered. Of others' business he is told nothing."""
    rows = StoredAnswer.objects.filter(
        api_user__brand=customer.brand_id, customer_ids__contains=[customer.customer_id]
    ).select_related("api_user__user")
    for chunk in in_chunks(rows):
        for each in chunk:
            yield {
                "at": each.recorded_at,
                "apiUser": each.api_user.user.get_username(),
                "status": each.status,
                "customers": len(each.customer_ids),
                "answer": each.body if each.customer_ids == [customer.customer_id] else None,
            }


def _uploaded_lists(customer: Customer) -> Iterator[dict[str, Any]]:
    """Where staff wanted to unenrol him together with others."""
    rows = PlannedLeave.objects.filter(customer=customer).select_related("plan__target__target_group")
    for chunk in in_chunks(rows):
        for each in chunk:
            yield {
                "targetGroupId": each.plan.target.target_group_id,
                "targetId": each.plan.target_id,
                "uploadedAt": each.plan.uploaded_at,
                "by": each.plan.uploaded_by,
                "reason": each.plan.reason,
                "plan": each.verdict,
                "outcome": each.outcome or None,
                "receiptId": each.receipt_id,
            }
