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
from enrollments.operations import leaving_statements as sql
from enrollments.operations.accounting import WRITTEN, Origin, account_fields
from rewards.queries import promised_reward
from targets.enums import Allocation, TrackingType
from targets.models import Cycle, Target, TargetValue
from targets.queries import ended_while_inactive

OUTCOMES = {outcome.value: outcome for outcome in LeaveOutcome}  # an enum takes longer to find them


class LeftTogether(NamedTuple):
    """What became of one customer. TRY_AGAIN: he was locked by somebody else, or has acted after the instant asked for.

    `receipt_id` is of the receipt written, now or before by the same batch, or, where the same leave `is_repeated`, of
    the one in force. Whoever is CHANGED and has one left by the same batch, which was taken back. `forfeited` names the
    period whose reward is lost. `facts`: see `Foreseen`; of whoever cannot leave there are none.
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
    is_resumed: bool
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
    is_resumed: bool = False,
    dry_run: bool = False,
    even_if_inactive: bool = False,
) -> dict[int, LeftTogether]:
    """Unenrol customers of the brand, each named once, just as `unenroll` does, in a constant number of statements.

    Everybody has an outcome. With `foreseen` whoever's leave would mean something else than that is CHANGED, and
    nothing is written for him; None: that he could not leave. Where the batch `is_resumed` nobody leaves by it twice:
    whoever has left by it is told so, with the receipt of then. Nobody who is locked is waited for, except inside a
    transaction of the caller, where all are locked in the one order.
    Where everybody has a calendar of his own this is not to be used. Raises `StaleInstant`, and where it is inactive
    what `unenroll` raises: then nothing is written for anybody.
    """
    chunk = _Chunk(target, Origin(at, by, source, reason, request_id, batch_id), effective, is_resumed, dry_run)
    # Who is alone with his transaction waits for nobody while he holds thousands.
    waiting = "" if connection.in_atomic_block else " SKIP LOCKED"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{sql.BY_INDEX}; {sql.STAGE}")
        cursor.copy_expert(sql.COPY, _lines(customer_ids, foreseen))
        cursor.execute(sql.LOCK.format(waiting=waiting), chunk.names)
        # Statements of their own from here on: only they see what was committed while the locks were waited for.
        running = share_running_cycle(target, None, at, even_if_inactive=even_if_inactive)
        _decide(cursor, chunk, running)
        if running is not None and not dry_run:
            _store(cursor, chunk, running)
        told = _tell(cursor, chunk, running, customer_ids)
        cursor.execute(f"{sql.DROP}; {sql.AS_EVER}")
        return told


def _lines(customer_ids: Sequence[int], foreseen: Mapping[int, Foreseen | None] | None) -> StringIO:
    """For sql.COPY. Where nothing was foreseen it is NULL; that he could not leave, empty."""
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
        sql.DECIDE.format(streak_count=sql.STREAK_COUNT if is_streak else "0", facts=f"concat_ws('.', {facts})"),
        {
            "target": target.pk,
            "group": target.target_group_id,
            "at": at,
            "running": number,
            "leaving": number + 1 if number is not None and chunk.is_scheduled else number,
            "cycle_count": cycle_count,
            "target_value": target_value,
            "pays_at_end": pays_at_end,
            "ended": breaking_cycles(target, at) if is_streak else [],
            "kind": chunk.kind,
            "done": chunk.done,
            "is_scheduled": chunk.is_scheduled,
            "is_resumed": chunk.is_resumed,
            "batch": chunk.origin.batch_id,
            "dry_run": chunk.dry_run,
        },
    )


def breaking_cycles(target: Target, at: datetime) -> list[int]:
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
    cursor.execute(sql.ACCOUNT, {str(field.column): getattr(common, field.attname) for field in WRITTEN})
    left_at, leaves_after = (None, running.number) if chunk.is_scheduled else (at, None)
    cursor.execute(sql.END, {"left_at": left_at, "leaves_after": leaves_after})
    cursor.execute(sql.TOUCH, {"at": at})


def _tell(cursor: Any, chunk: _Chunk, running: Cycle | None, customer_ids: Sequence[int]) -> dict[int, LeftTogether]:
    name = running.ref_code if running is not None else None
    cursor.execute(sql.TELL, {"done": chunk.done})
    told = {
        number: LeftTogether(
            OUTCOMES[outcome], receipt_id, is_repeated, left_at, name if is_forfeiting else None, facts
        )
        for number, outcome, receipt_id, is_repeated, left_at, is_forfeiting, facts in cursor
    }
    if chunk.is_resumed:
        cursor.execute(sql.TELL_DONE, {"group": chunk.target.target_group_id})
        for number, outcome, receipt_id, forfeited, is_taken_back in cursor:
            now = LeaveOutcome.CHANGED if is_taken_back else OUTCOMES[outcome]
            told[number] = LeftTogether(now, receipt_id, forfeited=forfeited)
    if others := [number for number in customer_ids if number not in told]:
        cursor.execute(sql.TELL_OTHERS, {**chunk.names, "others": others})
        told |= {number: LeftTogether(OUTCOMES[outcome]) for number, outcome in cursor}
    return told
