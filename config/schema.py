"""The OpenAPI document, from the code: every operation inside the envelope, with its refusals."""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import OpenApiParameter

from targets.api.idempotency import HEADER, LONGEST_KEY, REPLAYED

MESSAGES = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "code": {"type": "integer"},
            "message": {"type": "string"},
            "field": {"type": "string", "description": "Path of the input field it is about."},
        },
        "required": ["code", "message"],
    },
}
REFUSAL = {
    "type": "object",
    "properties": {"data": {"type": "null"}, "errors": MESSAGES, "warnings": {"type": "null"}},
    "required": ["data", "errors", "warnings"],
}
PAGINATION = {
    "type": "object",
    "properties": {"limit": {"type": "integer"}, "next": {"type": ["string", "null"]}},
    "additionalProperties": True,
}
REFUSED = {
    "400": "Invalid input",
    "401": "Credentials are missing or wrong",
    "403": "The API user lacks the permission",
    "404": "Something named in the request does not exist",
    "409": "The state does not allow it",
}
KEY_REUSED = "The Idempotency-Key was used for another request"
NULL = {"type": "null"}
IDEMPOTENCY_KEY = OpenApiParameter(
    HEADER,
    {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": r"^[\x20-\x7e]+$"},
    OpenApiParameter.HEADER,
    description=(
        "A name for this call, yours, new for each. Sent again with the same request it changes nothing and answers "
        f"what was answered first, with the header `{REPLAYED}: true`, for at least 24 hours."
    ),
)


class EnvelopeSchema(AutoSchema):
    """Wraps what a view declares. A view whose answers have pages says so: `is_paginated = True`."""

    def _get_response_for_code(
        self, serializer: Any, status_code: str, media_types: Any = None, direction: Any = "response"
    ) -> dict[str, Any]:
        response = super()._get_response_for_code(serializer, status_code, media_types, direction)
        for content in response.get("content", {}).values():
            content["schema"] = self.enveloped(content.get("schema", {}))
        return response

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        component = ResolvedComponent(name="Refusal", type=ResolvedComponent.SCHEMA, schema=REFUSAL, object="Refusal")
        self.registry.register_on_missing(component)
        refused = REFUSED | ({"422": KEY_REUSED} if self.is_idempotent else {})
        for status, description in refused.items():
            content = {"application/json": {"schema": component.ref}}
            bodies.setdefault(status, {"description": description, "content": content})
        return bodies

    def get_override_parameters(self) -> list[Any]:
        return [*super().get_override_parameters(), *([IDEMPOTENCY_KEY] if self.is_idempotent else [])]

    @property
    def is_idempotent(self) -> bool:
        """Whether the handler of this operation takes an Idempotency-Key."""
        handler = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        return getattr(handler, "is_idempotent", False)

    def enveloped(self, data: dict[str, Any]) -> dict[str, Any]:
        properties = {
            "data": data,
            "errors": {"oneOf": [MESSAGES, NULL]},
            "warnings": {"oneOf": [MESSAGES, NULL]},
        }
        required = list(properties)
        if getattr(self.view, "is_paginated", False):
            properties["pagination"] = PAGINATION
        return {"type": "object", "properties": properties, "required": required}


def keep_canonical_paths(endpoints: list[Any], **kwargs: Any) -> list[Any]:
    """Only /v3: the published calls also answer without it, which is not worth a second entry each."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/v3/")]


@cache
def schema_bytes() -> bytes:
    document = SchemaGenerator().get_schema(request=None, public=True)
    return OpenApiJsonRenderer().render(document, renderer_context={})


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(schema_bytes(), content_type="application/json")
