"""Recording what customers do, and what it means for their targets (domain.md 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from django.db import IntegrityError, transaction
from django.db.models import Q

from enrollments.enums import NotCounted
from enrollments.locks import share_calendar
from enrollments.models import Activity, ActivityFields, EveryActivity, EveryOutcome, OutcomeFields, Participation
from enrollments.operations.counting import count_activity, see_who_is_active
from targets.errors import CustomerNotFound, StaleInstant
from targets.matching import matches
from targets.models import Brand, Customer, Target


@dataclass(frozen=True)
class ActivityData:
    """An activity as it is delivered. `customer_id` is the brand's number; `occurred_at` is aware."""

    event_id: str
    event_name: str
    customer_id: int
    occurred_at: datetime
    amount: Decimal | None = None
    quantity: Decimal | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """An `ActivityOutcome` that is saved by a statement of many; its names are those of the row."""

    activity_id: int
    participation: Participation
    run_number: int | None
    cycle_number: int | None
    reason: NotCounted | Literal[""] = ""
    delta: Decimal = Decimal(0)
    visit_on: date | None = None
    value: Decimal = Decimal(0)
    achieved: bool = False
    grant_ids: Sequence[int] = ()
    left_by_id: int | None = None

    @property
    def participation_id(self) -> int:
        return self.participation.pk


@dataclass(frozen=True)
class Recorded:
    """What became of an activity: an outcome for each participation it matches, and what is to be said besides.

    `not_counted` says why it counted for no target at all. `is_duplicate`: all this is the first outcome of an event
    that was sent again.
    """

    event_id: str
    outcomes: tuple[OutcomeFields | Outcome, ...] = ()
    not_counted: NotCounted | None = None
    is_duplicate: bool = False


def record_activity(*, brand: Brand, activity: ActivityData, at: datetime) -> Recorded:
    """Store the activity with its outcome, count it where it counts, and give what it achieves (domain.md 6).

    The same event again changes nothing and answers the first outcome. An unknown customer's is not remembered.
    Raises `StaleInstant`. Everything of one activity is one transaction.
    """
    customer = Customer.objects.filter(brand=brand, customer_id=activity.customer_id).first()
    if customer is None:
        return Recorded(activity.event_id, not_counted=NotCounted.UNKNOWN_CUSTOMER)
    with transaction.atomic():
        try:
            stored = _store(brand, customer, activity, at)
        except CustomerNotFound:  # erased after he was found
            return Recorded(activity.event_id, not_counted=NotCounted.UNKNOWN_CUSTOMER)
        if stored is None:
            return _repeated(brand, customer, activity)
        participations = _lock_matching(customer, activity)
        if any(participation.changed_at > at for participation in participations):
            raise StaleInstant(at)
        # In one order, all before anything is read: two activities and two closes could else wait in a ring.
        for group_id in sorted({participation.target.target_group_id for participation in participations}):
            share_calendar(group_id)
        see_who_is_active(participations)
        outcomes = tuple(count_activity(stored, participation, brand, at) for participation in participations)
        if not participations:
            stored.not_counted = _why_for_no_target(brand, activity)
            Activity.objects.filter(pk=stored.pk).update(not_counted=stored.not_counted)
            return Recorded(activity.event_id, not_counted=stored.not_counted)
        return Recorded(activity.event_id, outcomes)


def _store(brand: Brand, customer: Customer, activity: ActivityData, at: datetime) -> Activity | None:
    """The new row; None if (brand, event id) is there. Waits for a simultaneous delivery, and erasure, to end.

    Raises `CustomerNotFound`.
    """
    try:
        with transaction.atomic():
            return Activity.objects.create(
                brand=brand,
                customer=customer,
                event_id=activity.event_id,
                event_name=activity.event_name,
                occurred_at=activity.occurred_at,
                amount=activity.amount,
                quantity=activity.quantity,
                attributes=dict(activity.attributes),
                recorded_at=at,
            )
    except IntegrityError as error:
        if _constraint(error) == "activity_of_known_customer":
            raise CustomerNotFound from None
        if not is_known_event(error):
            raise
        return None


def is_known_event(error: IntegrityError) -> bool:
    """Whether it was raised because (brand, event id) is there, be it in the archive."""
    return _constraint(error) in ("activity_event_once", "activity_event_not_archived")


def _constraint(error: IntegrityError) -> str | None:
    name: str | None = error.__cause__.diag.constraint_name  # type: ignore[union-attr]  # psycopg2's
    return name


def _repeated(brand: Brand, customer: Customer, activity: ActivityData) -> Recorded:
    """Answer the first outcome if the content is the same."""
    first = EveryActivity.objects.get(brand=brand, event_id=activity.event_id)
    if first.customer_id != customer.pk or not is_same(first, activity):
        return Recorded(activity.event_id, not_counted=NotCounted.EVENT_ID_CONFLICT)
    outcomes = EveryOutcome.objects.filter(activity=first).select_related("participation").order_by("participation")
    first_reason = NotCounted(first.not_counted) if first.not_counted else None
    return Recorded(activity.event_id, tuple(outcomes), first_reason, is_duplicate=True)


def is_same(first: ActivityFields | ActivityData, activity: ActivityData) -> bool:
    """Whether an event that was sent again has the content that it had first."""
    return (
        first.event_name == activity.event_name
        and first.occurred_at == activity.occurred_at
        and first.amount == activity.amount
        and first.quantity == activity.quantity
        and first.attributes == activity.attributes
    )


def _lock_matching(customer: Customer, activity: ActivityData) -> list[Participation]:
    """The participations whose target counts events of this name with such attributes, locked in order of their ids.

    Those that only the attributes rule out are locked too: that is one statement, and they are his own.
    """
    of_this_name = (
        Participation.objects.select_for_update(of=("self",), no_key=True)
        .select_related("target__target_group")
        .filter(Q(target__event_name=activity.event_name) | Q(target__event_name=""), customer=customer)
        .order_by("pk")
    )
    return [each for each in of_this_name if matches(each.target.match, activity.attributes)]


def _why_for_no_target(brand: Brand, activity: ActivityData) -> NotCounted:
    of_this_name = Q(event_name=activity.event_name) | Q(event_name="")
    conditions = Target.objects.filter(of_this_name, brand=brand).values_list("match", flat=True).distinct()
    exists = any(matches(each, activity.attributes) for each in conditions)
    return NotCounted.NOT_ENROLLED if exists else NotCounted.NO_TARGET
