"""Taking leaves back over HTTP, one or a batch."""

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from enrollments.api.rendering import receipt_json
from enrollments.api.schema import UndoBatchAnswer, UndoneAnswer
from enrollments.enums import Source
from enrollments.operations import undo_leave
from enrollments.queries import find_receipt
from enrollments.receipts import account
from enrollments.undoing import TakenBack, Undoing, leaves_of_batch, undo_each
from targets.answers import Answer
from targets.api.idempotency import idempotent
from targets.api.requests import body_of, brand_of, request_id_of, validated
from targets.api.views import CallView
from targets.api.weighing import SET_BASED, weighs
from targets.clock import run_at_now
from targets.errors import BatchNotFound, ErrorCode
from targets.fields import FlagField, IntegerField, ReasonField, StrictSerializer, path_id
from targets.queries import LARGEST_ID

MOST_RECEIPTS = 10_000


class UndoSerializer(StrictSerializer):
    reason = ReasonField(required=False, allow_null=True, default="", help_text="Why; kept on each new receipt.")
    dryRun = FlagField(required=False, default=False, help_text="Say what would happen; write nothing.", example=False)


class UndoBatchSerializer(UndoSerializer):
    after = IntegerField(
        required=False,
        allow_null=True,
        default=None,
        min_value=0,
        max_value=LARGEST_ID,
        help_text="`next` of the answer before: go on behind it.",
        example=4711,
    )
    limit = IntegerField(
        required=False,
        default=MOST_RECEIPTS,
        min_value=1,
        max_value=MOST_RECEIPTS,
        help_text="How many to take back in this call, at most.",
        example=1000,
    )


class UndoView(CallView):
    """One leave, taken back."""

    required_permissions = {"post": "enrollments.undo_unenrolment"}
    refusals = {
        "post": (
            ErrorCode.NOT_FOUND,
            ErrorCode.NOT_A_LEAVE,
            ErrorCode.TARGET_GROUP_NOT_FOUND,
            ErrorCode.TARGET_NOT_FOUND,
            ErrorCode.CUSTOMER_ERASED,
            ErrorCode.ALREADY_UNDONE,
            ErrorCode.CHANGED_SINCE,
            ErrorCode.TOO_LATE_TO_UNDO,
        )
    }

    @extend_schema(
        operation_id="undoUnEnroll",
        examples=[OpenApiExample("The wrong customer", {"reason": "it was the wrong customer"}, request_only=True)],
        request=UndoSerializer,
        responses={200: UndoneAnswer},
    )
    @idempotent
    def post(self, request: Request, receipt_id: str) -> Answer:
        """Undo an unenrolment, or cancel a scheduled leave, by its receipt; answers the new one."""
        number = path_id(receipt_id, "receiptId")
        asked = validated(UndoSerializer, body_of(request))
        brand = brand_of(request)
        receipt = find_receipt(brand, number)
        undone = run_at_now(
            brand,
            lambda at: undo_leave(
                receipt=receipt,
                at=at,
                by=request.user.get_username(),
                source=Source.API,
                reason=asked["reason"] or "",
                request_id=request_id_of(request),
                dry_run=asked["dryRun"],
            ),
        )
        return Answer(
            {
                "receipt": receipt_json(account(undone.receipt)),
                "activitiesCounted": undone.counted,
                "rewardsGranted": undone.granted,
            }
        )


class UndoBatchView(CallView):
    """The leaves of a batch, taken back."""

    required_permissions = {"post": "enrollments.bulk_undo_unenrolment"}
    refusals = {"post": (ErrorCode.NOT_FOUND,)}

    @extend_schema(
        operation_id="undoBatch",
        examples=[OpenApiExample("All of it", {"reason": "it was the wrong list"}, request_only=True)],
        request=UndoBatchSerializer,
        responses={200: UndoBatchAnswer},
    )
    @weighs(limit="limit", records_per_unit=SET_BASED, most=MOST_RECEIPTS)
    @idempotent
    def post(self, request: Request, batch_id: str) -> Answer:
        """Take back each leave of a batch, up to 10,000 in a call, and say what became of each."""
        asked = validated(UndoBatchSerializer, body_of(request))
        brand = brand_of(request)
        undoing = Undoing(
            brand=brand,
            by=request.user.get_username(),
            source=Source.API,
            reason=asked["reason"] or "",
            request_id=request_id_of(request),
            batch_id=None if asked["dryRun"] else uuid4(),
            dry_run=asked["dryRun"],
        )
        leaves = leaves_of_batch(brand, _batch(batch_id))
        results = list(undo_each(undoing, leaves, after=asked["after"] or 0, most=asked["limit"]))
        last = results[-1].undoes if results else None
        has_more = last is not None and leaves.filter(pk__gt=last).exists()
        return Answer(
            {
                "batchId": undoing.batch_id,
                "totals": Counter(each.outcome.value for each in results),
                "results": [taken_back_json(each) for each in results],
                "next": last if has_more else None,
            }
        )


def _batch(text: str) -> UUID:
    """What is no id of a batch is the id of none."""
    try:
        return UUID(text)
    except ValueError:
        raise BatchNotFound(f"No batch {text[:40]} of unenrolments is found.") from None


def taken_back_json(each: TakenBack) -> dict[str, Any]:
    return {
        "undoes": each.undoes,
        "customerId": each.customer_id,
        "outcome": each.outcome.value,
        "receiptId": each.receipt_id,
        "activitiesCounted": each.counted,
        "rewardsGranted": each.granted,
        "message": each.message or None,
    }
