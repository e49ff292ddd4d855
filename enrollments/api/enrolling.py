"""Enrolling and unenrolling over HTTP: translate the input, call one operation, translate the answer."""

from collections.abc import Callable
from typing import Any, NamedTuple

from drf_spectacular.utils import OpenApiExample, PolymorphicProxySerializer, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.viewsets import ViewSetMixin

from enrollments.api.rendering import enrollment_json, notices, receipt_json
from enrollments.api.schema import EnrollmentAnswer, ReceiptAnswer
from enrollments.api.serializers import CancelSerializer, EnrollSerializer, LeaveSerializer, single_record
from enrollments.enums import Effective, Source
from enrollments.models import Participation, Receipt
from enrollments.operations import cancel_leave, enroll, unenroll_named
from enrollments.receipts import account, warnings_of
from enrollments.standing import standings
from targets.answers import Answer
from targets.api.idempotency import idempotent
from targets.api.replica import tolerates_lag
from targets.api.requests import brand_of, request_id_of, validated
from targets.api.views import CallView
from targets.clock import brand_now, run_at_now
from targets.errors import ErrorCode
from targets.fields import list_of, path_id
from targets.models import Customer, Target
from targets.queries import Named, find_target_and_customer

MOST_RECEIPTS = 100
CUSTOMER_NUMBER = {
    "type": "integer",
    "format": "int64",
    "description": "The customer, as published.",
    "examples": [423789336],
}
OF_PATH_AND_RECORD = (ErrorCode.TARGET_GROUP_NOT_FOUND, ErrorCode.TARGET_NOT_FOUND, ErrorCode.CUSTOMER_NOT_FOUND)


def one_record(name: str, serializer_class: Any) -> PolymorphicProxySerializer:
    """The body that `single_record` takes, for the document."""
    return PolymorphicProxySerializer(
        component_name=name,
        serializers=[list_of(serializer_class, min_length=1, max_length=1), serializer_class],
        resource_type_field_name=None,
        many=False,
    )


def both_ways(title: str, record: dict[str, Any]) -> list[OpenApiExample]:
    return [
        OpenApiExample(title, [record], request_only=True),
        OpenApiExample(f"{title}, without the array", record, request_only=True),
    ]


ENROLL_BODY = one_record("ToEnroll", EnrollSerializer)
ENROLL_EXAMPLES = both_ways("From the running period on", {"customerId": 423789336})
LEAVE_BODY = one_record("ToUnEnroll", LeaveSerializer)
LEAVE_EXAMPLES = both_ways("At once", {"customerId": 423789336, "reason": "asked by phone", "effective": "now"})
CANCEL_BODY = one_record("ToCancel", CancelSerializer)
CANCEL_EXAMPLES = both_ways("He stays", {"customerId": 423789336, "reason": "changed his mind"})


class Asked(NamedTuple):
    """One record of a published call, with what it names."""

    record: dict[str, Any]
    named: Named


