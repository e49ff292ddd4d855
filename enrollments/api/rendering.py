"""Our own answers as JSON (api.md 7)."""

from collections.abc import Iterable
from typing import Any

from enrollments.enums import NotCounted
from enrollments.models import Receipt
from enrollments.operations import Recorded
from enrollments.receipts import Account, CycleLine, LevelLine
from enrollments.standing import CycleStanding, LevelStanding, Standing
from rewards.api.rendering import grants_json
from targets.answers import Notice
from targets.api.rendering import amount, instant
from targets.errors import WarningCode
from targets.models import Cycle


def period_json(cycle: Cycle | None) -> dict[str, Any] | None:
    return None if cycle is None else {"id": cycle.pk, "number": cycle.number, "refCode": cycle.ref_code}


def cycle_line_json(line: CycleLine | CycleStanding) -> dict[str, Any]:
    return {
        "periodId": line.cycle.pk,
        "number": line.cycle.number,
        "refCode": line.cycle.ref_code,
        "startDate": instant(line.cycle.starts_at),
        "endDate": instant(line.cycle.ends_at),
        "verdict": line.verdict.value,
        "value": amount(line.value),
        "targetValue": amount(line.target_value),
        "achievedAt": instant(line.achieved_at),
        "grantId": line.grant.pk if line.grant else None,
    }


def level_line_json(line: LevelLine | LevelStanding) -> dict[str, Any]:
    return {
        "streakId": line.level.pk,
        "name": line.level.name,
        "targetCountOfSequence": line.level.target_count,
        "verdict": line.verdict.value,
        "grantId": line.grant.pk if line.grant else None,
    }


def notices(warnings: Iterable[tuple[WarningCode, str]]) -> list[Notice]:
    return [Notice(code, message) for code, message in warnings]


def receipt_json(account: Account) -> dict[str, Any]:
    receipt = account.receipt
    participation = receipt.participation
    return {
        "receiptId": receipt.pk,
        "kind": receipt.kind,
        "undoes": receipt.undoes_id,
        "batchId": str(receipt.batch_id) if receipt.batch_id else None,
        "customerId": participation.customer.customer_id,
        "targetGroupId": participation.target.target_group_id,
        "targetId": participation.target_id,
        "effectiveAt": instant(receipt.effective_at),
        "recordedAt": instant(receipt.recorded_at),
        "source": receipt.source,
        "actor": receipt.actor,
        "reason": receipt.reason,
        "requestId": receipt.request_id,
        "fromPeriod": period_json(account.from_cycle),
        "run": receipt.run_number,
        "streakCount": receipt.streak_count,
        "cycles": [cycle_line_json(line) for line in account.cycles],
        "levels": [level_line_json(line) for line in account.levels],
        "warnings": [notice.as_json() for notice in notices(account.warnings)],
    }


def recorded_json(recorded: Recorded, period_ids: dict[tuple[int, int], int]) -> dict[str, Any]:
    """`period_ids` maps (target id, cycle number) to the id of the period."""
    counted, not_counted = [], []
    for outcome in recorded.outcomes:
        target_id = outcome.participation.target_id
        if outcome.reason:
            not_counted.append({"targetId": target_id, "reason": str(outcome.reason)})
            continue
        counted.append(
            {
                "targetId": target_id,
                "periodId": period_ids[target_id, outcome.cycle_number or 0],
                "value": amount(outcome.value),
                "achieved": outcome.achieved,
                "grants": list(outcome.grant_ids),
            }
        )
    if recorded.not_counted is not None:
        not_counted.append({"targetId": None, "reason": recorded.not_counted.value})
    if recorded.is_duplicate:
        not_counted.append({"targetId": None, "reason": NotCounted.DUPLICATE.value})
    return {"eventId": recorded.event_id, "counted": counted, "notCounted": not_counted}


def receipt_summary_json(receipt: Receipt) -> dict[str, Any]:
    return {
        "receiptId": receipt.pk,
        "kind": receipt.kind,
        "effectiveAt": instant(receipt.effective_at),
        "recordedAt": instant(receipt.recorded_at),
        "source": receipt.source,
        "actor": receipt.actor,
        "reason": receipt.reason,
    }


def enrollment_json(standing: Standing, receipts: list[Receipt]) -> dict[str, Any]:
    """`receipts`: what changed the enrolment, oldest first."""
    participation = standing.participation
    names = {line.cycle.number: line.cycle.ref_code for line in standing.cycles}
    leaves_at_end_of = standing.leaves_at_end_of
    return {
        "customerId": participation.customer.customer_id,
        "enrolled": standing.is_enrolled,
        "leavesAtEndOf": leaves_at_end_of.ref_code if leaves_at_end_of else None,
        "stays": [
            {
                "firstPeriod": names[stay.first_cycle],
                "endPeriod": names.get(stay.end_cycle or 0),
                "enrolledAt": instant(stay.enrolled_at),
                "unenrolledAt": instant(standing.left_at[stay.pk]),
                "reason": standing.leaves[stay.pk].reason if stay.pk in standing.leaves else None,
                "run": stay.run_number,
            }
            for stay in standing.stays
        ],
        "run": participation.run_number or None,
        "streakCount": standing.streak_count,
        "cycles": [cycle_line_json(line) for line in standing.cycles],
        "levels": [level_line_json(line) for line in standing.levels],
        "grants": grants_json(standing.grants),
        "receipts": [receipt_summary_json(each) for each in receipts],
    }
