"""Defining programmes and reading what was given, over HTTP."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from rewards.api.programmes import TargetGroupSerializer, definition
from rewards.api.rendering import grants_json, groups_json, periods_json, target_json, with_targets
from rewards.api.schema import DatedPeriodAnswer, GrantAnswer, TargetAnswer, TargetGroupAnswer
from rewards.models import Grant
from rewards.operations import define_programme
from targets.answers import Answer
from targets.api.feeds import FeedQuerySerializer, read_feed
from targets.api.idempotency import idempotent
from targets.api.replica import tolerates_lag
from targets.api.requests import brand_of, request_id_of, validated
from targets.api.views import CallView
from targets.clock import brand_now
from targets.enums import Source
from targets.errors import ErrorCode
from targets.fields import QueryFlagField, path_id
from targets.models import TargetGroup
from targets.queries import find_target_group

MILESTONE = OpenApiExample(
    "A milestone of five months",
    {
        "name": "ABC",
        "trackingType": "DEFAULT",
        "targetEvaluationType": "FIXED_CALENDAR_WINDOW",
        "timeZoneName": "Europe/Berlin",
        "frequencyType": "MONTHLY",
        "frequency": 1,
        "totalPeriods": 5,
        "targetCycleStartDate": "2026-01-01T00:00:00",
        "targets": [
            {
                "name": "Spend",
                "targetEntity": "TRANSACTION",
                "targetType": "SALES",
                "eventName": "purchase",
                "defaultValues": [{"defaultValue": 500}],
                "rewardAllocationType": "PERIOD_END",
                "reward": {"name": "100 points", "kind": "POINTS", "value": 100},
            }
        ],
    },
    request_only=True,
)
STREAK = OpenApiExample(
    "A streak of two periods",
    {
        "name": "Two in a row",
        "trackingType": "STREAKS",
        "targetEvaluationType": "FIXED_CALENDAR_WINDOW",
        "periods": [
            {"refCode": "January", "startDate": "2026-01-01T00:00:00", "endDate": "2026-01-31T23:59:59"},
            {"refCode": "February", "startDate": "2026-02-01T00:00:00", "endDate": "2026-02-28T23:59:59"},
        ],
        "targets": [
            {
                "name": "Visits",
                "targetEntity": "TRANSACTION",
                "targetType": "VISIT",
                "defaultValues": [{"defaultValue": 1}, {"defaultValue": 2}],
            }
        ],
        "streaks": [
            {"name": "Silver", "targetCountOfSequence": 2, "reward": {"name": "Silver", "kind": "BADGE"}},
        ],
    },
    request_only=True,
)


class GroupsQuerySerializer(serializers.Serializer[dict[str, object]]):
    """A published query: other parameters change nothing and are passed over."""

    includePeriods = QueryFlagField(required=False, default=False, help_text="Without them `periods` is null.")
    includeOnlyActive = QueryFlagField(required=False, default=False, help_text="No inactive groups.")


class TargetGroupsView(CallView):
    """Target groups: published calls."""

    published_shape = True
    required_permissions = {"get": "targets.view_targetgroup", "post": "targets.add_targetgroup"}
    refusals = {"post": (ErrorCode.NAME_TAKEN, ErrorCode.IMPOSSIBLE_COMBINATION)}

    @extend_schema(
        operation_id="listTargetGroups",
        parameters=[GroupsQuerySerializer],
        responses={200: TargetGroupAnswer(many=True)},
    )
    @tolerates_lag
    def get(self, request: Request) -> Answer:
        """All groups of the brand, oldest first. As published, without pages."""
        query = validated(GroupsQuerySerializer, request.query_params.dict())
        brand = brand_of(request)
        groups = TargetGroup.objects.filter(brand=brand).order_by("pk")
        if query["includeOnlyActive"]:
            groups = groups.filter(is_active=True)
        return Answer(groups_json(groups, brand_now(brand), include_periods=query["includePeriods"]))

    @extend_schema(
        operation_id="createTargetGroup",
        examples=[MILESTONE, STREAK],
        request=TargetGroupSerializer,
        responses={201: TargetGroupAnswer},
    )
    @idempotent
    def post(self, request: Request) -> Answer:
        """Define a group with its periods, targets, streak levels and rewards, in one call."""
        brand = brand_of(request)
        at = brand_now(brand)
        wanted = definition(brand, request.data)
        programme = define_programme(
            brand=brand,
            group=wanted.group,
            rewards=wanted.rewards,
            period_rewards=wanted.period_rewards,
            level_rewards=wanted.level_rewards,
            at=at,
            by=request.user.get_username(),
            source=Source.API,
            request_id=request_id_of(request),
        )
        [made] = groups_json([programme.group], at)
        return Answer(made, status=201, warnings=wanted.warnings)


class TargetGroupView(CallView):
    """One target group: a published call."""

    published_shape = True
    required_permissions = {"get": "targets.view_targetgroup"}
    refusals = {"get": (ErrorCode.TARGET_GROUP_NOT_FOUND,)}

    @extend_schema(operation_id="readTargetGroup", responses={200: TargetGroupAnswer})
    @tolerates_lag
    def get(self, request: Request, group_id: str) -> Answer:
        """The group with its periods, targets and streak levels; inactive ones too."""
        [group] = groups_json([group_of(request, group_id)], brand_now(brand_of(request)))
        return Answer(group)


class TargetPeriodsView(CallView):
    """The calendar of a target group: a published call."""

    published_shape = True
    required_permissions = {"get": "targets.view_targetgroup"}
    refusals = {"get": (ErrorCode.TARGET_GROUP_NOT_FOUND,)}

    @extend_schema(operation_id="listTargetPeriods", responses={200: DatedPeriodAnswer(many=True)})
    @tolerates_lag
    def get(self, request: Request, group_id: str) -> Answer:
        """The periods of the group, in order; of inactive ones too."""
        return Answer(periods_json(group_of(request, group_id), brand_now(brand_of(request))))


class TargetsView(CallView):
    """The targets of a target group: a published call."""

    published_shape = True
    required_permissions = {"get": "targets.view_targetgroup"}
    refusals = {"get": (ErrorCode.TARGET_GROUP_NOT_FOUND,)}

    @extend_schema(operation_id="listTargets", responses={200: TargetAnswer(many=True)})
    @tolerates_lag
    def get(self, request: Request, group_id: str) -> Answer:
        """The targets of the group with their values, in the order in which they were defined; inactive ones too."""
        [group] = with_targets([group_of(request, group_id)])
        return Answer([target_json(target, group) for target in group.targets.all()])


def group_of(request: Request, group_id: str) -> TargetGroup:
    """The group in the path, which may be inactive: reading it changes nothing."""
    return find_target_group(brand_of(request), path_id(group_id, "targetGroupId"), include_inactive=True)


class GrantsView(CallView):
    """The ledger of what was given."""

    is_paginated = True
    required_permissions = {"get": "rewards.view_grant"}

    @extend_schema(
        operation_id="listRewardGrants", parameters=[FeedQuerySerializer], responses={200: GrantAnswer(many=True)}
    )
    @tolerates_lag
    def get(self, request: Request) -> Answer:
        """Grants, oldest first. Nothing is skipped, even when transactions end in another order than they began."""
        grants = Grant.objects.filter(brand=brand_of(request)).select_related("customer", "level")
        page = read_feed(grants, request.query_params)
        return Answer(grants_json(page.rows), pagination=page.pagination)
