"""Receipts and a customer's programmes over HTTP."""

from django.db.models import Q
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from enrollments.api.published import user_json
from enrollments.api.rendering import receipt_json
from enrollments.api.schema import ReceiptAnswer, UserAnswer
from enrollments.models import Participation, Receipt
from enrollments.queries import find_receipt
from enrollments.receipts import account, accounts
from targets.answers import Answer
from targets.api.feeds import FeedQuerySerializer, read_feed
from targets.api.replica import tolerates_lag
from targets.api.requests import brand_of, validated
from targets.api.views import CallView
from targets.clock import brand_now
from targets.errors import ErrorCode
from targets.fields import QueryFlagField, QueryIdField, path_id
from targets.queries import LARGEST_ID, find_customer


class ReceiptsView(CallView):
    """The accounts of all enrolment changes."""

    is_paginated = True
    required_permissions = {"get": "enrollments.view_receipt"}

    @extend_schema(
        operation_id="listReceipts", parameters=[FeedQuerySerializer], responses={200: ReceiptAnswer(many=True)}
    )
    @tolerates_lag
    def get(self, request: Request) -> Answer:
        """Receipts, oldest first. Nothing is skipped, even when transactions end in another order than they began."""
        page = read_feed(Receipt.objects.filter(brand=brand_of(request)), request.query_params)
        return Answer([receipt_json(each) for each in accounts(page.rows)], pagination=page.pagination)


class ReceiptView(CallView):
    """One receipt; it reads the same for ever."""

    required_permissions = {"get": "enrollments.view_receipt"}
    refusals = {"get": (ErrorCode.NOT_FOUND,)}

    @extend_schema(operation_id="readReceipt", responses={200: ReceiptAnswer})
    @tolerates_lag
    def get(self, request: Request, receipt_id: str) -> Answer:
        """What one change meant for every cycle, level and reward."""
        receipt = find_receipt(brand_of(request), path_id(receipt_id, "receiptId"))
        return Answer(receipt_json(account(receipt)))


class UserQuerySerializer(serializers.Serializer[dict[str, object]]):
    """A published query: other parameters change nothing and are passed over."""

    includeInactive = QueryFlagField(required=False, default=False, help_text="All periods, not only the running one.")
    includeInactiveTargets = QueryFlagField(
        required=False, default=False, help_text="Also groups and targets that are inactive."
    )
    targetRuleId = QueryIdField("This target only.", 34)


class UserTargetGroupsView(CallView):
    """A customer's programmes: a published call."""

    published_shape = True
    required_permissions = {"get": "enrollments.view_participation"}
    refusals = {"get": (ErrorCode.CUSTOMER_NOT_FOUND,)}

    @extend_schema(operation_id="readUserTargetGroups", parameters=[UserQuerySerializer], responses={200: UserAnswer})
    @tolerates_lag
    def get(self, request: Request, customer_id: str) -> Answer:
        """The target groups in which the customer is or was, with values per period and streaks."""
        number = path_id(customer_id, "customerId")
        query = validated(UserQuerySerializer, request.query_params.dict())
        brand = brand_of(request)
        customer = find_customer(brand, number)
        wanted = Q(customer=customer)
        if not query["includeInactiveTargets"]:
            wanted &= Q(target__is_active=True, target__target_group__is_active=True)
        if (target_id := query["targetRuleId"]) is not None:
            wanted &= Q(target=target_id) if 0 < target_id <= LARGEST_ID else Q(pk=None)
        participations = Participation.objects.filter(wanted).order_by("target__target_group", "target")
        at = brand_now(brand)
        return Answer(user_json(customer, participations, at, running_only=not query["includeInactive"]))
