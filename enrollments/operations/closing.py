"""Closing cycles of calendars that are the same for everybody: bar, then pay (domain.md 3)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from django.db import DatabaseError, Error, connection, transaction
from django.db.models import QuerySet

from enrollments.locks import bar_calendar
from enrollments.models import Participation
from targets.enums import Allocation
from targets.models import Brand, Cycle

CHUNK = 5_000  # participations paid in one transaction: less than a second

# The set-based twin of "value >= target value, and a stay covers the cycle": domain.md 5 and 6, PERIOD_END; for all
# calendars. Promised is what was in force when the cycle was barred, of a calendar of one's own when it is closed, and
# the cycle's own reward before the target's: the same for every chunk, whatever has been changed since
# (rewards.queries.promised_reward).
PAY = """
INSERT INTO rewards_grant (brand_id, customer_id, target_id, cycle_number, run_number, allocation, reward_id,
                           reward_name, reward_kind, reward_value, reward_payload, achieved_at, granted_at)
WITH promised AS (
  SELECT DISTINCT ON (target_value.target_id, cycle.number)
         cycle.number AS cycle_number, target_value.value AS target_value, reward.*
    FROM targets_cycle cycle
    JOIN targets_targetvalue target_value
      ON target_value.cycle_id = cycle.id AND target_value.allocation = 'PERIOD_END'
    JOIN rewards_reward reward
      ON reward.target_id = target_value.target_id AND reward.level_id IS NULL
     AND (reward.cycle_id = cycle.id OR reward.cycle_id IS NULL)
     AND (reward.is_from_start OR reward.created_at <= COALESCE(cycle.closed_at, %(at)s))
     AND (reward.retired_at IS NULL OR reward.retired_at > COALESCE(cycle.closed_at, %(at)s))
   WHERE cycle.target_group_id = ANY(%(groups)s)
   ORDER BY target_value.target_id, cycle.number, reward.cycle_id, reward.id DESC
)
SELECT participation.brand_id, participation.customer_id, participation.target_id, due.cycle_number,
       progress.run_number, 'PERIOD_END', promised.id, promised.name, promised.kind, promised.value, promised.payload,
       COALESCE(progress.achieved_at, %(at)s), GREATEST(%(at)s, progress.achieved_at)
  FROM unnest(%(ids)s::bigint[], %(cycle_numbers)s::integer[]) AS due (id, cycle_number)
  JOIN enrollments_participation participation ON participation.id = due.id
  JOIN promised ON promised.target_id = participation.target_id AND promised.cycle_number = due.cycle_number
  JOIN enrollments_stay stay
    ON stay.participation_id = participation.id
   AND stay.first_cycle <= due.cycle_number
   AND (stay.end_cycle IS NULL OR stay.end_cycle > due.cycle_number)
  JOIN enrollments_progress progress
    ON progress.participation_id = participation.id
   AND progress.run_number = stay.run_number
   AND progress.cycle_number = due.cycle_number
 WHERE progress.value >= promised.target_value
