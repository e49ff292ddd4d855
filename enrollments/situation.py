"""What a leave is decided on: locked and loaded, at a time of one programme and one customer."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from enrollments.decisions import CycleState, shown_count
from enrollments.locks import CALENDAR, lock_participation, refuse_frozen, share_running_cycle
from enrollments.models import Participation, Progress, Stay
from enrollments.queries import cycle_state, is_current, streak_count
from rewards.queries import promised_reward
from targets.enums import Allocation
from targets.errors import StaleInstant
from targets.models import Customer, Cycle, Target, TargetGroup
from targets.queries import Named, find_one_by_one, is_active, target_and_customer
from targets.rows import Row, parse_array
from targets.statements import fetch_row


class Situation(NamedTuple):
    """Where a customer stands in a target, as it stays until this transaction ends.

    `stay` is the last one, `is_current` whether he counts as enrolled by it. `cycle` is the first that ends after the
    instant asked for, with its group; None when the programme is over. `state` and `is_rewarded` are of that cycle,
    `streak_count` of the run of `stay`: there are none without both. `receipt_id` and `transaction_id` are for the
    receipt of what is going to be changed, if there is to be one.
    """

    customer: Customer
    target: Target
    participation: Participation | None
    stay: Stay | None
    is_current: bool
    cycle: Cycle | None
    state: CycleState | None
    is_rewarded: bool
    streak_count: int
    receipt_id: int | None = None
    transaction_id: int | None = None


def lock_situation(
    customer: Customer, target: Target, at: datetime, *, even_if_inactive: bool, is_for_receipt: bool = False
) -> Situation:
    """Lock the participation and share the calendar, in this order, then load what is there: by one statement, except
    where everybody has a calendar of his own.

    Raises `TargetGroupNotFound` or `TargetNotFound` where it is inactive, unless `even_if_inactive`; `StaleInstant`.
    """
    if target.target_group.has_own_calendars:
        found = _step_by_step(customer, target, at, even_if_inactive)
        return _numbered(found) if is_for_receipt else found
    named = [None, target.target_group_id, target.pk, None, customer.pk]
    _, *situation = _call_lock_enrolment(named, at, is_for_receipt)
    return _situation(situation, customer, target, at, even_if_inactive)


def lock_named(named: Named, at: datetime, *, is_for_receipt: bool) -> Situation:
    """As `lock_situation` of what a call names, which the same statement looks up.

    Raises what `find_target_and_customer` raises besides.
    """
    target = customer = None
    if named.may_exist:
        brand, *ids = named
        names, *situation = _call_lock_enrolment([brand.pk, *ids, None], at, is_for_receipt)
        target, customer = target_and_customer(names, brand)
    if target is None or customer is None or not is_active(target):
        target, customer = find_one_by_one(named)
    elif not target.target_group.has_own_calendars:
        return _situation(situation, customer, target, at, even_if_inactive=False)
    return lock_situation(customer, target, at, even_if_inactive=False, is_for_receipt=is_for_receipt)


def _call_lock_enrolment(named: list[Any], at: datetime, is_for_receipt: bool) -> list[Any]:
    group = named[1]
    (answer,) = fetch_row(LOCK_LEAVING, [*named, [CALENDAR, group % 2**31], at, is_for_receipt])
    return parse_array(answer)


def _numbered(found: Situation) -> Situation:
    """With what `lock_enrolment` gives a receipt."""
    receipt_id, transaction_id = fetch_row(NUMBERS, [])
    return found._replace(receipt_id=receipt_id, transaction_id=transaction_id)


def _situation(
    values: Sequence[Any], customer: Customer, target: Target, at: datetime, even_if_inactive: bool
) -> Situation:
    """Out of what `lock_enrolment` answers after the names."""
    row = Row(values, is_json=True)
    participation = row.take(Participation, PARTICIPATION_FIELDS, customer=customer, target=target)
    stay = row.take(Stay, STAY_FIELDS, participation=participation)
    group = row.take(TargetGroup, GROUP_FIELDS)
    cycle = row.take(Cycle, CYCLE_FIELDS, target_group=group)
    progress = row.take(Progress, PROGRESS_FIELDS)
    is_target_active, is_past, leave_ends_at, target_value, allocation, is_granted, is_rewarded, *rest = row
    achieved, missed, receipt_id, transaction_id = rest

    refuse_frozen(target, cycle, is_target_active, even_if_inactive)
    if is_past or (participation is not None and participation.changed_at > at):
        raise StaleInstant(at)
    if participation is None or stay is None:
        return Situation(customer, target, participation, None, False, cycle, None, False, 0)
    state = None
    if cycle is not None:
        state = CycleState(
            value=progress.value if progress else Decimal(0),
            target_value=target_value,
            allocation=Allocation(allocation),
            achieved_at=progress.achieved_at if progress else None,
            is_granted=is_granted,
        )
    leaves_later = leave_ends_at is not None and at < datetime.fromisoformat(leave_ends_at)
    return Situation(
        customer,
        target,
        participation,
        stay,
        stay.end_cycle is None or leaves_later,
        cycle,
        state,
        is_rewarded,
        shown_count(achieved, missed),
        receipt_id,
        transaction_id,
    )


def _step_by_step(customer: Customer, target: Target, at: datetime, even_if_inactive: bool) -> Situation:
    """The same where the running cycle is to be computed from the customer's own calendar."""
    participation = lock_participation(customer, target)
    stays = list(Stay.objects.filter(participation=participation)) if participation else []
    stay = stays[-1] if stays else None
    # Before any date is read: an edit may be moving the end at which a scheduled leave takes effect.
    cycle = share_running_cycle(target, participation, at, even_if_inactive=even_if_inactive)
    if participation is None or stay is None:
        return Situation(customer, target, participation, None, False, cycle, None, False, 0)
    return Situation(
        customer,
        target,
        participation,
        stay,
        is_current(stay, target, at),
        cycle,
        None if cycle is None else cycle_state(participation, target, stay.run_number, cycle),
        cycle is not None and promised_reward(target, cycle.pk, at) is not None,
        streak_count(participation, target, stay.run_number, at, stays),
    )


# What the function of migration 0027 answers, in its order, after the names.
PARTICIPATION_FIELDS = ("id", "brand_id", "run_number", "changed_at", "anchored_at")
STAY_FIELDS = (
    "id",
    "run_number",
    "first_cycle",
    "end_cycle",
    "enrolled_at",
    "left_at",
    "leaves_after",
    "leaves_at",
    "leave_receipt_id",
)
GROUP_FIELDS = ("id", "is_active", "cycle_count", "version")
CYCLE_FIELDS = ("id", "number", "ref_code", "starts_at", "ends_at")
PROGRESS_FIELDS = ("id", "value", "achieved_at")
LOCK_LEAVING = "SELECT lock_enrolment(%s, %s, %s, %s, %s, %s, %s, %s)::text"
NUMBERS = "SELECT nextval('enrollments_receipt_id_seq'), pg_current_xact_id()::text::bigint"
