"""The set-based twin of `unenroll`, for many customers of one target (domain.md 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from enrollments.enums import Effective, LeaveOutcome, ReceiptKind, Source
from enrollments.foreseen import FACTS, NOTHING, Foreseen
from enrollments.locks import share_running_cycle
from enrollments.models import Participation, Receipt, Stay
from enrollments.operations.accounting import WRITTEN, Origin, account_fields
from rewards.queries import promised_reward
from targets.enums import Allocation, TrackingType
from targets.models import Cycle, Target, TargetValue
from targets.queries import ended_while_inactive

STAGE = "CREATE TEMPORARY TABLE leaving_asked (number bigint, foreseen text) ON COMMIT DROP"
COPY = "COPY leaving_asked FROM STDIN"

# Whoever is locked by somebody else is passed over and not waited for: so nobody waits while he holds thousands.
LOCK = """
CREATE TEMPORARY TABLE leaving_locked ON COMMIT DROP AS
SELECT asked.number, asked.foreseen, participation.id
  FROM leaving_asked asked
  JOIN targets_customer customer ON customer.brand_id = %(brand)s AND customer.customer_id = asked.number
  JOIN enrollments_participation participation
    ON participation.customer_id = customer.id AND participation.target_id = %(target)s
 ORDER BY participation.id FOR NO KEY UPDATE OF participation SKIP LOCKED
"""

# The twin of enrollments.decisions.shown_count.
STREAK_COUNT = """(
  SELECT count(*) FROM enrollments_progress each
   WHERE each.participation_id = stay.participation_id AND each.run_number = stay.run_number
     AND each.achieved_at IS NOT NULL AND each.cycle_number > coalesce((
       SELECT max(number) FROM unnest(%(ended)s::integer[]) number
        WHERE EXISTS (
          SELECT FROM enrollments_stay his
           WHERE his.participation_id = stay.participation_id AND his.run_number = stay.run_number
             AND his.first_cycle <= number AND (his.end_cycle IS NULL OR his.end_cycle > number))
          AND NOT EXISTS (
          SELECT FROM enrollments_progress reached
           WHERE reached.participation_id = stay.participation_id AND reached.run_number = stay.run_number
             AND reached.cycle_number = number AND reached.achieved_at IS NOT NULL)), 0))"""

# The twin of enrollments.decisions.decide_leave, and of what `unenroll` refuses, in the same order.
DECIDE = """
CREATE TEMPORARY TABLE leaving_decided ON COMMIT DROP AS
WITH found AS (
  SELECT locked.number, locked.foreseen, participation.id AS participation_id, participation.changed_at,
         stay.id AS stay_id, stay.run_number, stay.first_cycle, stay.end_cycle AS end_cycle_before,
         stay.leave_receipt_id, coalesce(stay.left_at, leave_ends.ends_at) AS out_at,
         stay.end_cycle IS NULL OR coalesce(%(at)s < leave_ends.ends_at, false) AS is_current,
         coalesce(progress.value, 0) AS running_value, progress.achieved_at AS running_achieved_at,
         given.id IS NOT NULL AS is_granted, greatest(%(leaving)s::integer, stay.first_cycle) AS end_cycle,
         {streak_count} AS streak_count
    FROM leaving_locked locked
    JOIN enrollments_participation participation ON participation.id = locked.id
    LEFT JOIN LATERAL (
      SELECT * FROM enrollments_stay each WHERE each.participation_id = locked.id ORDER BY each.id DESC LIMIT 1
    ) stay ON true
    LEFT JOIN targets_cycle leave_ends
      ON leave_ends.target_group_id = %(group)s AND leave_ends.number = stay.leaves_after
    LEFT JOIN enrollments_progress progress
      ON progress.participation_id = locked.id AND progress.run_number = stay.run_number
     AND progress.cycle_number = %(running)s
    LEFT JOIN rewards_grant given
      ON given.customer_id = participation.customer_id AND given.target_id = %(target)s
     AND given.cycle_number = %(running)s AND given.level_id IS NULL
), judged AS (
  SELECT *, %(kind)s AS kind, %(running)s::integer AS running_cycle, %(cycle_count)s::integer AS cycle_count,
         CASE WHEN first_cycle > %(running)s THEN 'not_member'
              WHEN end_cycle > %(running)s THEN 'kept'
              WHEN is_granted THEN 'left_reward_kept'
              WHEN %(pays_at_end)s AND running_value >= %(target_value)s THEN 'left_reward_forfeited'
              ELSE 'left' END AS running_verdict
    FROM found
), told AS (
  SELECT *, {facts} AS facts FROM judged
), answered AS (
  SELECT *,
         CASE WHEN changed_at > %(at)s THEN 'try_again'
              WHEN stay_id IS NULL THEN 'never_enrolled'
              WHEN NOT is_current THEN 'already_left'
              WHEN %(is_scheduled)s AND leave_receipt_id IS NOT NULL THEN 'scheduled'
              WHEN running_cycle IS NULL THEN 'period_over'
              WHEN foreseen <> facts THEN 'changed'
              ELSE %(done)s END AS outcome
    FROM told
)
SELECT *, outcome = 'scheduled' AND leave_receipt_id IS NOT NULL AS is_repeated,
       CASE WHEN outcome = %(done)s AND (outcome = 'unenrolled' OR leave_receipt_id IS NULL) AND NOT %(dry_run)s
            THEN nextval(pg_get_serial_sequence('enrollments_receipt', 'id')) END AS receipt_id
  FROM answered
