"""Locks, in the one order in which they are taken: customer, participation, calendar, cycle (domain.md 3)."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection
from django.db.models import Exists, OuterRef

from enrollments.calendars import filled, own_calendar
from enrollments.models import Participation
from targets.errors import CustomerNotFound, StaleInstant
from targets.models import Brand, Customer, Cycle, Target, TargetGroup
from targets.queries import erased_on, refuse_inactive

# First key of the advisory locks on calendars; the second is derived from the target group's id.
CALENDAR = 0x4D53

KEEP_CUSTOMERS = """
SELECT id FROM targets_customer WHERE brand_id = %s AND customer_id = ANY(%s) ORDER BY id FOR KEY SHARE
"""
LOCK_COUNTING = """
SELECT target.target_group_id
  FROM enrollments_participation participation JOIN targets_target target ON target.id = participation.target_id
 WHERE participation.customer_id = ANY(%s) AND (target.event_name = ANY(%s) OR target.event_name = '')
 ORDER BY participation.id FOR NO KEY UPDATE OF participation
"""


def keep_customer(customer: Customer) -> None:
    """Keep the customer from being erased until this transaction ends. Raises `CustomerNotFound` if he has been.

    Before all other locks: it is the one that foreign keys to him take anyway, and the eraser waits for it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT erased_at FROM targets_customer WHERE id = %s FOR KEY SHARE", [customer.pk])
        (erased_at,) = cursor.fetchone()
    if erased_at is not None:
        raise CustomerNotFound(f"Invalid user id. {erased_on(customer.customer_id, erased_at)}")


def lock_customer(customer: Customer) -> Customer:
    """The customer as he is now, locked against everybody who writes something new about him."""
    return Customer.objects.select_for_update(of=("self",)).select_related("brand").get(pk=customer.pk)


def lock_participations(customer: Customer) -> list[Participation]:
    """All of a locked customer, each locked, with target and group."""
    return list(
        Participation.objects.select_for_update(of=("self",), no_key=True)
        .select_related("target__target_group", "target__brand")
        .filter(customer=customer)
        .order_by("pk")
    )


def lock_counting(brand: Brand, customer_ids: Sequence[int], event_names: Sequence[str]) -> None:
    """Lock all that activities of these names may count in, of all these customers, in the one order.

    For whoever records several in one transaction: he would else take the locks of one after those of another, and
    two such might wait for each other in a ring.
    """
    with connection.cursor() as cursor:
        cursor.execute(KEEP_CUSTOMERS, [brand.pk, list(customer_ids)])
        customers = [pk for (pk,) in cursor.fetchall()]
        cursor.execute(LOCK_COUNTING, [customers, list(event_names)])
        groups = {group_id for (group_id,) in cursor.fetchall()}
    for group_id in sorted(groups):
        share_calendar(group_id)


def lock_participation(customer: Customer, target: Target) -> Participation | None:
    """The participation, locked to the end of the transaction; None where he never enrolled.

    Whether it has changed since the instant asked for is for `share_running_cycle` to say.
    """
    participation = (
        Participation.objects.select_for_update(of=("self",), no_key=True)
        .filter(customer=customer, target=target)
        .first()
    )
    if participation is not None:
        participation.customer, participation.target = customer, target
    return participation


def share_calendar(target_group: TargetGroup | int) -> None:
    """Keep the closing job from barring any cycle of the group until this transaction ends.

    Whatever is to be known of a cycle's `closed_at` is read after this, in a statement of its own: only a snapshot
    taken after the lock sees what the closing job committed before it. A lock of the transaction, not of the
    session, so that it works behind PgBouncer.
    """
    _advisory("pg_advisory_xact_lock_shared", target_group)


def try_to_share_calendar(target_group: int) -> bool:
    """The same without waiting: whether nobody bars the calendar, or waits to."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s, %s)", [CALENDAR, target_group % 2**31])
        return bool(cursor.fetchone()[0])


def bar_calendar(target_group: TargetGroup | int) -> None:
    """Wait for everybody who writes in the group's cycles, and keep new ones out until this transaction ends."""
    _advisory("pg_advisory_xact_lock", target_group)


def share_running_cycle(
    target: Target, participation: Participation | None, at: datetime, *, even_if_inactive: bool = False
) -> Cycle | None:
    """The first cycle that ends after `at`, with the calendar shared; None when the programme is over.

    In a calendar of his own it is that of `participation`, locked, or of somebody who has none yet. Its `target_group`
    is the programme as it stays until this transaction ends: an edit that others waited for is seen.

    Raises `TargetGroupNotFound` or `TargetNotFound` if either was made inactive since the door looked. Then
    `StaleInstant` if the last change of `participation` lies after `at`, or if that cycle or a later one was closed:
    then `at` lies in a past that has been paid.
    """
    group_id = target.target_group_id
    share_calendar(group_id)
    cycles = (
        Cycle.objects.filter(target_group=group_id)
        .select_related("target_group")
        .annotate(is_target_active=Exists(Target.objects.filter(pk=target.pk, is_active=True)))
    )
    if target.target_group.has_own_calendars:
        calendar = own_calendar(target.target_group, participation)
        own = cycles.filter(number=calendar.running_or_next(at) or 0).first()
        refuse_frozen(target, own, getattr(own, "is_target_active", None), even_if_inactive)
        if _has_changed(participation, at) or (own is not None and own.number <= calendar.closed_through):
            raise StaleInstant(at)
        return None if own is None else filled(own, calendar)
    closed = Cycle.objects.filter(target_group=group_id, number__gte=OuterRef("number"), closed_at__isnull=False)
    cycle = cycles.filter(ends_at__gt=at).annotate(is_past=Exists(closed)).order_by("ends_at").first()
    refuse_frozen(target, cycle, getattr(cycle, "is_target_active", None), even_if_inactive)
    if _has_changed(participation, at) or (cycle is not None and cycle.is_past):
        raise StaleInstant(at)
    return cycle


def _has_changed(participation: Participation | None, at: datetime) -> bool:
    return participation is not None and participation.changed_at > at


def refuse_frozen(target: Target, cycle: Cycle | None, is_target_active: bool | None, even_if_inactive: bool) -> None:
    """`cycle` comes with its group; where there is none the programme is over for everybody."""
    if cycle is not None and not even_if_inactive:
        is_group_active = cycle.target_group.is_active
        refuse_inactive(target, is_group_active=is_group_active, is_target_active=bool(is_target_active))


def _advisory(function: str, target_group: TargetGroup | int) -> None:
    key = target_group if isinstance(target_group, int) else target_group.pk
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [CALENDAR, key % 2**31])
