"""`GET /v3/users/{customerId}/trackedTargetEvents/{targetId}`: a customer's log in the published shape (api.md 3)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from enrollments.api.schema import TrackedEventAnswer
from enrollments.models import Participation
from enrollments.tracked import TrackedEvent, TrackedKind, tracked_events
from targets.answers import Answer
from targets.api.rendering import amount, published_timestamp
from targets.api.replica import tolerates_lag
from targets.api.requests import brand_of, validated
from targets.api.views import CallView
from targets.clock import brand_now
from targets.enums import Entity
from targets.errors import CycleNotFound, ErrorCode, NoRecord
from targets.fields import QueryIdField, QueryIntegerField, path_id
from targets.models import Customer, Cycle, Target
from targets.queries import LARGEST_ID, find_customer, find_target_by_id

SOLD = (Entity.TRANSACTION, Entity.LINEITEM)
PUBLISHED_NAMES = {TrackedKind.ACTIVITY: "ADD_TRANSACTION", TrackedKind.RETURN: "RETURN_BILL"}


class TrackedEventsQuerySerializer(serializers.Serializer[dict[str, object]]):
    """A published query: other parameters change nothing and are passed over."""

    periodId = QueryIdField("This period only.", 56)
    limit = QueryIntegerField(
        required=False, default=10, min_value=1, max_value=1000, help_text="Events on a page.", example=10
    )
    offset = QueryIntegerField(
        required=False, default=0, min_value=0, max_value=2**31 - 1, help_text="Which page; the first is 0.", example=0
    )


class TrackedTargetEventsView(CallView):
    """What was tracked for a customer in a target: a published call."""

    published_shape = True
    is_paginated = True
    required_permissions = {"get": "enrollments.view_participation"}
    refusals = {
        "get": (
            ErrorCode.TARGET_NOT_FOUND,
            ErrorCode.CUSTOMER_NOT_FOUND,
            ErrorCode.NO_RECORD,
            ErrorCode.CYCLE_NOT_FOUND,
        )
    }

    @extend_schema(
        operation_id="readTrackedTargetEvents",
        parameters=[TrackedEventsQuerySerializer],
        responses={200: TrackedEventAnswer(many=True)},
    )
    @tolerates_lag
    def get(self, request: Request, customer_id: str, target_id: str) -> Answer:
        """Activities that counted, enrolments and unenrolments, oldest first, page by page."""
        customer_number, target_number = path_id(customer_id, "customerId"), path_id(target_id, "targetId")
        query = validated(TrackedEventsQuerySerializer, request.query_params.dict())
        brand = brand_of(request)
        target = find_target_by_id(brand, target_number)
        customer = find_customer(brand, customer_number)
        participation = Participation.objects.filter(customer=customer, target=target).first()
        if participation is None:
            raise NoRecord(f"No record is found for customer {customer.customer_id} and target {target.pk}.")
        participation.target = target
        limit, offset = query["limit"], query["offset"]
        events, total = tracked_events(
            participation,
            brand_now(brand),
            cycle=_cycle(target, query["periodId"]),
            limit=limit,
            skipped=offset * limit,
        )
        return Answer(
            [_event_json(each, customer, target) for each in events],
            pagination={"limit": limit, "offset": offset, "total": total},
            empty_lists=True,
        )


def _cycle(target: Target, period_id: int | None) -> Cycle | None:
    """The period to which the log is narrowed, if to any."""
    if period_id is None:
        return None
    cycle = None
    if 0 < period_id <= LARGEST_ID:
        cycle = Cycle.objects.filter(target_group=target.target_group_id, pk=period_id).first()
    if cycle is None:
        raise CycleNotFound(f"Target period {period_id} is not found in the target's group.", field="periodId")
    return cycle


def _event_json(event: TrackedEvent, customer: Customer, target: Target) -> dict[str, Any]:
    """What is not sold is a behavioural event; only those have a display name."""
    is_activity = event.kind in PUBLISHED_NAMES
    is_behavioural = is_activity and target.entity not in SOLD
    return {
        "eventLogId": event.id,
        "eventName": "GENERIC_EVENT" if is_behavioural else PUBLISHED_NAMES.get(event.kind, event.kind.value),
        "customerId": customer.customer_id,
        "eventDisplayName": event.name if is_behavioural else None,
        "uniqueId": event.unique_id,
        "eventDate": published_timestamp(event.happened_at),
        "eventProcessedDate": published_timestamp(event.recorded_at),
        "periodId": event.period_id,
        "targetGroupId": target.target_group_id,
        "targetRuleId": target.pk,
        "targetValue": amount(event.value),
    }
