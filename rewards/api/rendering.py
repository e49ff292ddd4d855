"""Target groups in the published shape (api.md 6), and grants (api.md 7)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Prefetch, prefetch_related_objects

from rewards.models import Grant, Reward
from targets.api.rendering import amount, instant
from targets.calendar import last_second
from targets.models import Cycle, StreakLevel, Target, TargetGroup


def attribution(group: TargetGroup) -> dict[str, Any]:
    by = {"id": None, "code": group.created_by or None, "name": group.created_by or None, "type": None}
    return {
        "createdOn": instant(group.created_at),
        "lastUpdatedOn": instant(group.updated_at),
        "createdBy": by,
        "lastUpdatedBy": by,
    }


def with_targets(groups: list[TargetGroup]) -> list[TargetGroup]:
    """The same groups with what `target_json` reads, in a constant number of statements."""
    targets = Prefetch("targets", Target.objects.order_by("pk"))
    promised = Prefetch("targets__rewards", Reward.objects.filter(retired_at=None).select_related("cycle"))
    prefetch_related_objects(groups, targets, "targets__values", promised)
    return groups


def groups_json(groups: Iterable[TargetGroup], at: datetime, *, include_periods: bool = True) -> list[dict[str, Any]]:
    """The groups with periods, targets and levels as they stand at `at`, in a constant number of statements."""
    loaded = with_targets(list(groups))
    prefetch_related_objects(loaded, "cycles", "levels")
    return [_group_json(group, at, include_periods) for group in loaded]


def _group_json(group: TargetGroup, at: datetime, include_periods: bool) -> dict[str, Any]:
    cycles, targets, levels = list(group.cycles.all()), list(group.targets.all()), group.levels.all()
    periods = [period_json(cycle, group, at) for cycle in cycles]
    zone = ZoneInfo(group.time_zone)
    return {
        "id": group.pk,
        "name": group.name,
        "active": group.is_active,
        "description": group.description,
        "preferredTillId": group.preferred_till_id,
        "trackingType": group.tracking_type,
        "targetEvaluationType": group.evaluation_type,
        "frequencyType": group.frequency_type,
        "frequency": group.frequency,
        "totalPeriods": group.cycle_count,
        "recurringCycles": group.recurring_cycles,
        "timeZoneName": group.time_zone,
        "targetCycleStartDate": local(cycles[0].starts_at, zone),
        "targetCycleEndDate": local(last_inside(cycles[-1]), zone),
        "leaderboardEnabled": False,
        "userCreated": False,
        "lateDays": group.late_days,
        "countsBeforeEnrolment": group.counts_before_enrolment,
        **group.cosmetic,
        "attribution": attribution(group),
        "activePeriod": next((period for period in periods if period["periodStatus"] == "RUNNING"), None),
        "periods": periods if include_periods else None,
        "targets": [target_json(target, group) for target in targets],
        "streaks": [level_json(level, group, targets) for level in levels],
    }


def last_inside(cycle: Cycle) -> datetime | None:
    """The last second of a cycle, or None where each customer has a calendar of his own."""
    return None if cycle.ends_at is None else last_second(cycle.ends_at)


def local(value: datetime | None, zone: ZoneInfo) -> str | None:
    return None if value is None else value.astimezone(zone).isoformat()


def local_day(value: datetime | None, zone: ZoneInfo) -> str | None:
    return None if value is None else value.astimezone(zone).date().isoformat()


def period_json(cycle: Cycle, group: TargetGroup, at: datetime) -> dict[str, Any]:
    zone = ZoneInfo(group.time_zone)
    status = None
    if cycle.starts_at is not None:
        status = "RUNNING" if cycle.is_running(at) else "ENDED" if cycle.has_ended(at) else "NOT_STARTED"
    return {
        "id": cycle.pk,
        "refCode": cycle.ref_code,
        "description": cycle.description,
        "startDate": local(cycle.starts_at, zone),
        "endDate": local(last_inside(cycle), zone),
        "periodStatus": status,
        "targetGroupId": group.pk,
        "active": True,
        "attribution": attribution(group),
    }


def periods_json(group: TargetGroup, at: datetime) -> list[dict[str, Any]]:
    """The periods as their own published call answers them: from the first day to the last, without times."""
    zone = ZoneInfo(group.time_zone)
    return [
        period_json(cycle, group, at)
        | {"startDate": local_day(cycle.starts_at, zone), "endDate": local_day(last_inside(cycle), zone)}
        for cycle in group.cycles.all()
    ]


def target_json(target: Target, group: TargetGroup) -> dict[str, Any]:
    """`target` as `with_targets` loads it."""
    default_values = [
        {
            "id": each.pk,
            "periodId": each.cycle_id,
            "defaultValue": amount(each.value),
            "rewardAllocationType": each.allocation,
        }
        for each in target.values.all()
    ]
    return {
        "id": target.pk,
        "name": target.name,
        "description": target.description,
        "active": target.is_active,
        "targetType": target.kpi,
        "targetEntity": target.entity,
        "eventName": target.event_name or None,
        "attributeName": target.attribute_name or None,
        "match": target.match or None,
        "targetGroupId": group.pk,
        "expression": "true",
        "expressionJson": None,
        "filters": [],
        "enrolmentMethod": "IMPORT",
        "defaultValues": default_values,
        "targetPeriodDefaultValuesMap": {str(each["periodId"]): each for each in default_values},
        "extendedFieldInfo": None,
        # One word for all periods. Where they differ: that of the last, which is what goes on.
        "rewardAllocationType": default_values[-1]["rewardAllocationType"],
        "reward": reward_json(promised(target, None)),
        "periodRewards": period_rewards_json(target),
        **target.cosmetic,
        "attribution": attribution(group),
    }


def promised(target: Target, level: StreakLevel | None) -> Reward | None:
    level_id = level.pk if level else None
    rewards = (reward for reward in target.rewards.all() if reward.cycle is None)
    return next((reward for reward in rewards if reward.level_id == level_id), None)


def period_rewards_json(target: Target) -> list[dict[str, Any]]:
    """The periods with a reward of their own, in their order."""
    own = [(reward.cycle, reward) for reward in target.rewards.all() if reward.cycle is not None]
    return [
        {"refCode": cycle.ref_code, "periodId": cycle.pk, "reward": reward_json(reward)}
        for cycle, reward in sorted(own, key=lambda pair: pair[0].number)
    ]


def level_json(level: StreakLevel, group: TargetGroup, targets: Iterable[Target]) -> dict[str, Any]:
    rewards = (promised(target, level) for target in targets)
    return {
        "id": level.pk,
        "name": level.name,
        "targetCountOfSequence": level.target_count,
        "targetGroupId": group.pk,
        "reward": reward_json(next((reward for reward in rewards if reward), None)),
        "attribution": attribution(group),
    }


def reward_json(reward: Reward | None) -> dict[str, Any] | None:
    if reward is None:
        return None
    return {
        "name": reward.name,
        "kind": reward.kind,
        "value": amount(reward.value),
        "payload": reward.payload,
    }


def grant_json(grant: Grant, periods: dict[tuple[int, int], Cycle]) -> dict[str, Any]:
    """`periods` maps (target id, cycle number) to the cycle."""
    cycle = periods[grant.target_id, grant.cycle_number]
    return {
        "grantId": grant.pk,
        "customerId": grant.customer.customer_id,
        "targetGroupId": cycle.target_group_id,
        "targetId": grant.target_id,
        "periodId": cycle.pk,
        "periodRefCode": cycle.ref_code,
        "streakId": grant.level_id,
        "streakName": grant.level.name if grant.level else None,
        "run": grant.run_number,
        "allocation": grant.allocation,
        "reward": {
            "name": grant.reward_name,
            "kind": grant.reward_kind,
            "value": amount(grant.reward_value),
            "payload": grant.reward_payload,
        },
        "achievedAt": instant(grant.achieved_at),
        "grantedAt": instant(grant.granted_at),
    }


def grants_json(grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """Grants with customer and level loaded, in their order; one statement for all periods."""
    grants = list(grants)
    targets = {grant.target_id for grant in grants}
    cycles = Cycle.objects.filter(
        target_group__targets__in=targets, number__in={grant.cycle_number for grant in grants}
    )
    periods = {
        (target_id, cycle.number): cycle
        for cycle in cycles.prefetch_related("target_group__targets")
        for target_id in [target.pk for target in cycle.target_group.targets.all()]
    }
    return [grant_json(grant, periods) for grant in grants]
