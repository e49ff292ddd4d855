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
from enrollments.operations.closing import CHUNK, never, pay
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
    groups = sorted({each.target.target_group_id for each in participations})
    for group_id in groups:
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
    return OwnClosed(len(due), pay(due, groups, at))
