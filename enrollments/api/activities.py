"""Activities of customers over HTTP."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from enrollments.api.rendering import recorded_json
from enrollments.api.schema import RecordedAnswer
from enrollments.api.serializers import ActivitySerializer
from enrollments.operations import ActivityData, Recorded
from enrollments.recording import record_each
from targets.answers import Answer
from targets.api.idempotency import idempotent
from targets.api.requests import brand_of
from targets.models import Cycle

MOST_ACTIVITIES = 1_000


class ActivitiesView(APIView):
    """Activities of customers: one or up to 1,000, each answered for itself."""

    required_permissions = {"post": "enrollments.record_activity"}

    @extend_schema(
        operation_id="recordActivities",
        request=PolymorphicProxySerializer(
            component_name="Activities",
            serializers=[ActivitySerializer, ActivitySerializer(many=True)],
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
    @idempotent
    def post(self, request: Request) -> Answer:
        """Record activities. Each is a transaction of its own, so sending a batch again is safe.

        With an Idempotency-Key all of them are one transaction.
        """
        is_one = isinstance(request.data, Mapping)
        if is_one:
            serializer = ActivitySerializer(data=request.data)
        else:
            limits = {"min_length": 1, "max_length": MOST_ACTIVITIES}  # of the list, which the stubs do not know
            serializer = ActivitySerializer(data=request.data, many=True, **limits)  # type: ignore[arg-type]  # see above
        serializer.is_valid(raise_exception=True)
        items = [serializer.validated_data] if is_one else serializer.validated_data
        recorded = record_each(brand_of(request), [_activity(item) for item in items])
        period_ids = _period_ids(recorded)
        answers = [recorded_json(each, period_ids) for each in recorded]
        return Answer(answers[0] if is_one else answers)


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
