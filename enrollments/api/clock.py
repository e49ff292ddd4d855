"""The test clock of sandbox brands over HTTP (api.md 3)."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from enrollments.api.schema import ClockAnswer
from enrollments.api.serializers import ClockSerializer
from enrollments.operations.clock import CLOSES_A_STEP, move_clock
from targets.answers import Answer, Notice
from targets.api.idempotency import idempotent
from targets.api.rendering import instant
from targets.api.requests import brand_of, validated
from targets.api.views import CallView
from targets.clock import brand_now
from targets.errors import ErrorCode, NotASandbox, WarningCode


class ClockView(CallView):
    """The test clock of a sandbox brand; it stands still until it is set."""

    required_permissions = {"get": "enrollments.set_clock", "put": "enrollments.set_clock"}
    refusals = {"get": (ErrorCode.NOT_A_SANDBOX,), "put": (ErrorCode.NOT_A_SANDBOX,)}

    @extend_schema(operation_id="readClock", responses={200: ClockAnswer})
    def get(self, request: Request) -> Answer:
        """What the brand takes for now."""
        brand = brand_of(request)
        if not brand.sandbox:
            raise NotASandbox
        return Answer({"now": instant(brand_now(brand)), "sandbox": True})

    @extend_schema(
        operation_id="setClock",
        examples=[OpenApiExample("Noon in Pune", {"now": "2026-03-15T12:00:00+05:30"}, request_only=True)],
        request=ClockSerializer,
        responses={200: ClockAnswer},
    )
    @idempotent
    def put(self, request: Request) -> Answer:
        """Set the clock, closing what is due on the way. `now` in the answer is the instant it has reached."""
        to = validated(ClockSerializer, request.data)["now"]
        brand = brand_of(request)
        reached = move_clock(brand=brand, at=brand_now(brand), to=to)
        warnings = []
        if reached < to:
            message = f"The clock stopped at {instant(reached)} after closing {CLOSES_A_STEP:,} periods. Send it again."
            warnings.append(Notice(WarningCode.FIELD_IGNORED, message, "now"))
        return Answer({"now": instant(reached), "sandbox": True}, warnings=warnings)
