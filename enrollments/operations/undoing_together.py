"""The set-based twin of `undo_leave`, for the many of one target who have done nothing since (domain.md 5)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from enrollments.enums import NotCounted, ReceiptKind, Source, Verdict
from enrollments.locks import share_running_cycle
from enrollments.models import Participation, Receipt, Stay
from enrollments.operations.accounting import WRITTEN, Origin, account_fields
from enrollments.operations.leaving_statements import AS_EVER, BY_INDEX, STREAK_COUNT
from enrollments.operations.leaving_together import breaking_cycles
from targets.models import Cycle, Target

# Of a target that the statistics do not know yet the planner expects a handful of enrolments, and would begin with all
# of them: so which one it is is not said before the plan is made.
LOCK = """
CREATE TEMPORARY TABLE undoing_locked ON COMMIT DROP AS
SELECT receipt.id AS undoes_id, participation.id
  FROM unnest(%(ids)s::bigint[]) asked (id)
  JOIN enrollments_receipt receipt ON receipt.id = asked.id
  JOIN enrollments_participation participation ON participation.id = receipt.participation_id
  JOIN targets_customer customer ON customer.id = participation.customer_id
 WHERE participation.target_id = (SELECT %(target)s::bigint) AND customer.erased_at IS NULL
 ORDER BY participation.id FOR KEY SHARE OF customer{waiting} FOR NO KEY UPDATE OF participation{waiting}
"""

# Those whom `undo_leave` would put back without more ado. It is asked about all others, and refuses or counts. What is
# looked up for each is a subquery, so that it is by its index; as NOT EXISTS it was joined, at forty times the time.
DECIDE = """
CREATE TEMPORARY TABLE undoing_decided ON COMMIT DROP AS
SELECT receipt.id AS undoes_id, participation.id AS participation_id, stay.id AS stay_id, stay.run_number,
       stay.first_cycle, receipt.end_cycle AS end_cycle_before, coalesce(progress.value, 0) AS running_value,
       progress.achieved_at AS running_achieved_at,
       CASE WHEN stay.first_cycle <= %(running)s THEN %(member)s ELSE %(not_member)s END AS running_verdict,
       CASE WHEN NOT %(dry_run)s THEN nextval(pg_get_serial_sequence('enrollments_receipt', 'id')) END AS receipt_id
  FROM undoing_locked locked
  JOIN enrollments_receipt receipt ON receipt.id = locked.undoes_id
  JOIN enrollments_participation participation ON participation.id = locked.id
  JOIN enrollments_stay stay ON stay.id = receipt.stay_id AND stay.leave_receipt_id = receipt.id
  LEFT JOIN enrollments_progress progress
    ON progress.participation_id = locked.id AND progress.run_number = stay.run_number
   AND progress.cycle_number = %(running)s
 WHERE receipt.kind = %(kind)s AND receipt.end_cycle_before IS NULL AND receipt.effective_at > %(left_after)s
   AND participation.changed_at <= %(at)s
   AND receipt.id = (SELECT max(each.id) FROM enrollments_receipt each WHERE each.participation_id = locked.id)
   AND receipt.end_cycle > coalesce((
     SELECT max(cycle.number) FROM targets_cycle cycle
      WHERE cycle.target_group_id = %(group)s AND (cycle.closed_at IS NOT NULL OR cycle.closes_at <= %(at)s)), 0)
   AND (SELECT missed.id FROM enrollments_activityoutcome missed
         WHERE missed.left_by_id = receipt.id AND missed.reason = %(not_enrolled)s LIMIT 1) IS NULL
"""
PUT_BACK = """
UPDATE enrollments_stay stay SET end_cycle = NULL, left_at = NULL, leave_receipt_id = NULL
  FROM undoing_decided decided WHERE stay.id = decided.stay_id
