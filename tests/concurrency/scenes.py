"""Who races, through which door, and how what came of it reads."""

from collections.abc import Callable
from copy import copy
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count, pairwise
from typing import Any, NamedTuple

from django.db import DatabaseError
from django.db.models import F, Sum
from django.utils import timezone

from enrollments.editing import ProgrammeEdit
from enrollments.enums import ReceiptKind, Source
from enrollments.models import ActivityOutcome, Participation, Progress, Receipt, Stay
from enrollments.operations import (
    ActivityData,
    Edited,
    Recorded,
    Undone,
    close_cycles,
    edit_programme,
    enroll,
    leaving,
    record_activity,
    undo_leave,
    unenroll,
)
from enrollments.queries import find_receipt
from rewards.models import Grant
from targets.clock import run_at_now
from targets.errors import DomainError
from targets.models import Brand, Customer, Target
from tests.factories import START, BrandFactory, CustomerFactory, make_programme

ACT = {"by": "test", "source": Source.API}
LENGTH = timedelta(days=30)
END = START + LENGTH  # of the first cycle
JUST_BEFORE_END = END - timedelta(seconds=1)

# Where a racer stops. Mostly: all is read and decided, nothing of it is written yet.
BEFORE_LOOKING = 'SELECT "enrollments_stay"'  # the participation is locked, the stays are not read
BEFORE_LEAVING = leaving.STORE
BEFORE_JOINING = 'INSERT INTO "enrollments_stay"'
BEFORE_UNDOING = 'INSERT INTO "enrollments_receipt"'
BEFORE_OUTCOME = 'INSERT INTO "enrollments_activityoutcome"'
BEFORE_COUNTING = 'UPDATE "enrollments_progress"'
BEFORE_COUNTING_FIRST = 'INSERT INTO "enrollments_progress"'
BEFORE_BARRING = 'UPDATE "targets_cycle" SET "closed_at"'
BEFORE_EDITING = 'UPDATE "targets_targetgroup" SET "name"'
BEFORE_PAYING = "INSERT INTO rewards_grant"

_events = count(1)


class Outcome(NamedTuple):
    """All that a round left behind of its customer. `flaws` names what no order of the two could have left."""

    answers: tuple[object, object]
    stays: tuple[tuple[int, int | None], ...]
    receipts: tuple[tuple[object, ...], ...]  # kind, verdict and value of the running cycle
    progress: tuple[tuple[int, Decimal], ...] = ()  # cycle, value
    grants: tuple[int, ...] = ()  # cycles
    flaws: tuple[str, ...] = ()


def outcome(customer: Customer, results: tuple[object, object]) -> Outcome:
    receipts = Receipt.objects.filter(participation__customer=customer).order_by("pk")
    progress = Progress.objects.filter(participation__customer=customer).order_by("run_number", "cycle_number")
    return Outcome(
        answers=(answer(results[0]), answer(results[1])),
        stays=tuple(Stay.objects.filter(participation__customer=customer).values_list("first_cycle", "end_cycle")),
        receipts=tuple(receipts.values_list("kind", "running_verdict", "running_value")),
        progress=tuple(progress.values_list("cycle_number", "value")),
        grants=tuple(Grant.objects.filter(customer=customer).order_by("pk").values_list("cycle_number", flat=True)),
        flaws=tuple(flaws(customer)),
    )


def answer(result: object) -> object:
    """As short as a caller would put it."""
    if isinstance(result, DomainError):
        return result.error.value.code
    if isinstance(result, DatabaseError):
        diagnosis = result.__cause__.diag
        return str(diagnosis.constraint_name or diagnosis.message_primary)
    if isinstance(result, Receipt):
        return result.kind
    if isinstance(result, Undone):
        return result.receipt.kind
    if isinstance(result, Edited):
        return "edited"
    if isinstance(result, Recorded):
        if result.is_duplicate:
            return "duplicate"
        return str(result.not_counted or result.outcomes[0].reason or "counted")
    return result