"""

# What differs from receipt to receipt of a chunk; all else is the same on each.
OF_EACH = (
    "participation_id",
    "stay_id",
    "run_number",
    "streak_count",
    "from_cycle",
    "first_cycle",
    "end_cycle_before",
    "end_cycle",
    "running_value",
    "running_verdict",
    "running_achieved_at",
)
COLUMNS = [str(field.column) for field in WRITTEN]
DECIDED_AS = {"from_cycle": "end_cycle"}
ACCOUNT = f"""
INSERT INTO enrollments_receipt (id, {", ".join(COLUMNS)})
SELECT receipt_id, {", ".join(DECIDED_AS.get(name, name) if name in OF_EACH else f"%({name})s" for name in COLUMNS)}
  FROM leaving_decided WHERE receipt_id IS NOT NULL
"""  # noqa: S608 - names of our own columns
END = """
UPDATE enrollments_stay stay
   SET end_cycle = decided.end_cycle, left_at = %(left_at)s, leaves_after = %(leaves_after)s, leaves_at = NULL,
       leave_receipt_id = decided.receipt_id
  FROM leaving_decided decided WHERE stay.id = decided.stay_id AND decided.receipt_id IS NOT NULL
"""
TOUCH = """
UPDATE enrollments_participation participation SET changed_at = %(at)s
  FROM leaving_decided decided WHERE participation.id = decided.participation_id AND decided.receipt_id IS NOT NULL
"""
TELL = """
SELECT number, outcome, coalesce(receipt_id, CASE WHEN is_repeated THEN leave_receipt_id END), is_repeated,
       CASE WHEN outcome = 'already_left' THEN out_at END,
       outcome = 'unenrolled' AND running_verdict = 'left_reward_forfeited',
       CASE WHEN outcome = 'changed' OR outcome = %(done)s AND NOT is_repeated THEN facts ELSE '' END
  FROM leaving_decided
"""
# Locked by somebody else, or enrolled since the lock: to be tried again. Else there is nothing of him to lock.
TELL_OTHERS = """
SELECT asked.number,
       CASE WHEN customer.id IS NULL THEN 'unknown_customer'
            WHEN EXISTS (SELECT FROM enrollments_participation participation
                          WHERE participation.customer_id = customer.id AND participation.target_id = %(target)s)
            THEN 'try_again' ELSE 'never_enrolled' END
  FROM leaving_asked asked
  LEFT JOIN targets_customer customer ON customer.brand_id = %(brand)s AND customer.customer_id = asked.number
 WHERE NOT EXISTS (SELECT FROM leaving_locked locked WHERE locked.number = asked.number)
