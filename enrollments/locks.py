"""Locks, in the one order in which they are taken: participation first, then the cycle's bar (domain.md 3)."""

from datetime import datetime

from django.db import connection

from enrollments.models import Participation
from targets.errors import StaleInstant
from targets.models import Customer, Cycle, Target

# First key of the advisory locks on cycles; the second is derived from the cycle's id.
CYCLE_BAR = 0x4D53


def lock_participation(customer: Customer, target: Target, at: datetime) -> Participation | None:
    """The participation, locked to the end of the transaction; None where he never enrolled.

    Raises `StaleInstant` if its last change lies after `at`.
    """
    participation = (
        Participation.objects.select_for_update(of=("self",), no_key=True)
        .filter(customer=customer, target=target)
        .first()
    )
    if participation is not None and participation.changed_at > at:
        raise StaleInstant(at)
    return participation


def share_cycle(cycle: Cycle) -> Cycle:
    """Keep the closing job from barring `cycle` until this transaction ends, and read anew whether it has.

    A lock of the transaction, not of the session, so that it works behind PgBouncer. The re-read is a statement of
    its own: only a snapshot taken after the lock sees what the closing job committed before it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [CYCLE_BAR, cycle.pk % 2**31])
    cycle.refresh_from_db(fields=["closed_at", "closes_at", "starts_at", "ends_at"])
    return cycle


def bar_cycle(cycle: Cycle) -> Cycle:
    """Wait for everybody who writes progress of `cycle` and keep new ones out until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [CYCLE_BAR, cycle.pk % 2**31])
    cycle.refresh_from_db(fields=["closed_at", "closes_at"])
    return cycle
