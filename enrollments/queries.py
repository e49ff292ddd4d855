from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from enrollments.decisions import CycleState, shown_count
from enrollments.models import Participation, Progress, Receipt, Stay
from rewards.models import Grant
from targets.enums import Allocation, TrackingType
from targets.errors import ReceiptNotFound
from targets.models import Brand, Cycle, Target, TargetValue
from targets.queries import LARGEST_ID, ended_while_inactive


def find_receipt(brand: Brand, receipt_id: int) -> Receipt:
    """The receipt with its participation, customer, target and group. Raises `ReceiptNotFound`."""
    receipt = None
    if 0 < receipt_id <= LARGEST_ID:
        receipts = Receipt.objects.select_related("participation__customer", "participation__target__target_group")
        receipt = receipts.filter(brand=brand, pk=receipt_id).first()
    if receipt is None:
        raise ReceiptNotFound(f"Receipt {receipt_id} is not found.")
    receipt.participation.customer.brand = receipt.participation.target.brand = brand
    return receipt


def out_since(stay: Stay, cycle_ends: Mapping[int, datetime | None]) -> datetime | None:
    """The instant from which he is out: of leaving, or the end of the cycle for a scheduled leave.

    None while no leave is decided, or nobody knows when that cycle of his own calendar will end. `cycle_ends`: of the
    calendar that is the same for everybody.
    """
    if stay.leaves_after is None:
        return stay.left_at
    return stay.leaves_at or cycle_ends.get(stay.leaves_after)


def scheduled_end(stay: Stay, target: Target) -> datetime | None:
    """When the scheduled leave takes effect; None while nobody knows when that cycle of his own calendar will end."""
    if target.target_group.has_own_calendars:
        return stay.leaves_at
    cycles = Cycle.objects.filter(target_group=target.target_group_id, number=stay.leaves_after or 0)
    return cycles.values_list("ends_at", flat=True).get()


def is_current(stay: Stay, target: Target, at: datetime) -> bool:
    """Whether he counts as enrolled by this stay at `at`: open, or its scheduled leave lies ahead."""
    if stay.end_cycle is None:
        return True
    if stay.leaves_after is None:
        return False
    ends_at = scheduled_end(stay, target)
    return ends_at is None or at < ends_at


def cycle_state(participation: Participation, target: Target, run_number: int, cycle: Cycle) -> CycleState:
    """What is known of `cycle` now, in one statement for each table whatever the number of cycles."""
    progress = Progress.objects.filter(
        participation=participation, run_number=run_number, cycle_number=cycle.number
    ).first()
    target_value = TargetValue.objects.get(target=target, cycle=cycle)
    granted = Grant.objects.filter(
        customer_id=participation.customer_id, target=target, cycle_number=cycle.number, level=None
    ).exists()
    return CycleState(
        value=progress.value if progress else Decimal(0),
        target_value=target_value.value,
        allocation=Allocation(target_value.allocation),
        achieved_at=progress.achieved_at if progress else None,
        is_granted=granted,
    )


@dataclass(frozen=True)
class Streak:
    """Cycles of one run: achieved ones, and those missed (a member of, ended while active, not achieved)."""

    achieved: frozenset[int]
    missed: frozenset[int]

    @property
    def count(self) -> int:
        return shown_count(self.achieved, self.missed)


def streak(
    participation: Participation, target: Target, run_number: int, at: datetime, stays: Iterable[Stay]
) -> Streak:
    """The state of a run at `at`, in one statement for achievements and one for the calendar."""
    achieved = frozenset(
        Progress.objects.filter(
            participation=participation, run_number=run_number, achieved_at__isnull=False
        ).values_list("cycle_number", flat=True)
    )
    if target.target_group.tracking_type == TrackingType.NON_CONTINUOUS_STREAKS:
        return Streak(achieved, frozenset())
    ended = (
        Cycle.objects.filter(target_group=target.target_group_id, ends_at__lte=at)
        .exclude(ended_while_inactive())
        .values_list("number", flat=True)
    )
    of_run = [stay for stay in stays if stay.run_number == run_number]
    missed = frozenset(
        number for number in ended if number not in achieved and any(stay.covers(number) for stay in of_run)
    )
    return Streak(achieved, missed)


def streak_count(
    participation: Participation, target: Target, run_number: int, at: datetime, stays: Iterable[Stay]
) -> int:
    """The count of a streak's run at `at`; 0 for a milestone, of which nothing is asked."""
    return streak(participation, target, run_number, at, stays).count if target.target_group.is_streak else 0