def flaws(customer: Customer) -> list[str]:
    """What domain.md 9 forbids, as far as an outcome does not show it."""
    found = []
    for participation in Participation.objects.filter(customer=customer):
        for progress in Progress.objects.filter(participation=participation):
            counted = ActivityOutcome.objects.filter(
                participation=participation,
                run_number=progress.run_number,
                cycle_number=progress.cycle_number,
                reason="",
            ).aggregate(sum=Sum("delta"))["sum"]
            if progress.value != progress.adjustment + (counted or 0):
                found.append("value is not what was counted")
        instants = list(Receipt.objects.filter(participation=participation).order_by("pk").values_list("effective_at"))
        if any(later < earlier for earlier, later in pairwise(instants)):
            found.append("instants go backwards")
        if participation.changed_at < max(instants)[0]:
            found.append("last change forgotten")
        leaves = Receipt.objects.filter(participation=participation, end_cycle__isnull=False)
        without_end = leaves.filter(undone_by=None).exclude(stay__leave_receipt=F("pk"))
        if without_end.exclude(kind=ReceiptKind.UNENROLMENT_UNDONE).exists():
            found.append("receipt without its end")
    if Participation.objects.filter(customer=customer).count() > 1:
        found.append("two participations")
    return found


# Programmes and who is in them


def running_programme(**details: Any) -> Target:
    """In real time: five cycles of 30 days; the first began 5 days ago unless `starts_at` says otherwise."""
    return make_programme(**{"starts_at": timezone.now() - timedelta(days=5), "cycle_length": LENGTH} | details)


def sandbox_at(now: datetime) -> Brand:
    return BrandFactory(sandbox=True, clock_at=now)


def customer_of(target: Target) -> Customer:
    return CustomerFactory(brand=target.brand)


def enrolled(target: Target, at: datetime | None = None) -> Customer:
    """A customer who has just enrolled, or did at `at`."""
    customer = customer_of(target)
    enroll(customer=customer, target=target, at=at or timezone.now(), **ACT)
    return customer


def counted(customer: Customer, at: datetime, *, occurred_at: datetime | None = None) -> None:
    """He bought something at `at`, or before, and it counted."""
    recorded = record_activity(brand=customer.brand, activity=a_purchase(customer, occurred_at or at), at=at)
    assert answer(recorded) == "counted"


def a_purchase(customer: Customer, occurred_at: datetime) -> ActivityData:
    return ActivityData(f"event {next(_events)}", "purchase", customer.customer_id, occurred_at)


# Doors. Each takes its instant when it is opened, and a fresh one if it was overtaken, as every door does.


def at_door(brand: Brand, operation: Callable[[datetime], object], opened_at: datetime | None = None) -> object:
    """`opened_at`: what this door took for now, while the clock of the sandbox has gone on to what it shows."""
    mine = copy(brand)
    mine.clock_at = opened_at or brand.clock_at
    return run_at_now(mine, operation)


def leaves(customer: Customer, target: Target, **opened: datetime) -> Callable[[], object]:
    return lambda: at_door(target.brand, lambda at: unenroll(customer=customer, target=target, at=at, **ACT), **opened)


def undoes(receipt: Receipt, brand: Brand, opened_at: datetime | None = None) -> Callable[[], object]:
    return lambda: at_door(
        brand, lambda at: undo_leave(receipt=find_receipt(brand, receipt.pk), at=at, **ACT), opened_at
    )


def joins(
    customer: Customer, target: Target, opened_at: datetime | None = None, **details: Any
) -> Callable[[], object]:
    return lambda: at_door(
        target.brand, lambda at: enroll(customer=customer, target=target, at=at, **ACT, **details), opened_at
    )


def buys(
    customer: Customer, activity: ActivityData | None = None, opened_at: datetime | None = None
) -> Callable[[], object]:
    brand = customer.brand
    activity = activity or a_purchase(customer, opened_at or timezone.now())
    return lambda: at_door(brand, lambda at: record_activity(brand=brand, activity=activity, at=at), opened_at)


def closes(brand: Brand, at: datetime) -> Callable[[], object]:
    """Answers how many rewards it gave."""
    return lambda: sum(closed.granted for closed in close_cycles(brand=brand, at=at))


def edits(target: Target, edit: ProgrammeEdit, opened_at: datetime | None = None) -> Callable[[], object]:
    group = target.target_group
    return lambda: at_door(
        target.brand, lambda at: edit_programme(target_group=group, edit=edit, at=at, **ACT), opened_at
    )
