"""Defining programmes and reading what was given, over HTTP."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from rewards.api.programmes import TargetGroupSerializer, definition
from rewards.api.rendering import grants_json, group_json
from rewards.api.schema import GrantAnswer, TargetGroupAnswer
from rewards.models import Grant
from rewards.operations import define_programme
from targets.answers import Answer
from targets.api.feeds import FeedQuerySerializer, read_feed
from targets.api.requests import brand_of
from targets.clock import brand_now
from targets.fields import path_id
from targets.queries import find_target_group


class TargetGroupsView(APIView):
    """Target groups: published calls."""

    published_shape = True
    required_permissions = {"post": "targets.add_targetgroup"}

    @extend_schema(operation_id="createTargetGroup", request=TargetGroupSerializer, responses={201: TargetGroupAnswer})
    def post(self, request: Request) -> Answer:
        """Define a group with its periods, targets, streak levels and rewards, in one call."""
        brand = brand_of(request)
        at = brand_now(brand)
        wanted = definition(brand, request.data)
        programme = define_programme(
            brand=brand,
            group=wanted.group,
            rewards=wanted.rewards,
            level_rewards=wanted.level_rewards,
            at=at,
            by=request.user.get_username(),
        )
        return Answer(group_json(programme.group, at), status=201, warnings=wanted.warnings)


class TargetGroupView(APIView):
    """One target group: a published call."""

    published_shape = True
    required_permissions = {"get": "targets.view_targetgroup"}

    @extend_schema(operation_id="readTargetGroup", responses={200: TargetGroupAnswer})
    def get(self, request: Request, group_id: str) -> Answer:
        """The group with its periods, targets and streak levels; inactive ones too."""
        brand = brand_of(request)
        group = find_target_group(brand, path_id(group_id, "targetGroupId"), include_inactive=True)
        return Answer(group_json(group, brand_now(brand)))


class GrantsView(APIView):
    """The ledger of what was given."""

    is_paginated = True
    required_permissions = {"get": "rewards.view_grant"}

    @extend_schema(
        operation_id="listRewardGrants", parameters=[FeedQuerySerializer], responses={200: GrantAnswer(many=True)}
    )
    def get(self, request: Request) -> Answer:
        """Grants, oldest first. Nothing is skipped, even when transactions end in another order than they began."""
        grants = Grant.objects.filter(brand=brand_of(request)).select_related("customer", "level")
        page = read_feed(grants, request.query_params)
        return Answer(grants_json(page.rows), pagination=page.pagination)
