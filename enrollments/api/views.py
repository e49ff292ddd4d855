"""Enrolling and unenrolling over HTTP: translate the input, call one operation, translate the answer."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from enrollments.api.rendering import instant, notices, receipt_json, recorded_json
from enrollments.api.serializers import (
    ActivitySerializer,
    ClockSerializer,
    EnrollSerializer,
    LeaveSerializer,
    single_record,
)
from enrollments.enums import Effective, Source
from enrollments.models import Receipt
from enrollments.operations import ActivityData, Recorded, cancel_leave, enroll, record_activity, unenroll
from enrollments.operations.closing import move_clock
from enrollments.receipts import account
from targets.answers import Answer
from targets.clock import brand_now, run_at_now
from targets.errors import NotASandbox
from targets.fields import path_id
from targets.models import Brand, Customer, Cycle, Target
from targets.queries import find_customer, find_target

MOST_ACTIVITIES = 1_000


class TargetEnrollmentViewSet(ViewSet):
    """The published calls of one target. `unEnroll` is what this product exists for."""

    published_shape = True
    required_permissions = {
        "unenroll": "enrollments.unenroll",
        "preview": "enrollments.view_receipt",
        "cancel": "enrollments.unenroll",
        "enroll": "enrollments.enroll",
    }

    @extend_schema(operation_id="unEnroll", request=LeaveSerializer(many=True), responses={200: OpenApiTypes.INT64})
    @action(detail=False, methods=["post"], url_path="unEnroll")
    def unenroll(self, request: Request, group_id: str, target_id: str) -> Answer:
        """Unenrol a customer from a milestone or streak, now or at the end of the running cycle."""
        receipt = self._leave(request, group_id, target_id, dry_run=False)
        # Only a leave of now forfeits; nothing need be rendered to know.
        warnings = notices(account(receipt)) if receipt.running_verdict == "left_reward_forfeited" else []
        return Answer(receipt.participation.customer.customer_id, warnings=warnings)

    @extend_schema(
        operation_id="unEnrollPreview", request=LeaveSerializer(many=True), responses={200: OpenApiTypes.OBJECT}
    )
    @action(detail=False, methods=["post"], url_path="unEnroll/preview")
    def preview(self, request: Request, group_id: str, target_id: str) -> Answer:
        """The receipt that unEnroll would write; nothing is written."""
        told = account(self._leave(request, group_id, target_id, dry_run=True))
        return Answer(receipt_json(told, is_preview=True))

    @extend_schema(
        operation_id="unEnrollCancel", request=LeaveSerializer(many=True), responses={200: OpenApiTypes.OBJECT}
    )
    @action(detail=False, methods=["post"], url_path="unEnroll/cancel")
    def cancel(self, request: Request, group_id: str, target_id: str) -> Answer:
        """Take back a leave at the end of the running cycle; answers the receipt."""
        record = _validated(LeaveSerializer, request.data)
        target, customer = _find(request, group_id, target_id, record["customerId"])
        receipt = run_at_now(
            _brand_of(request),
            lambda at: cancel_leave(
                customer=customer,
                target=target,
                at=at,
                by=request.user.get_username(),
                source=Source.API,
                reason=record["reason"],
                request_id=getattr(request, "request_id", ""),
            ),
        )
        return Answer(receipt_json(account(receipt)))

    @extend_schema(operation_id="enroll", request=EnrollSerializer(many=True), responses={200: OpenApiTypes.INT64})
    @action(detail=False, methods=["post"], url_path="enroll")
    def enroll(self, request: Request, group_id: str, target_id: str) -> Answer:
        """Enrol a customer, for the first time or again."""
        record = _validated(EnrollSerializer, request.data)
        target, customer = _find(request, group_id, target_id, record["customerId"])
        receipt = run_at_now(
            _brand_of(request),
            lambda at: enroll(
                customer=customer,
                target=target,
                at=at,
                by=request.user.get_username(),
                source=Source.API,
                period_name=record["periodName"],
                initial_balance=record["initialBalance"],
                reset_streak=bool(record["resetStreakStatus"]),
                request_id=getattr(request, "request_id", ""),
            ),
        )
        warnings = notices(account(receipt)) if receipt.ignored_fields else []
        return Answer(customer.customer_id, warnings=warnings)

    def _leave(self, request: Request, group_id: str, target_id: str, *, dry_run: bool) -> Receipt:
        record = _validated(LeaveSerializer, request.data)
        target, customer = _find(request, group_id, target_id, record["customerId"])
        return run_at_now(
            _brand_of(request),
            lambda at: unenroll(
                customer=customer,
                target=target,
                at=at,
                by=request.user.get_username(),
                source=Source.API,
                effective=Effective(record["effective"]),
                reason=record["reason"],
                request_id=getattr(request, "request_id", ""),
                dry_run=dry_run,
            ),
        )


class ActivitiesView(APIView):
    """Activities of customers: one or up to 1,000, each answered for itself."""

    required_permissions = {"post": "enrollments.record_activity"}

    @extend_schema(
        operation_id="recordActivities", request=ActivitySerializer(many=True), responses={200: OpenApiTypes.OBJECT}
    )
    def post(self, request: Request) -> Answer:
        """Record activities. Each is a transaction of its own, so sending a batch again is safe."""
        is_one = isinstance(request.data, Mapping)
        sent = [request.data] if is_one else request.data
        limits = {"min_length": 1, "max_length": MOST_ACTIVITIES}  # of the list, which the stubs do not know
        serializer = ActivitySerializer(data=sent, many=True, **limits)  # type: ignore[arg-type]  # as said above
        serializer.is_valid(raise_exception=True)
        brand = _brand_of(request)
        recorded = [_record(brand, item) for item in serializer.validated_data]
        period_ids = _period_ids(recorded)
        answers = [recorded_json(each, period_ids) for each in recorded]
        return Answer(answers[0] if is_one else answers)


class ClockView(APIView):
    """The test clock of a sandbox brand; it stands still until it is set."""

    required_permissions = {"get": "enrollments.set_clock", "put": "enrollments.set_clock"}

    @extend_schema(operation_id="readClock", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Answer:
        """What the brand takes for now."""
        brand = _brand_of(request)
        if not brand.sandbox:
            raise NotASandbox
        return Answer({"now": instant(brand_now(brand)), "sandbox": True})

    @extend_schema(operation_id="setClock", request=ClockSerializer, responses={200: OpenApiTypes.OBJECT})
    def put(self, request: Request) -> Answer:
        """Set the clock, closing what is due on the way. `now` in the answer is the instant it has reached."""
        serializer = ClockSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        brand = _brand_of(request)
        reached = move_clock(brand=brand, at=brand_now(brand), to=serializer.validated_data["now"])
        return Answer({"now": instant(reached), "sandbox": True})


def _record(brand: Brand, item: dict[str, Any]) -> Recorded:
    activity = ActivityData(
        event_id=item["eventId"],
        event_name=item["eventName"],
        customer_id=item["customerId"],
        occurred_at=item["occurredAt"],
        amount=item["amount"],
        quantity=item["quantity"],
        attributes=item["attributes"],
    )
    return run_at_now(brand, lambda at: record_activity(brand=brand, activity=activity, at=at))


def _period_ids(recorded: list[Recorded]) -> dict[tuple[int, int], int]:
    """The id of each cycle of the targets that counted something, by (target id, cycle number)."""
    targets = {outcome.participation.target_id for each in recorded for outcome in each.outcomes}
    rows = Cycle.objects.filter(target_group__targets__in=targets)
    return {
        (target_id, number): pk for target_id, number, pk in rows.values_list("target_group__targets", "number", "pk")
    }


def _brand_of(request: Request) -> Brand:
    # The stubs know only DRF's own tokens; ours is the API user, who is of one brand.
    brand: Brand = request.auth.brand  # type: ignore[union-attr]  # see above
    return brand


def _validated(serializer_class: Any, data: Any) -> dict[str, Any]:
    serializer = serializer_class(data=single_record(data))
    serializer.is_valid(raise_exception=True)
    validated: dict[str, Any] = serializer.validated_data
    return validated


def _find(request: Request, group_id: str, target_id: str, customer_id: int) -> tuple[Target, Customer]:
    """In the order in which refusals are answered (api.md 4)."""
    brand = _brand_of(request)
    target = find_target(brand, path_id(group_id, "targetGroupId"), path_id(target_id, "targetId"))
    return target, find_customer(brand, customer_id)
