"""`GET /v3/users/{customerId}/targetGroups`: a customer's programmes in the published shape (api.md 5)."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from enrollments.enums import Verdict
from enrollments.models import Participation
from enrollments.standing import CycleStanding, LevelStanding, Standing, standings
from rewards.api.rendering import attribution, last_inside, local_day
from targets.api.rendering import amount, published_instant, published_zulu
from targets.models import Customer, Target

LEFT = (Verdict.LEFT, Verdict.LEFT_REWARD_KEPT, Verdict.LEFT_REWARD_FORFEITED)


def user_json(
    customer: Customer, participations: Iterable[Participation], at: datetime, *, running_only: bool
) -> dict[str, Any]:
    """`participations` in the order of their target groups; with `running_only` just the cycle running at `at`."""
    found = standings(list(participations), at)
    groups = groupby(found, key=lambda each: each.participation.target.target_group)
    return {
        "userId": customer.customer_id,
        "customer": {"id": customer.customer_id, "profiles": [], "loyaltyInfo": {}, "customFields": {}},
        "targetGroups": [_group(list(each), at, running_only) for _, each in groups],
    }


def _group(found: list[Standing], at: datetime, running_only: bool) -> dict[str, Any]:
    group = found[0].participation.target.target_group
    answer = {
        "id": group.pk,
        "name": group.name,
        "trackingType": group.tracking_type,
        "targetEvaluationType": group.evaluation_type,
        "preferredTillId": group.preferred_till_id,
        "attribution": attribution(group),
        "targets": [
            _target(standing.participation.target, line, at)
            for standing in found
            for line in standing.cycles
            if line.verdict != Verdict.NOT_MEMBER and (_is_running(line, at) or not running_only)
        ],
    }
    if group.is_streak:
        answer["streaks"] = [_streak(standing, level) for standing in found for level in standing.levels]
    return answer


def _is_running(line: CycleStanding, at: datetime) -> bool:
    return line.cycle.is_running(at)


def _target(target: Target, line: CycleStanding, at: datetime) -> dict[str, Any]:
    zone = ZoneInfo(target.target_group.time_zone)
    cycle = line.cycle
    ends = last_inside(cycle)
    return {
        "targetId": line.progress.pk if line.progress else None,
        "targetRuleId": target.pk,
        "targetName": target.name,
        "targetType": target.kpi,
        "targetEntity": target.entity,
        "eventName": target.event_name or None,
        "periodId": cycle.pk,
        "periodRefCode": cycle.ref_code,
        "periodStartDate": local_day(cycle.starts_at, zone),
        "periodEndDate": local_day(ends, zone),
        "periodStartDateWithTimeStamp": published_zulu(cycle.starts_at),
        "periodEndDateWithTimeStamp": published_zulu(ends),
        "targetValue": amount(line.target_value),
        "targetAchievedValue": amount(line.value),
        "targetAchievedDateTime": published_instant(line.achieved_at),
        "enrolledOn": published_instant(line.stay.enrolled_at if line.stay else None),
        "currentPeriod": _is_running(line, at),
        "milestones": None,
        "unEnrolled": line.verdict in LEFT,
    }


def _streak(standing: Standing, line: LevelStanding) -> dict[str, Any]:
    return {
        "userStreakId": line.grant.pk if line.grant else None,
        "streakId": line.level.pk,
        "streakName": line.level.name,
        "status": "INPROGRESS" if line.achieved_at is None else "ACHIEVED",
        "currentCount": standing.streak_count,
        "totalTargetCountOfSequence": line.level.target_count,
        "streakAchievedUserTargetId": line.achieved_by.pk if line.achieved_by else None,
        "streakAchievedDateTime": published_instant(line.achieved_at),
    }
