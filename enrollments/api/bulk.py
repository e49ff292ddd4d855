"""Many enrolments, or many leaves, in one call."""

from collections import Counter
from typing import Any
from uuid import uuid4

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from enrollments.api.rendering import notices
from enrollments.api.schema import EnrollBulkAnswer, LeaveBulkAnswer
from enrollments.api.serializers import EnrollSerializer, HowToLeave
from enrollments.batch import CUSTOMERS_AT_ONCE, Batch, Left, leave_each
from enrollments.enums import Effective, Source
from enrollments.joining import MOST_RECORDS, JoinBatch, Joined, JoinRecord, join_all
from enrollments.receipts import warnings_of
from targets.answers import Answer
from targets.api.idempotency import idempotent
from targets.api.requests import body_of, brand_of, request_id_of, validated
from targets.api.views import CallView
from targets.api.weighing import SET_BASED, weighs
from targets.errors import ErrorCode
from targets.fields import CustomerIdField, FlagField, StrictSerializer, path_id
from targets.queries import find_target


class EnrollRecordSerializer(StrictSerializer, EnrollSerializer):
    """A record of `enroll`; here a field that is not known is refused."""


class EnrollBulkSerializer(StrictSerializer):
    records: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=EnrollRecordSerializer(), min_length=1, max_length=MOST_RECORDS, help_text="Records of `enroll`."
    )


class BulkView(CallView):
    """Up to 10,000 customers of a target, each with his outcome: only the target can have all of it refused."""

    refusals = {"post": (ErrorCode.TARGET_GROUP_NOT_FOUND, ErrorCode.TARGET_NOT_FOUND)}
    max_body_bytes = settings.MAX_BULK_BODY_BYTES


class EnrollBulkView(BulkView):
    """Up to 10,000 customers into a target."""

    required_permissions = {"post": "enrollments.enroll"}

    @extend_schema(
        operation_id="enrollBulk",
        examples=[
            OpenApiExample(
                "Two customers",
                {"records": [{"customerId": 423789336}, {"customerId": 2, "periodName": "Cycle_2"}]},
                request_only=True,
            )
        ],
        request=EnrollBulkSerializer,
        responses={200: EnrollBulkAnswer},
    )
    @weighs("records", records_per_unit=SET_BASED, most=MOST_RECORDS)
    @idempotent
    def post(self, request: Request, group_id: str, target_id: str) -> Answer:
        """Enrol customers, each with the answer that `enroll` would give; in one transaction."""
        group, target = path_id(group_id, "targetGroupId"), path_id(target_id, "targetId")
        records = validated(EnrollBulkSerializer, body_of(request))["records"]
        brand = brand_of(request)
        batch = JoinBatch(
            brand=brand,
            target=find_target(brand, group, target),
            by=request.user.get_username(),
            source=Source.API,
            batch_id=uuid4(),
            request_id=request_id_of(request),
        )
        joined = join_all(
            batch,
            [
                JoinRecord(
                    customer_id=record["customerId"],
                    period_name=record["periodName"] or None,
                    initial_balance=record["initialBalance"],
                    reset_streak=bool(record["resetStreakStatus"]),
                )
                for record in records
            ],
        )
        # Of one target all receipts warn of the same fields in the same words.
        warnings = {warning: None for each in joined if each.receipt for warning in warnings_of(each.receipt)}
        return Answer(batch_json(batch, [result_json(each) for each in joined]), warnings=notices(list(warnings)))


class LeaveBulkSerializer(StrictSerializer, HowToLeave):
    customerIds = serializers.ListField(
        child=CustomerIdField(), min_length=1, max_length=CUSTOMERS_AT_ONCE, help_text="The customers to unenrol."
    )
    dryRun = FlagField(required=False, default=False, help_text="Say what would happen; write nothing.", example=False)


class LeaveBulkView(BulkView):
    """Up to 10,000 customers out of a target."""

    required_permissions = {"post": "enrollments.bulk_unenroll"}

    @extend_schema(
        operation_id="unEnrollBulk",
        examples=[
            OpenApiExample(
                "Two customers", {"customerIds": [423789336, 2], "reason": "programme ended"}, request_only=True
            )
        ],
        request=LeaveBulkSerializer,
        responses={200: LeaveBulkAnswer},
    )
    @weighs("customerIds", records_per_unit=SET_BASED, most=CUSTOMERS_AT_ONCE)
    @idempotent
    def post(self, request: Request, group_id: str, target_id: str) -> Answer:
        """Unenrol customers, each as `unEnroll` does, and say what became of each."""
        group, target = path_id(group_id, "targetGroupId"), path_id(target_id, "targetId")
        asked = validated(LeaveBulkSerializer, body_of(request))
        brand = brand_of(request)
        batch = Batch(
            brand=brand,
            target=find_target(brand, group, target),
            by=request.user.get_username(),
            source=Source.API,
            reason=asked["reason"] or "",
            effective=Effective(asked["effective"] or Effective.NOW),
            request_id=request_id_of(request),
            batch_id=None if asked["dryRun"] else uuid4(),
            dry_run=asked["dryRun"],
        )
        lefts = list(leave_each(batch, asked["customerIds"]))
        results = [result_json(each, forfeited=[each.forfeited] if each.forfeited else []) for each in lefts]
        return Answer(batch_json(batch, results))


def batch_json(batch: Batch | JoinBatch, results: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "batchId": batch.batch_id,
        "totals": Counter(each["outcome"] for each in results),
        "results": results,
    }


def result_json(result: Left | Joined, **more: Any) -> dict[str, Any]:
    return {
        "customerId": result.customer_id,
        "outcome": result.outcome.value,
        "receiptId": result.receipt_id,
        **more,
        "message": result.message or None,
    }
