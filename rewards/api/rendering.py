"""Target groups in the published shape (api.md 6), and grants (api.md 7)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rewards.models import Grant, Reward
from targets.api.rendering import amount, instant
from targets.calendar import last_second
from targets.models import Cycle, StreakLevel, Target, TargetGroup, TargetValue


def attribution(group: TargetGroup) -> dict[str, Any]:
    by = {"id": None, "code": group.created_by or None, "name": group.created_by or None, "type": None}
    return {
        "createdOn": instant(group.created_at),
        "lastUpdatedOn": instant(group.updated_at),
        "createdBy": by,
        "lastUpdatedBy": by,
    }


def group_json(group: TargetGroup, at: datetime) -> dict[str, Any]:
    """The group with periods, targets and levels as they stand at `at`, in a constant number of statements."""
    cycles = list(Cycle.objects.filter(target_group=group).order_by("number"))
    targets = list(Target.objects.filter(target_group=group).order_by("pk"))
    levels = StreakLevel.objects.filter(target_group=group).order_by("target_count")
    values: dict[int, list[TargetValue]] = {target.pk: [] for target in targets}
    for value in TargetValue.objects.filter(target__in=targets).order_by("cycle__number"):
        values[value.target_id].append(value)
    rewards = {
        (each.target_id, each.level_id): each for each in Reward.objects.filter(target__in=targets, retired_at=None)
    }
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
        "targetCycleEndDate": local(last_second(cycles[-1].ends_at), zone),
        "leaderboardEnabled": False,
        "userCreated": False,
        "lateDays": group.late_days,
        "countsBeforeEnrolment": group.counts_before_enrolment,
        **group.cosmetic,
        "attribution": attribution(group),
        "periods": [period_json(cycle, group, zone, at) for cycle in cycles],
        "targets": [target_json(each, group, values[each.pk], rewards.get((each.pk, None))) for each in targets],
        "streaks": [level_json(level, group, targets, rewards) for level in levels],
    }


def local(value: datetime, zone: ZoneInfo) -> str:
    return value.astimezone(zone).isoformat()


def period_json(cycle: Cycle, group: TargetGroup, zone: ZoneInfo, at: datetime) -> dict[str, Any]:
    status = "NOT_STARTED" if at < cycle.starts_at else "RUNNING" if at < cycle.ends_at else "ENDED"
    return {
        "id": cycle.pk,
        "refCode": cycle.ref_code,
        "description": cycle.description,
        "startDate": local(cycle.starts_at, zone),
        "endDate": local(last_second(cycle.ends_at), zone),
        "periodStatus": status,
        "targetGroupId": group.pk,
        "active": True,
        "attribution": attribution(group),
    }


def target_json(
    target: Target, group: TargetGroup, values: Iterable[TargetValue], reward: Reward | None
) -> dict[str, Any]:
    default_values = [{"id": each.pk, "periodId": each.cycle_id, "defaultValue": amount(each.value)} for each in values]
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
        "rewardAllocationType": target.allocation,
        "reward": reward_json(reward),
        **target.cosmetic,
        "attribution": attribution(group),
    }


def level_json(
    level: StreakLevel, group: TargetGroup, targets: list[Target], rewards: dict[tuple[int, int | None], Reward]
) -> dict[str, Any]:
    promised = next((rewards[target.pk, level.pk] for target in targets if (target.pk, level.pk) in rewards), None)
    return {
        "id": level.pk,
        "name": level.name,
        "targetCountOfSequence": level.target_count,
        "targetGroupId": group.pk,
        "reward": reward_json(promised),
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
