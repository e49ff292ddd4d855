"""Activities of customers over HTTP."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiExample, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request

from enrollments.api.plain_activities import NotPlain, plain_activity
from enrollments.api.rendering import recorded_json
from enrollments.api.schema import RecordedAnswer
from enrollments.api.serializers import ActivitySerializer
from enrollments.operations import ActivityData, Recorded
from enrollments.recording import record_each
from targets.answers import Answer
from targets.api.idempotency import idempotent
from targets.api.requests import brand_of
from targets.api.views import CallView
from targets.api.weighing import SET_BASED, weighs
from targets.fields import list_of
from targets.models import Cycle

MOST_ACTIVITIES = 1_000
LIMITS = {"min_length": 1, "max_length": MOST_ACTIVITIES}
PURCHASE = {
    "eventId": "till-7-4711",
    "eventName": "purchase",
    "customerId": 423789336,
    "occurredAt": "2026-01-15T09:00:00+05:30",
    "amount": 49.95,
    "quantity": 3,
    "attributes": {"store": "Pune"},
}
ONE = OpenApiExample("One", PURCHASE, request_only=True)
SEVERAL = OpenApiExample("Several", [PURCHASE, PURCHASE | {"eventId": "till-7-4712"}], request_only=True)


class ActivitiesView(CallView):
    """Activities of customers: one or up to 1,000, each answered for itself."""

    required_permissions = {"post": "enrollments.record_activity"}

    @extend_schema(
        operation_id="recordActivities",
        examples=[ONE, SEVERAL],
        request=PolymorphicProxySerializer(
            component_name="Activities",
            serializers=[ActivitySerializer, list_of(ActivitySerializer, **LIMITS)],
            resource_type_field_name=None,
            many=False,
        ),
        responses={
            200: PolymorphicProxySerializer(
                component_name="RecordedActivities",
                serializers=[RecordedAnswer, RecordedAnswer(many=True)],
                resource_type_field_name=None,
                many=False,
            )
        },
    )
    @weighs(records_per_unit=SET_BASED, most=MOST_ACTIVITIES)
    @idempotent
    def post(self, request: Request) -> Answer:
        """Record activities. Sending a batch again is safe: what was recorded answers what it answered first.

        With an Idempotency-Key all of them are one transaction; without it mostly too, but where a lock takes too long
        each may be a transaction of its own.
        """
        is_one = isinstance(request.data, Mapping)
        recorded = record_each(brand_of(request), _delivered(request.data))
        period_ids = _period_ids(recorded)
        answers = [recorded_json(each, period_ids) for each in recorded]
        return Answer(answers[0] if is_one else answers)


def _delivered(body: Any) -> list[ActivityData]:
    """Raises `ValidationError`."""
    if isinstance(body, list) and 1 <= len(body) <= MOST_ACTIVITIES:
        try:
            return [plain_activity(item) for item in body]
        except NotPlain:
            pass  # one at least is to be looked at more closely
    is_one = isinstance(body, Mapping)
    serializer = ActivitySerializer(data=body) if is_one else list_of(ActivitySerializer, data=body, **LIMITS)
    serializer.is_valid(raise_exception=True)
    return [_activity(item) for item in ([serializer.validated_data] if is_one else serializer.validated_data)]


def _activity(item: dict[str, Any]) -> ActivityData:
    return ActivityData(
        event_id=item["eventId"],
        event_name=item["eventName"],
        customer_id=item["customerId"],
        occurred_at=item["occurredAt"],
        amount=item["amount"],
        quantity=item["quantity"],
        attributes=item["attributes"],
    )


def _period_ids(recorded: list[Recorded]) -> dict[tuple[int, int], int]:
    """The id of each cycle of the targets that counted something, by (target id, cycle number)."""
    targets = {outcome.participation.target_id for each in recorded for outcome in each.outcomes}
    if not targets:
        return {}
    rows = Cycle.objects.filter(target_group__targets__in=targets)
    return {
        (target_id, number): pk for target_id, number, pk in rows.values_list("target_group__targets", "number", "pk")
    }