class TargetEnrollmentViewSet(ViewSetMixin, CallView):
    """The published calls of one target. `unEnroll` is what this product exists for."""

    required_permissions = {
        "unenroll": "enrollments.unenroll",
        "preview": "enrollments.view_receipt",
        "cancel": "enrollments.cancel_leave",
        "enroll": "enrollments.enroll",
        "standing": "enrollments.view_participation",
    }
    refusals = {
        "unenroll": (*OF_PATH_AND_RECORD, ErrorCode.NOT_ENROLLED, ErrorCode.CYCLE_NOT_FOUND),
        "preview": (*OF_PATH_AND_RECORD, ErrorCode.NOT_ENROLLED, ErrorCode.CYCLE_NOT_FOUND),
        "cancel": (*OF_PATH_AND_RECORD, ErrorCode.NOT_ENROLLED, ErrorCode.CYCLE_NOT_FOUND),
        "enroll": (*OF_PATH_AND_RECORD, ErrorCode.ALREADY_ENROLLED, ErrorCode.CYCLE_NOT_FOUND),
        "standing": OF_PATH_AND_RECORD,
    }

    @property
    def published_shape(self) -> bool:
        """Two of the calls are published; the others are ours."""
        return self.action in ("unenroll", "enroll")

    @extend_schema(
        operation_id="unEnroll",
        request=LEAVE_BODY,
        examples=LEAVE_EXAMPLES,
        responses={200: CUSTOMER_NUMBER},
    )
    @action(detail=False, methods=["post"], url_path="unEnroll")
    @idempotent
    def unenroll(self, request: Request, group_id: str, target_id: str) -> Answer:
        """Unenrol a customer from a milestone or streak, now or at the end of the running cycle."""
        asked = _asked(request, group_id, target_id, LeaveSerializer)
        receipt = _leave(request, asked, dry_run=False)
        return Answer(asked.named.customer_id, warnings=notices(warnings_of(receipt)))

    @extend_schema(
        operation_id="unEnrollPreview",
        request=LEAVE_BODY,
        examples=LEAVE_EXAMPLES,
        responses={200: ReceiptAnswer},
    )
    @action(detail=False, methods=["post"], url_path="unEnroll/preview")
    def preview(self, request: Request, group_id: str, target_id: str) -> Answer:
        """The receipt that unEnroll would write, or the one in force where it would change nothing. Writes nothing."""
        asked = _asked(request, group_id, target_id, LeaveSerializer)
        return Answer(receipt_json(account(_leave(request, asked, dry_run=True))))

    @extend_schema(
        operation_id="unEnrollCancel",
        request=CANCEL_BODY,
        examples=CANCEL_EXAMPLES,
        responses={200: ReceiptAnswer},
    )
    @action(detail=False, methods=["post"], url_path="unEnroll/cancel")
    @idempotent
    def cancel(self, request: Request, group_id: str, target_id: str) -> Answer:
        """Take back a leave at the end of the running cycle; answers the receipt."""
        asked = _asked(request, group_id, target_id, CancelSerializer)
        receipt = _run(request, cancel_leave, **_found(asked), reason=asked.record["reason"])
        return Answer(receipt_json(account(receipt)))

    @extend_schema(
        operation_id="enroll",
        request=ENROLL_BODY,
        examples=ENROLL_EXAMPLES,
        responses={200: CUSTOMER_NUMBER},
    )
    @action(detail=False, methods=["post"], url_path="enroll")
    @idempotent
    def enroll(self, request: Request, group_id: str, target_id: str) -> Answer:
        """Enrol a customer, for the first time or again."""
        asked = _asked(request, group_id, target_id, EnrollSerializer)
        receipt = _run(
            request,
            enroll,
            **_found(asked),
            period_name=asked.record["periodName"] or None,
            initial_balance=asked.record["initialBalance"],
            reset_streak=bool(asked.record["resetStreakStatus"]),
        )
        return Answer(asked.named.customer_id, warnings=notices(warnings_of(receipt)))

    @extend_schema(operation_id="readEnrollment", responses={200: EnrollmentAnswer})
    @tolerates_lag
    def standing(self, request: Request, group_id: str, target_id: str, customer_id: str) -> Answer:
        """Where a customer stands in a target: stays, progress, grants, and the last 100 changes."""
        number = path_id(customer_id, "customerId")
        brand = brand_of(request)
        named = Named(brand, path_id(group_id, "targetGroupId"), path_id(target_id, "targetId"), number)
        target, customer = find_target_and_customer(named, include_inactive=True)
        participation = Participation.objects.filter(customer=customer, target=target).first()
        if participation is None:
            participation = Participation(customer=customer, target=target, run_number=0)
        receipts = list(Receipt.objects.filter(participation=participation.pk).order_by("-pk")[:MOST_RECEIPTS])
        (found,) = standings([participation], brand_now(brand))
        return Answer(enrollment_json(found, receipts[::-1]))


def _asked(request: Request, group_id: str, target_id: str, serializer_class: Any) -> Asked:
    """In the order in which refusals are answered (api.md 4)."""
    group, target = path_id(group_id, "targetGroupId"), path_id(target_id, "targetId")
    record = validated(serializer_class, single_record(request.data))
    return Asked(record, Named(brand_of(request), group, target, record["customerId"]))


def _found(asked: Asked) -> dict[str, Target | Customer]:
    target, customer = find_target_and_customer(asked.named)
    return {"target": target, "customer": customer}


def _leave(request: Request, asked: Asked, *, dry_run: bool) -> Receipt:
    record = asked.record
    effective = Effective(record["effective"] or Effective.NOW)
    reason = record["reason"] or ""
    return _run(request, unenroll_named, named=asked.named, effective=effective, reason=reason, dry_run=dry_run)


def _run(request: Request, operation: Callable[..., Receipt], **details: Any) -> Receipt:
    """Run an operation at the brand's now, in the name of the API user."""
    return run_at_now(
        brand_of(request),
        lambda at: operation(
            at=at,
            by=request.user.get_username(),
            source=Source.API,
            request_id=request_id_of(request),
            **details,
        ),
    )