"""

# What differs from receipt to receipt of a chunk; all else is the same on each. Counted with the stay put back.
OF_EACH = {
    "participation_id": "decided.participation_id",
    "stay_id": "decided.stay_id",
    "undoes_id": "decided.undoes_id",
    "run_number": "decided.run_number",
    "streak_count": "{streak_count}",
    "from_cycle": "decided.end_cycle_before",
    "first_cycle": "decided.first_cycle",
    "end_cycle_before": "decided.end_cycle_before",
    "running_value": "decided.running_value",
    "running_verdict": "decided.running_verdict",
    "running_achieved_at": "decided.running_achieved_at",
}
COLUMNS = [str(field.column) for field in WRITTEN]
ACCOUNT = f"""
INSERT INTO enrollments_receipt (id, {", ".join(COLUMNS)})
SELECT decided.receipt_id, {", ".join(OF_EACH.get(name, f"%({name})s") for name in COLUMNS)}
  FROM undoing_decided decided JOIN enrollments_stay stay ON stay.id = decided.stay_id
"""  # noqa: S608 - names of our own columns
TOUCH = """
UPDATE enrollments_participation participation SET changed_at = %(at)s
  FROM undoing_decided decided WHERE participation.id = decided.participation_id
"""
DROP = "DROP TABLE undoing_locked, undoing_decided"  # an outer transaction may have more chunks to come


def undo_together(
    *,
    target: Target,
    receipt_ids: Sequence[int],
    at: datetime,
    by: str,
    source: Source,
    reason: str = "",
    request_id: str = "",
    batch_id: UUID | None = None,
    dry_run: bool = False,
) -> dict[int, int | None]:
    """Undo those of the unenrolments that need nothing but the end of the stay put back, in a constant number of
    statements: who has done nothing since that did not count because of it, and of whom nothing is to be refused.

    Answers the new receipt of each by the one it undoes, None with `dry_run`. Whoever is not in it is left as he was,
    and is to be undone for himself by `undo_leave`. Nobody who is locked is waited for, except inside a transaction of
    the caller. Where everybody has a calendar of his own this is not to be used. Raises `StaleInstant`,
    `TargetGroupNotFound`, `TargetNotFound`.
    """
    # Who is alone with his transaction waits for nobody while he holds thousands.
    waiting = "" if connection.in_atomic_block else " SKIP LOCKED"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        cursor.execute(LOCK.format(waiting=waiting), {"ids": list(receipt_ids), "target": target.pk})
        # Statements of their own from here on: only they see what was committed while the locks were waited for.
        running = share_running_cycle(target, None, at)
        cursor.execute(DECIDE, _decided_on(target, running, at, dry_run))
        if running is not None and not dry_run:
            _store(cursor, target, running, Origin(at, by, source, reason, request_id, batch_id))
        cursor.execute("SELECT undoes_id, receipt_id FROM undoing_decided")
        undone = dict(cursor.fetchall())
        cursor.execute(f"{DROP}; {AS_EVER}")
        return undone if running is not None else {}


def _decided_on(target: Target, running: Cycle | None, at: datetime, dry_run: bool) -> dict[str, Any]:
    return {
        "group": target.target_group_id,
        "at": at,
        "left_after": at - timedelta(hours=settings.UNDO_HOURS),
        "running": running.number if running else None,
        "kind": ReceiptKind.UNENROLLED,
        "not_enrolled": NotCounted.NOT_ENROLLED,
        "member": Verdict.MEMBER,
        "not_member": Verdict.NOT_MEMBER,
        "dry_run": dry_run,
    }


def _store(cursor: Any, target: Target, running: Cycle, origin: Origin) -> None:
    """Stays, receipts and participations, of all who are put back."""
    nobody = Participation(brand_id=target.brand_id, target=target)
    common = Receipt(
        **account_fields(origin, participation=nobody, stay=Stay(), streak_count=0, running=running),
        kind=ReceiptKind.UNENROLMENT_UNDONE,
    )
    is_streak = target.target_group.is_streak
    ended = breaking_cycles(target, origin.at) if is_streak else []
    cursor.execute(PUT_BACK)
    cursor.execute(
        ACCOUNT.format(streak_count=STREAK_COUNT if is_streak else "0"),
        {str(field.column): getattr(common, field.attname) for field in WRITTEN} | {"ended": ended},
    )
    cursor.execute(TOUCH, {"at": origin.at})
