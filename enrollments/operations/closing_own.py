"""Closing the cycles of calendars that are each customer's own (domain.md 10): bar and pay at once, in chunks.

Whoever writes in such a cycle holds the lock of the participation: who has that lock may close it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from enrollments.calendars import closes_at, own_calendar
from enrollments.locks import share_calendar, try_to_share_calendar
from enrollments.models import Participation
from enrollments.operations.closing import CHUNK, never
from targets.models import Brand

# Whom nobody else holds, with their customers, whom grants refer to: an eraser locks the customer first.
CLAIM = """
SELECT participation.id
  FROM enrollments_participation participation
  JOIN targets_customer customer ON customer.id = participation.customer_id
 WHERE participation.brand_id = %(brand)s AND participation.closes_next_at <= %(at)s
 ORDER BY participation.closes_next_at LIMIT %(chunk)s
   FOR KEY SHARE OF customer SKIP LOCKED FOR NO KEY UPDATE OF participation SKIP LOCKED
"""

# What the calendar says is worked out in Python: PostgreSQL reads a wall time that comes twice in another way.
ADVANCE = """
UPDATE enrollments_participation participation
   SET closed_through = due.closed_through, closes_next_at = due.closes_next_at
  FROM unnest(%(ids)s::bigint[], %(closed_through)s::integer[], %(closes_next_at)s::timestamptz[])
       AS due (id, closed_through, closes_next_at)
 WHERE participation.id = due.id
"""

# The set-based twin of "value >= target value, and a stay covers the cycle": domain.md 5 and 6, PERIOD_END. Promised is
# what is in force when it closes, the cycle's own reward before the target's (rewards.queries.promised_reward).
PAY = """
INSERT INTO rewards_grant (brand_id, customer_id, target_id, cycle_number, run_number, allocation, reward_id,
                           reward_name, reward_kind, reward_value, reward_payload, achieved_at, granted_at)
SELECT participation.brand_id, participation.customer_id, participation.target_id, due.cycle_number,
       progress.run_number, 'PERIOD_END', promised.id, promised.name, promised.kind, promised.value, promised.payload,
       COALESCE(progress.achieved_at, %(at)s), GREATEST(%(at)s, progress.achieved_at)
  FROM unnest(%(ids)s::bigint[], %(cycle_numbers)s::integer[]) AS due (id, cycle_number)
  JOIN enrollments_participation participation ON participation.id = due.id
  JOIN targets_target target ON target.id = participation.target_id
  JOIN targets_cycle cycle ON cycle.target_group_id = target.target_group_id AND cycle.number = due.cycle_number
  JOIN targets_targetvalue target_value
    ON target_value.target_id = target.id AND target_value.cycle_id = cycle.id
   AND target_value.allocation = 'PERIOD_END'
  JOIN enrollments_stay stay
    ON stay.participation_id = participation.id
   AND stay.first_cycle <= due.cycle_number
   AND (stay.end_cycle IS NULL OR stay.end_cycle > due.cycle_number)
  JOIN enrollments_progress progress
    ON progress.participation_id = participation.id
   AND progress.run_number = stay.run_number
   AND progress.cycle_number = due.cycle_number
  CROSS JOIN LATERAL (
    SELECT reward.* FROM rewards_reward reward
     WHERE reward.target_id = target.id AND reward.level_id IS NULL
       AND (reward.cycle_id = cycle.id OR reward.cycle_id IS NULL)
       AND (reward.is_from_start OR reward.created_at <= %(at)s)
       AND (reward.retired_at IS NULL OR reward.retired_at > %(at)s)
     ORDER BY reward.cycle_id, reward.id DESC LIMIT 1) promised
 WHERE progress.value >= target_value.value
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class OwnClosed:
    """How many cycles of customers' own calendars were closed in one transaction, and how many rewards given."""

    cycles: int
    granted: int


def next_own_close(brand: Brand, until: datetime) -> datetime | None:
    """The first instant until `until` at which a cycle of somebody's own calendar closes."""
    due = Participation.objects.filter(brand=brand, closes_next_at__lte=until)
    return due.order_by("closes_next_at").values_list("closes_next_at", flat=True).first()


def close_own_cycles(
    *, brand: Brand, at: datetime, is_to_stop: Callable[[], bool] = never, chunk: int | None = None
) -> Iterator[OwnClosed]:
    """Close every cycle of a customer's own calendar that is due at `at`, and give its period-end reward.

    Safe to run again, in parallel, and after being killed at any point: a participation is closed up to `at` and paid
    in one transaction. Yields each chunk of at most `chunk` participations as it is done; what is not consumed is not
    closed. Those that somebody else holds are waited for at the end. `is_to_stop` is asked between chunks.
    """
    is_waiting = False
    while not is_to_stop():
        with transaction.atomic():
            participations = _claim(brand, at, chunk or CHUNK, is_waiting=is_waiting)
            closed = _close(participations, at) if participations else None
        if closed is not None:
            yield closed
        elif is_waiting:
            return
        is_waiting = closed is None


def _claim(brand: Brand, at: datetime, chunk: int, *, is_waiting: bool) -> list[Participation]:
    """The next ones that are due, locked. Who waits does so in the order in which everybody locks several."""
    due = Participation.objects.filter(brand=brand, closes_next_at__lte=at).select_related("target__target_group")
    if is_waiting:
        customers = list(due.order_by("closes_next_at").values_list("customer", flat=True)[:chunk])
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM targets_customer WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE", [customers])
        return list(due.filter(customer__in=customers).select_for_update(of=("self",), no_key=True).order_by("pk"))
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"brand": brand.pk, "at": at, "chunk": chunk})
        ids = [pk for (pk,) in cursor.fetchall()]
    claimed = list(due.filter(pk__in=ids))
    # Whoever changes the programme waits for writers who may be waiting for us: the next look finds these.
    free = {group for group in {each.target.target_group_id for each in claimed} if try_to_share_calendar(group)}
    return [each for each in claimed if each.target.target_group_id in free]


def _close(participations: list[Participation], at: datetime) -> OwnClosed:
    """All of them, in one transaction. What is promised does not change meanwhile: the calendars are shared."""
    for group_id in sorted({each.target.target_group_id for each in participations}):
        share_calendar(group_id)
    due: list[tuple[int, int]] = []
    for each in participations:
        calendar = own_calendar(each.target.target_group, each)
        number = each.closed_through + 1
        closing = closes_at(calendar, number)
        while number <= calendar.group.cycle_count and closing is not None and closing <= at:
            due.append((each.pk, number))
            number += 1
            closing = closes_at(calendar, number)
        each.closed_through = number - 1
        each.closes_next_at = closing if number <= calendar.group.cycle_count else None
    with connection.cursor() as cursor:
        cursor.execute(
            ADVANCE,
            {
                "ids": [each.pk for each in participations],
                "closed_through": [each.closed_through for each in participations],
                "closes_next_at": [each.closes_next_at for each in participations],
            },
        )
        cursor.execute(
            PAY,
            {"ids": [pk for pk, _ in due], "cycle_numbers": [number for _, number in due], "at": at},
        )
        return OwnClosed(len(due), cursor.rowcount)
