"""Closing cycles: bar, then pay (domain.md 3), and the clock of a sandbox, which closes on its way."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from enrollments.locks import bar_calendar
from enrollments.models import Participation
from targets.enums import Allocation
from targets.errors import InvalidInput, NotASandbox
from targets.models import Brand, Cycle

CHUNK = 5_000  # participations paid in one transaction: a second or so
CLOSES_A_STEP = 1_000

# The set-based twin of "value >= target value, and a stay covers the cycle": domain.md 5 and 6, PERIOD_END.
PAY = """
INSERT INTO rewards_grant (brand_id, customer_id, target_id, cycle_number, run_number, allocation, reward_id,
                           reward_name, reward_kind, reward_value, reward_payload, achieved_at, granted_at)
SELECT participation.brand_id, participation.customer_id, participation.target_id, %(cycle_number)s,
       progress.run_number, 'PERIOD_END', reward.id, reward.name, reward.kind, reward.value, reward.payload,
       COALESCE(progress.achieved_at, %(at)s), GREATEST(%(at)s, progress.achieved_at)
  FROM enrollments_participation participation
  JOIN enrollments_stay stay
    ON stay.participation_id = participation.id
   AND stay.first_cycle <= %(cycle_number)s
   AND (stay.end_cycle IS NULL OR stay.end_cycle > %(cycle_number)s)
  JOIN enrollments_progress progress
    ON progress.participation_id = participation.id
   AND progress.run_number = stay.run_number
   AND progress.cycle_number = %(cycle_number)s
  JOIN targets_targetvalue target_value
    ON target_value.target_id = participation.target_id
   AND target_value.cycle_id = %(cycle_id)s
  JOIN rewards_reward reward
    ON reward.target_id = participation.target_id AND reward.level_id IS NULL AND reward.retired_at IS NULL
 WHERE participation.id = ANY(%(participation_ids)s)
   AND progress.value >= target_value.value
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class Closed:
    """A cycle that has been closed, and how many rewards that gave."""

    cycle: Cycle
    granted: int


def due_cycles(brand: Brand, at: datetime) -> QuerySet[Cycle]:
    """What is to be closed or paid at `at`, in the order of the closing instants."""
    return Cycle.objects.filter(target_group__brand=brand, closes_at__lte=at, paid_at=None).order_by("closes_at", "pk")


def close_cycles(*, brand: Brand, at: datetime) -> Iterator[Closed]:
    """Close every cycle of the brand that is due at `at`, oldest first, and give its period-end rewards.

    Safe to run again, in parallel, and after being killed at any point: what is paid stays paid, the rest is paid
    once. Yields each cycle as it is done; what is not consumed is not closed.
    """
    for cycle in due_cycles(brand, at):
        yield close_cycle(cycle, at)


def close_cycle(cycle: Cycle, at: datetime) -> Closed:
    """Bar the cycle, then pay it in chunks, each a transaction."""
    _bar(cycle, at)
    granted = 0
    while (paid := _pay_chunk(cycle, at)) is not None:
        granted += paid
    cycle.refresh_from_db()
    return Closed(cycle, granted)


def _bar(cycle: Cycle, at: datetime) -> None:
    """From here on no activity counts in the cycle, and nobody joins or leaves it."""
    with transaction.atomic():
        bar_calendar(cycle.target_group_id)
        Cycle.objects.filter(pk=cycle.pk, closed_at=None).update(closed_at=at)


def _pay_chunk(cycle: Cycle, at: datetime) -> int | None:
    """Pay the next participations and answer how many rewards that gave; None when all are paid.

    Workers take turns on the row of the cycle, so each chunk is paid by one of them.
    """
    with transaction.atomic():
        locked = Cycle.objects.select_for_update(of=("self",), no_key=True).get(pk=cycle.pk)
        if locked.paid_at is not None or locked.closed_at is None:
            return None
        ids = list(
            Participation.objects.filter(
                target__target_group=locked.target_group_id,
                target__allocation=Allocation.PERIOD_END,
                pk__gt=locked.paid_through,
            )
            .order_by("pk")
            .values_list("pk", flat=True)[:CHUNK]
        )
        if not ids:
            Cycle.objects.filter(pk=cycle.pk).update(paid_at=max(at, locked.closed_at))
            return None
        with connection.cursor() as cursor:
            cursor.execute(
                PAY,
                {"cycle_number": locked.number, "cycle_id": locked.pk, "at": at, "participation_ids": ids},
            )
            granted = cursor.rowcount
        Cycle.objects.filter(pk=cycle.pk).update(paid_through=ids[-1])
        return granted


def move_clock(*, brand: Brand, at: datetime, to: datetime) -> datetime:
    """Set the test clock of a sandbox from `at` to `to`, closing what is due on the way, each at its closing instant.

    While the brand has no enrolment any instant will do; afterwards only later ones. After 1,000 closes it stops
    there: the answer is the instant it has reached. Raises `NotASandbox`, `InvalidInput`.
    """
    if not brand.sandbox:
        raise NotASandbox("The brand is not a sandbox: its clock cannot be set.")
    goes_forward_only = Participation.objects.filter(brand=brand).exists()
    if not goes_forward_only:
        _reopen_cycles_after(brand, to)
        at = min(at, to)
    if to < at:
        raise _backwards(at)
    reached = at
    for cycle in due_cycles(brand, to)[:CLOSES_A_STEP]:
        close_cycle(cycle, cycle.closes_at)
        reached = max(reached, cycle.closes_at)
    if not due_cycles(brand, to).exists():
        reached = to
    clock = Brand.objects.filter(pk=brand.pk)
    if goes_forward_only:  # somebody may have set it further meanwhile: then it stays there
        clock = clock.filter(Q(clock_at=None) | Q(clock_at__lte=reached))
    if not clock.update(clock_at=reached):
        brand.refresh_from_db(fields=["clock_at"])
        raise _backwards(brand.clock_at or at)
    return reached


def _backwards(at: datetime) -> InvalidInput:
    return InvalidInput(f"The clock stands at {at.isoformat()}: it goes forward only.", field="now")


def _reopen_cycles_after(brand: Brand, to: datetime) -> None:
    """Nobody is enrolled, so nothing was paid: cycles that a later clock has closed are open again."""
    Cycle.objects.filter(target_group__brand=brand, closes_at__gt=to).update(
        closed_at=None, paid_through=0, paid_at=None
    )