ON CONFLICT DO NOTHING
"""


def pay(due: Sequence[tuple[int, int]], groups: Sequence[int], at: datetime) -> int:
    """Give what closed cycles are to give, and answer how many rewards that was; once, however often it is asked.

    `due`: id of the participation and number of the cycle, of these target groups.
    """
    names: dict[str, Any] = {
        "ids": [pk for pk, _ in due],
        "cycle_numbers": [number for _, number in due],
        "groups": list(groups),
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(PAY, names)
        return cursor.rowcount


class Ended(Enum):
    """How the closing of one cycle by one worker came to an end."""

    PAID = "paid"  # by this worker to the last
    PAID_BY_ANOTHER = "paid by another"
    NOT_DUE = "not due any more"  # its end was moved meanwhile
    LEFT = "left"  # another worker is at it now, or this one was asked to stop: there is more to pay


@dataclass(frozen=True)
class Closed:
    """A cycle that has been closed, and how many rewards this worker gave for it."""

    cycle: Cycle
    granted: int
    ended: Ended = Ended.PAID


class CyclesNotClosed(DatabaseError):
    """The cycles that the database would not let close, with its reasons; all others were closed."""

    def __init__(self, reasons: dict[Cycle, Error]) -> None:
        self.reasons = reasons
        super().__init__("; ".join(f"{cycle.target_group}, {cycle}: {error}" for cycle, error in reasons.items()))


def never() -> bool:
    return False


def due_cycles(brand: Brand, at: datetime) -> QuerySet[Cycle]:
    """What is to be closed or paid at `at`, in the order of the closing instants."""
    due = Cycle.objects.filter(target_group__brand=brand, closes_at__lte=at, paid_at=None)
    return due.select_related("target_group").order_by("closes_at", "pk")


def close_cycles(
    *, brand: Brand, at: datetime, is_to_stop: Callable[[], bool] = never, chunk: int | None = None
) -> Iterator[Closed]:
    """Close every cycle of the brand that is due at `at`, oldest first, and give its period-end rewards.

    Safe to run again, in parallel, and after being killed at any point: what is paid stays paid, the rest is paid
    once. A cycle that another worker is paying is passed over and looked at again while there is anything to do; so
    it may be left to him when this ends. Yields each cycle as it is done; what is not consumed is not closed.
    `is_to_stop` is asked between chunks of `chunk` participations.
    Raises `CyclesNotClosed` at the end, `Error` at once where the connection is lost.
    """
    failed: dict[Cycle, Error] = {}
    is_worth_another_round = True
    while is_worth_another_round:
        has_paid = is_left = False
        for cycle in due_cycles(brand, at).exclude(pk__in=[each.pk for each in failed]):
            if is_to_stop():
                break
            try:
                closed = close_cycle(cycle, at, is_waiting=False, is_to_stop=is_to_stop, chunk=chunk)
            except Error as error:
                if not connection.is_usable():
                    raise
                failed[cycle] = error
                continue
            is_left |= closed.ended is Ended.LEFT
            if closed.granted or closed.ended is Ended.PAID:
                has_paid = True
                yield closed
        is_worth_another_round = has_paid and is_left and not is_to_stop()
    if failed:
        raise CyclesNotClosed(failed)


def close_cycle(
    cycle: Cycle,
    at: datetime,
    *,
    is_waiting: bool = True,
    is_to_stop: Callable[[], bool] = never,
    chunk: int | None = None,
) -> Closed:
    """Bar the cycle, then pay it in chunks, each a transaction.

    `is_waiting`: until another worker who is paying it has paid his chunk; else the cycle is left to him.
    """
    if cycle.closed_at is None and not _bar(cycle, at):
        return Closed(cycle, 0, Ended.NOT_DUE)
    granted = 0
    while not is_to_stop():
        paid = _pay_chunk(cycle, at, is_waiting=is_waiting, chunk=chunk or CHUNK)
        if isinstance(paid, Ended):
            return Closed(cycle, granted, paid)
        granted += paid
    return Closed(cycle, granted, Ended.LEFT)


def _bar(cycle: Cycle, at: datetime) -> bool:
    """From here on no activity counts in the cycle, and nobody joins or leaves it.

    False where it is not due after all: an edit has moved its end while we looked or waited.
    """
    with transaction.atomic():
        bar_calendar(cycle.target_group_id)
        due = Cycle.objects.filter(pk=cycle.pk, closes_at__lte=at)
        return bool(due.filter(closed_at=None).update(closed_at=at)) or due.exists()


def _pay_chunk(cycle: Cycle, at: datetime, *, is_waiting: bool, chunk: int) -> int | Ended:
    """Pay the next participations and answer how many rewards that gave; or that this is the end of it.

    Workers take turns on the row of the cycle, so each chunk is paid by one of them.
    """
    with transaction.atomic():
        rows = Cycle.objects.select_for_update(of=("self",), no_key=True, skip_locked=not is_waiting)
        locked = rows.filter(pk=cycle.pk).first()
        if locked is None:
            return Ended.LEFT
        if locked.paid_at is not None or locked.closed_at is None:
            return Ended.PAID_BY_ANOTHER
        ids = list(
            Participation.objects.filter(
                target__values__cycle=locked.pk,
                target__values__allocation=Allocation.PERIOD_END,
                pk__gt=locked.paid_through,
            )
            .order_by("pk")
            .values_list("pk", flat=True)[:chunk]
        )
        if not ids:
            Cycle.objects.filter(pk=cycle.pk).update(paid_at=max(at, locked.closed_at))
            return Ended.PAID
        granted = pay([(pk, locked.number) for pk in ids], [locked.target_group_id], at)
        Cycle.objects.filter(pk=cycle.pk).update(paid_through=ids[-1])
        return granted
