"""The OpenAPI document, from the code: every operation inside the envelope, with its refusals.

Serializers say what their fields mean (targets/fields.py), views what they refuse (`refusals`, by method or action).
"""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import append_meta
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from config.schema_refusals import GENERAL, OF_BODIES, headers, responses
from targets.api.idempotency import HEADER, LONGEST_KEY, REPLAYED
from targets.api.shapes import BatchId
from targets.errors import ErrorCode
from targets.fields import ID_RANGE, Documented, StrictSerializer

NULL = {"type": "null"}
INTEGER_ID = {"type": "integer", "format": "int64"} | ID_RANGE

# Names in the routes, and what integrators call it: name, meaning, example.
PATH_IDS: dict[str, tuple[str, str, int | str]] = {
    "group_id": ("targetGroupId", "Id of the target group.", 12),
    "target_id": ("targetId", "Id of the target.", 34),
    "customer_id": ("customerId", "The brand's number for the customer.", 423789336),
    "receipt_id": ("receiptId", "Id of the receipt.", 910),
    "batch_id": ("batchId", "What all receipts of one bulk call have in common.", BatchId.example),
}
PAGE = {
    "limit": {"type": "integer", "description": "Rows on a page, at most.", "examples": [100]},
}
FEED = PAGE | {
    "next": {
        "type": ["string", "null"],
        "maxLength": 100,
        "description": "Send it as `after` to go on; null as long as there was nothing.",
        "examples": ["MTIzLjQ1Ng"],
    },
}
PUBLISHED_PAGE = PAGE | {
    "offset": {"type": "integer", "description": "Number of the page; the first is 0.", "examples": [0]},
    "total": {"type": "integer", "description": "Number of all rows.", "examples": [1]},
}
IDEMPOTENCY_KEY = OpenApiParameter(
    HEADER,
    {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_KEY,
        "pattern": r"^[\x20-\x7e]+$",
        "examples": ["5c0d0e9a-3f0e-4b8e-a2b5-0c5a3d1a7f10"],
    },
    OpenApiParameter.HEADER,
    description=(
        "A name for this call, yours, new for each. Sent again with the same request it changes nothing and answers "
        f"what was answered first, with the header `{REPLAYED}: true`, for at least 24 hours."
    ),
)


class EnvelopeSchema(AutoSchema):
    """Wraps what a view declares. A view whose answers have pages says so: `is_paginated = True`."""

    def get_summary(self) -> str:
        """The first sentence of the docstring."""
        return self.get_description().partition(". ")[0].rstrip(".")

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        said = {name: (meaning, example) for name, meaning, example in PATH_IDS.values()}
        return [
            {
                "in": "path",
                "name": variable,
                "description": said[variable][0],
                "required": True,
                "schema": {"examples": [said[variable][1]]}
                | ({"type": "string", "format": "uuid"} if isinstance(said[variable][1], str) else INTEGER_ID),
            }
            for variable in variables
        ]

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        form = field.form(direction) if isinstance(field, Documented) else None
        if form:
            schema = append_meta(form, self._get_serializer_field_meta(field, direction))
        else:
            schema = super()._map_serializer_field(field, direction, bypass_extensions)
        if isinstance(field, Documented) and field.example is not None:
            schema["examples"] = [field.example]
        return schema

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        """Says so where a field that is not known is refused."""
        schema: dict[str, Any] = super()._map_basic_serializer(serializer, direction)
        is_closed = direction == "request" and isinstance(serializer, StrictSerializer)
        return schema | ({"additionalProperties": False} if is_closed else {})

    def _unwrap_list_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._unwrap_list_serializer(serializer, direction)
        if schema and isinstance(serializer, serializers.ListSerializer):
            limits = {"minItems": "min_length", "maxItems": "max_length"}  # which the stubs do not know
            found = {word: getattr(serializer, name) for word, name in limits.items()}
            schema |= {word: limit for word, limit in found.items() if limit is not None}
        return schema

    def _get_response_for_code(
        self, serializer: Any, status_code: str, media_types: Any = None, direction: Any = "response"
    ) -> dict[str, Any]:
        response = super()._get_response_for_code(serializer, status_code, media_types, direction)
        response["description"] = response["description"] or "Done."
        response["headers"] = headers()
        for content in response.get("content", {}).values():
            content["schema"] = self.enveloped(content.get("schema", {}))
        return response

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        return super()._get_response_bodies(direction) | responses(self.refusals())

    def _get_request_body(self, direction: Any = "request") -> Any:
        """Required even where all its fields may be left out: an empty body is refused."""
        body = super()._get_request_body(direction)
        return body and body | {"required": True}

    def refusals(self) -> list[ErrorCode]:
        """What the operation can answer instead, each once: what the view declares, and what all can."""
        operation = getattr(self.view, "action", None) or self.method.lower()
        declared = getattr(self.view, "refusals", {}).get(operation, ())
        of_body = OF_BODIES if self.method in ("POST", "PUT") else ()
        of_key = (ErrorCode.KEY_REUSED, ErrorCode.STILL_RUNNING) if self.is_idempotent else ()
        return list(dict.fromkeys((*GENERAL, *of_body, *of_key, *declared)))

    def get_override_parameters(self) -> list[Any]:
        return [*super().get_override_parameters(), *([IDEMPOTENCY_KEY] if self.is_idempotent else [])]

    @property
    def is_idempotent(self) -> bool:
        """Whether the handler of this operation takes an Idempotency-Key."""
        handler = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        return getattr(handler, "is_idempotent", False)

    def enveloped(self, data: dict[str, Any]) -> dict[str, Any]:
        is_published_page = getattr(self.view, "published_shape", False) and getattr(self.view, "is_paginated", False)
        nothing = {"type": "array", "maxItems": 0, "items": {}} if is_published_page else NULL
        warnings = nothing if self.method == "GET" else {"anyOf": [{"$ref": "#/components/schemas/Warnings"}, NULL]}
        properties: dict[str, Any] = {
            "data": {"description": "What was asked for."} | data,
            "errors": nothing | {"description": "Nothing.", "examples": [[] if is_published_page else None]},
            "warnings": warnings
            | {"description": "What should be known of a success.", "examples": [[] if is_published_page else None]},
        }
        required = list(properties)
        if getattr(self.view, "is_paginated", False):
            page = PUBLISHED_PAGE if is_published_page else FEED
            properties["pagination"] = {
                "type": "object",
                "description": "Which page it is.",
                "properties": page,
                "required": list(page),
                "additionalProperties": False,
            }
            required.append("pagination")
        return {"type": "object", "properties": properties, "required": required}


def keep_canonical_paths(endpoints: list[Any], **kwargs: Any) -> list[Any]:
    """Only /v3: the published calls also answer without it, which is not worth a second entry each."""
    return [
        (public_path(path), path_regex, method, callback)
        for path, path_regex, method, callback in endpoints
        if path.startswith("/v3/")
    ]


def public_path(path: str) -> str:
    """The path with the names that integrators know."""
    for name, (public_name, _, _) in PATH_IDS.items():
        path = path.replace(f"{{{name}}}", f"{{{public_name}}}")
    return path


@cache
def schema_bytes() -> bytes:
    document = SchemaGenerator().get_schema(request=None, public=True)
    return OpenApiJsonRenderer().render(document, renderer_context={})


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(schema_bytes(), content_type="application/json")