"""


class LeftTogether(NamedTuple):
    """What became of one customer. TRY_AGAIN: he was locked by somebody else, or has acted after the instant asked for.

    `receipt_id` is of the receipt written, or, where the same leave `is_repeated`, of the one in force. `forfeited`
    names the period whose reward is lost. `facts`: see `Foreseen`; of whoever cannot leave there are none.
    """

    outcome: LeaveOutcome
    receipt_id: int | None = None
    is_repeated: bool = False
    left_at: datetime | None = None
    forfeited: str | None = None
    facts: str = ""


@dataclass(frozen=True)
class _Chunk:
    """One call: what all decisions of it have in common."""

    target: Target
    origin: Origin
    effective: Effective
    dry_run: bool

    @property
    def names(self) -> dict[str, int]:
        return {"brand": self.target.brand_id, "target": self.target.pk}

    @property
    def is_scheduled(self) -> bool:
        return self.effective == Effective.END_OF_CYCLE

    @property
    def kind(self) -> ReceiptKind:
        return ReceiptKind.LEAVE_SCHEDULED if self.is_scheduled else ReceiptKind.UNENROLLED

    @property
    def done(self) -> LeaveOutcome:
        return LeaveOutcome.SCHEDULED if self.is_scheduled else LeaveOutcome.UNENROLLED


def unenroll_together(
    *,
    target: Target,
    customer_ids: Sequence[int],
    at: datetime,
    by: str,
    source: Source,
    effective: Effective = Effective.NOW,
    reason: str = "",
    request_id: str = "",
    batch_id: UUID | None = None,
    foreseen: Mapping[int, Foreseen | None] | None = None,
    dry_run: bool = False,
    even_if_inactive: bool = False,
) -> dict[int, LeftTogether]:
    """Unenrol customers of the brand, each named once, just as `unenroll` does, in a constant number of statements.

    Everybody has an outcome. With `foreseen` whoever's leave would mean something else than that is CHANGED, and
    nothing is written for him; None: that he could not leave. Nobody who is locked is waited for.
    Where everybody has a calendar of his own this is not to be used. Raises `StaleInstant`, and where it is inactive
    what `unenroll` raises: then nothing is written for anybody.
    """
    chunk = _Chunk(target, Origin(at, by, source, reason, request_id, batch_id), effective, dry_run)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STAGE)
        cursor.copy_expert(COPY, _lines(customer_ids, foreseen))
        cursor.execute(LOCK, chunk.names)
        # Statements of their own from here on: only they see what was committed while the locks were waited for.
        running = share_running_cycle(target, None, at, even_if_inactive=even_if_inactive)
        _decide(cursor, chunk, running)
        if running is not None and not dry_run:
            _store(cursor, chunk, running)
        told = _tell(cursor, chunk, running, len(customer_ids))
        # An outer transaction may have more chunks to come.
        cursor.execute("DROP TABLE leaving_asked, leaving_locked, leaving_decided")
        return told


def _lines(customer_ids: Sequence[int], foreseen: Mapping[int, Foreseen | None] | None) -> StringIO:
    """For COPY. Where nothing was foreseen it is NULL; that he could not leave, empty."""
    if foreseen is None:
        return StringIO("".join(f"{number}\t\\N\n" for number in customer_ids))
    return StringIO("".join(f"{number}\t{foreseen.get(number) or ''}\n" for number in customer_ids))


def _decide(cursor: Any, chunk: _Chunk, running: Cycle | None) -> None:
    target, at = chunk.target, chunk.origin.at
    number = target_value = cycle_count = None
    pays_at_end = False
    if running is not None:
        value = TargetValue.objects.get(target=target, cycle=running)
        number, target_value, cycle_count = running.number, value.value, running.target_group.cycle_count
        is_at_end = value.allocation == Allocation.PERIOD_END
        pays_at_end = is_at_end and promised_reward(target, running.pk, at) is not None
    is_streak = target.target_group.is_streak
    facts = ", ".join(f"coalesce(nullif({name}::text, ''), '{NOTHING}')" for name in FACTS)
    cursor.execute(
        DECIDE.format(streak_count=STREAK_COUNT if is_streak else "0", facts=f"concat_ws('.', {facts})"),
        {
            "target": target.pk,
            "group": target.target_group_id,
            "at": at,
            "running": number,
            "leaving": number + 1 if number is not None and chunk.is_scheduled else number,
            "cycle_count": cycle_count,
            "target_value": target_value,
            "pays_at_end": pays_at_end,
            "ended": _ended(target, at) if is_streak else [],
            "kind": chunk.kind,
            "done": chunk.done,
            "is_scheduled": chunk.is_scheduled,
            "dry_run": chunk.dry_run,
        },
    )


def _ended(target: Target, at: datetime) -> list[int]:
    """The cycles that break a streak of whoever has not achieved them."""
    if target.target_group.tracking_type == TrackingType.NON_CONTINUOUS_STREAKS:
        return []
    ended = Cycle.objects.filter(target_group=target.target_group_id, ends_at__lte=at).exclude(ended_while_inactive())
    return list(ended.values_list("number", flat=True))


def _store(cursor: Any, chunk: _Chunk, running: Cycle) -> None:
    """Receipts, stays and participations, of all who leave."""
    nobody = Participation(brand_id=chunk.target.brand_id, target=chunk.target)
    common = Receipt(
        **account_fields(chunk.origin, participation=nobody, stay=Stay(), streak_count=0, running=running),
        kind=chunk.kind,
    )
    at = chunk.origin.at
    cursor.execute(ACCOUNT, {str(field.column): getattr(common, field.attname) for field in WRITTEN})
    left_at, leaves_after = (None, running.number) if chunk.is_scheduled else (at, None)
    cursor.execute(END, {"left_at": left_at, "leaves_after": leaves_after})
    cursor.execute(TOUCH, {"at": at})


def _tell(cursor: Any, chunk: _Chunk, running: Cycle | None, count: int) -> dict[int, LeftTogether]:
    name = running.ref_code if running is not None else None
    cursor.execute(TELL, {"done": chunk.done})
    told = {
        number: LeftTogether(
            LeaveOutcome(outcome), receipt_id, is_repeated, left_at, name if is_forfeiting else None, facts
        )
        for number, outcome, receipt_id, is_repeated, left_at, is_forfeiting, facts in cursor
    }
    if len(told) < count:
        cursor.execute(TELL_OTHERS, chunk.names)
        told |= {number: LeftTogether(LeaveOutcome(outcome)) for number, outcome in cursor}
    return told
