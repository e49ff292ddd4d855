"""The figures of a target, counted customer by customer: slow, and obviously right."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from enrollments.enums import Verdict
from enrollments.figures import figures
from enrollments.models import Participation, Progress
from enrollments.standing import standings
from rewards.models import Grant
from rewards.queries import promised_reward
from targets.enums import Allocation
from targets.models import Target, TargetValue
from tests.properties.words import agree

Counts = tuple[int, int, int, int]


def check_figures(target: Target, at: datetime) -> None:
    """Members, achieved, granted, owed, forfeited; and how often each level was given."""
    found = figures(target, at)
    participations = list(Participation.objects.filter(target=target).prefetch_related("stays", "progress"))
    paid = set(Grant.objects.filter(target=target, level=None).values_list("customer", "cycle_number"))
    # As the page of each customer says.
    forfeited = Counter(
        line.cycle.number
        for standing in standings(participations, at)
        for line in standing.cycles
        if line.verdict == Verdict.LEFT_REWARD_FORFEITED
    )
    agree(
        [(each.members, each.achieved, each.granted, each.owed, each.forfeited) for each in found.cycles],
        [(*counted(participations, paid, value, at), forfeited[value.cycle.number]) for value in values_of(target)],
    )
    agree(
        [each.granted for each in found.levels],
        [Grant.objects.filter(target=target, level=each.level).count() for each in found.levels],
    )


def values_of(target: Target) -> list[TargetValue]:
    values = TargetValue.objects.filter(target=target).select_related("cycle", "target__target_group")
    return list(values.order_by("cycle__number"))


def counted(
    participations: Sequence[Participation], paid: set[tuple[int, int]], value: TargetValue, at: datetime
) -> Counts:
    """`paid`: (customer, number of the cycle) of each grant for a cycle."""
    members = achieved = granted = owed = 0
    for each in participations:
        number = value.cycle.number
        stay = next((stay for stay in each.stays.all() if stay.covers(number)), None)
        is_granted = (each.customer_id, number) in paid
        granted += is_granted
        if stay is None:
            continue
        members += 1
        run = stay.run_number
        progress = next(
            (one for one in each.progress.all() if (one.run_number, one.cycle_number) == (run, number)), None
        )
        if progress is None or not has_achieved(progress, value):
            continue
        achieved += 1
        owed += not is_granted and is_owed(each, value, at)
    return members, achieved, granted, owed


def has_achieved(progress: Progress, value: TargetValue) -> bool:
    if value.allocation == Allocation.IMMEDIATE:
        return progress.achieved_at is not None
    return progress.value >= value.value


def is_owed(participation: Participation, value: TargetValue, at: datetime) -> bool:
    """Whether the close of the cycle has yet to pay him."""
    cycle = value.cycle
    if value.allocation == Allocation.IMMEDIATE:
        return False
    if value.target.target_group.has_own_calendars:
        has_paid = participation.closed_through >= cycle.number
    else:
        has_paid = cycle.paid_at is not None
    return not has_paid and promised_reward(value.target, cycle.pk, cycle.closed_at or at) is not None
