"""What a programme means, in plain sentences: shown before it is saved."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from rewards.admin.draft import Definition
from rewards.operations import RewardData
from rewards.wording import given
from targets.enums import Allocation, EvaluationType, FrequencyType, Kpi, TrackingType
from targets.operations import GroupData, TargetData
from targets.wording import amount, day

UNIT = {
    FrequencyType.DAILY: "day",
    FrequencyType.WEEKLY: "week",
    FrequencyType.MONTHLY: "month",
    FrequencyType.QUARTERLY: "quarter",
    FrequencyType.HALF_YEARLY: "half-year",
    FrequencyType.YEARLY: "year",
    FrequencyType.CUSTOM: "day",
}


def sentences(definition: Definition) -> list[str]:
    """In the order of reading: who gets what for what, then when."""
    group = definition.group
    rewarded = list(zip(group.targets, definition.rewards, strict=True))
    if group.tracking_type == TrackingType.DEFAULT:
        said = [milestone(target, reward) for target, reward in rewarded]
    else:
        said = [f"A cycle is achieved by {reaching(target)}." for target, _ in rewarded]
        said += levels(group, definition.level_rewards)
    if group.evaluation_type == EvaluationType.PERIOD_AGNOSTIC_WINDOW:
        return [*said, calendar(group), earliness(group)]
    return [*said, calendar(group), lateness(group)]


def milestone(target: TargetData, reward: RewardData | None) -> str:
    if reward is None:
        return f"{target.name}: {reaching(target)} within a cycle is tracked, but nothing is given for it."
    at_once = target.allocation == Allocation.IMMEDIATE
    when = "at once" if at_once else "when the cycle closes, if the value is still reached then"
    return f"{target.name}: each customer gets {given(reward)} for {reaching(target)} within a cycle, {when}."


def levels(group: GroupData, rewards: list[RewardData | None]) -> list[str]:
    if not group.levels:
        return ["There are no levels: the streak is tracked, but nothing is given for it."]
    in_a_row = group.tracking_type == TrackingType.STREAKS
    how = "in a row" if in_a_row else "in a row or not"
    said = [
        f"{level.name}: {given(reward)} for {counted(level.target_count, 'cycle')} achieved {how}, at once."
        for level, reward in zip(group.levels, rewards, strict=True)
    ]
    said.append(
        "Whoever misses a cycle begins again at zero."
        if in_a_row
        else "Whoever misses a cycle keeps the count and goes on from there."
    )
    if len(group.targets) > 1:
        said.append("Each target has a streak of its own, and each streak gives the rewards of the levels.")
    return said


def reaching(target: TargetData) -> str:
    """“reaching 3 activities of “purchase””"""
    lowest, highest = min(target.values), max(target.values)
    value = amount(lowest) if lowest == highest else f"{amount(lowest)} to {amount(highest)}"
    of = f" of “{target.event_name}”" if target.event_name else ""
    is_one = lowest == highest == 1
    measured = {
        Kpi.COUNT: f"{value} {'activity' if is_one else 'activities'}{of}",
        Kpi.SALES: f"{value} as the sum of amounts{of}",
        Kpi.GROSS_SALES: f"{value} as the sum of gross amounts{of}",
        Kpi.QUANTITY: f"{value} as the sum of quantities{of}",
        Kpi.VISIT: f"{value} {'day' if is_one else 'days'} with an activity{of}",
        Kpi.EVENT_ATTRIBUTE: f"{value} as the sum of “{target.attribute_name}”{of}",
    }[target.kpi]
    differing = "" if lowest == highest else " (see the table)"
    return f"reaching {measured}{differing}{conditions(target.match)}"


def conditions(match: Mapping[str, Mapping[str, Any]]) -> str:
    said = [f"“{name}” {compared(how, wanted)}" for name, each in match.items() for how, wanted in each.items()]
    return f", where {' and '.join(said)}," if said else ""


def compared(how: str, wanted: Any) -> str:
    match how:
        case "equals":
            return f"is {written(wanted)}"
        case "in":
            return f"is one of {', '.join(written(each) for each in wanted)}"
        case "atLeast":
            return f"is at least {written(wanted)}"
        case _:
            return f"is at most {written(wanted)}"


def written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"“{value}”" if isinstance(value, str) else amount(Decimal(value))


def calendar(group: GroupData) -> str:
    cycles = counted(len(group.periods), "cycle")
    if group.evaluation_type == EvaluationType.PERIOD_AGNOSTIC_WINDOW:
        return f"{cycles}: each ends for a customer when he achieves it, and the next begins at once."
    length = counted(group.frequency or 1, UNIT[group.frequency_type])
    zone = group.time_zone
    starts_at, ends_at = group.periods[0].starts_at, group.periods[-1].ends_at
    if starts_at is None or ends_at is None:
        each = " each" if len(group.periods) > 1 else ""
        return (
            f"{cycles} of {length}{each}, for each customer from his first activity after he enrolled; "
            f"each begins at the same time of the day in {zone}."
        )
    first, last = starts_at, ends_at - timedelta(microseconds=1)
    return (
        f"{counted(len(group.periods), 'cycle')} of {length}{' each' if len(group.periods) > 1 else ''}, "
        f"from {day(first, zone)} to {day(last, zone)}, the same for everybody; days begin at midnight in {zone}."
    )


def lateness(group: GroupData) -> str:
    late = (
        f"A cycle takes late activity for {counted(group.late_days, 'day')} after its end."
        if group.late_days
        else "A cycle takes no activity after its end, not even late one."
    )
    return late if group.evaluation_type == EvaluationType.CYCLIC_WINDOW else f"{late} {earliness(group)}"


def earliness(group: GroupData) -> str:
    return f"Activity before the enrolment {'counts' if group.counts_before_enrolment else 'does not count'}."


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
