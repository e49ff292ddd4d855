"""The clock of a sandbox, which closes cycles on its way."""

from datetime import datetime

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Least

from enrollments.models import Participation
from enrollments.operations.closing import close_cycle, due_cycles
from enrollments.operations.closing_own import close_own_cycles, next_own_close
from rewards.models import Reward
from targets.errors import InvalidInput, NotASandbox
from targets.models import Brand, Cycle, Inactivity

CLOSES_A_STEP = 1_000


def move_clock(*, brand: Brand, at: datetime, to: datetime) -> datetime:
    """Set the test clock of a sandbox from `at` to `to`, closing what is due on the way, each at its closing instant.

    While the brand has no enrolment any instant will do; afterwards only later ones. After 1,000 closes it stops
    there: the answer is the instant it has reached. Raises `NotASandbox`, `InvalidInput`.
    """
    if not brand.sandbox:
        raise NotASandbox("The brand is not a sandbox: its clock cannot be set.")
    if to < at:
        _turn_back(brand, at, to)
        at = to
    reached = at
    closes = 0
    while closes < CLOSES_A_STEP and (due := _next_close(brand, to)) is not None:
        closes_at, cycle = due
        reached = max(reached, closes_at)
        # First the clock: whatever happens between, no cycle has closed after the brand's own now.
        _advance(brand, reached)
        if cycle is not None:
            close_cycle(cycle, closes_at)
            closes += 1
        else:
            own = next(close_own_cycles(brand=brand, at=closes_at, chunk=CLOSES_A_STEP), None)
            closes += own.cycles if own else 1
    if _next_close(brand, to) is None:
        reached = to
        _advance(brand, reached)
    return reached


def _next_close(brand: Brand, to: datetime) -> tuple[datetime, Cycle | None] | None:
    """The first closing instant until `to`, and the cycle, or None for cycles of customers' own calendars."""
    cycle = due_cycles(brand, to).first()
    own = next_own_close(brand, to)
    if cycle is not None and cycle.closes_at is not None and (own is None or cycle.closes_at <= own):
        return cycle.closes_at, cycle
    return None if own is None else (own, None)


def _advance(brand: Brand, to: datetime) -> None:
    """Somebody else may have set the clock further meanwhile; backwards it never goes."""
    Brand.objects.filter(pk=brand.pk, clock_at__lt=to).update(clock_at=to)


def _turn_back(brand: Brand, at: datetime, to: datetime) -> None:
    """Raises `InvalidInput` where somebody is enrolled."""
    with transaction.atomic():
        # Keeps out a simultaneous first enrolment: its foreign key needs this row.
        Brand.objects.select_for_update(of=("self",)).get(pk=brand.pk)
        if Participation.objects.filter(brand=brand).exists():
            raise InvalidInput(
                f"The clock stands at {at.isoformat()}: once somebody is enrolled it goes forward only.", field="now"
            )
        _reopen_cycles_after(brand, to)
        _promise_from(brand, to)
        _freeze_from(brand, to)
        Brand.objects.filter(pk=brand.pk).update(clock_at=to)


def _reopen_cycles_after(brand: Brand, to: datetime) -> None:
    """Nobody is enrolled, so nothing was paid: cycles that a later clock has closed are open again."""
    Cycle.objects.filter(target_group__brand=brand, closes_at__gt=to, closed_at__isnull=False).update(
        closed_at=None, paid_through=0, paid_at=None
    )


def _promise_from(brand: Brand, to: datetime) -> None:
    """What a later clock has promised is promised already. First what it has retired: promises never overlap."""
    rewards = Reward.objects.filter(target__brand=brand)
    rewards.filter(retired_at__gt=to).update(retired_at=to, created_at=Least("created_at", Value(to)))
    rewards.filter(created_at__gt=to).update(created_at=to)


def _freeze_from(brand: Brand, to: datetime) -> None:
    """What a later clock has frozen, or let run, was so already."""
    inactivities = Inactivity.objects.filter(target_group__brand=brand)
    inactivities.filter(ended_at__gt=to).update(ended_at=to, began_at=Least("began_at", Value(to)))
    inactivities.filter(began_at__gt=to).update(began_at=to)
