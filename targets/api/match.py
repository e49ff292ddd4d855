"""The field `match` of a target, in and out."""

from typing import Any

from rest_framework import serializers

from targets.fields import Documented
from targets.matching import MAX_CHOICES, MAX_CONDITIONS, MAX_TEXT

VALUE = {"type": ["string", "number", "boolean"], "maxLength": MAX_TEXT}
CONDITION = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": False,
    "properties": {
        "equals": VALUE | {"description": "The attribute is this.", "examples": ["Berlin"]},
        "in": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_CHOICES,
            "items": VALUE,
            "description": "The attribute is one of these.",
            "examples": [["Berlin", "Pune"]],
        },
        "atLeast": {"type": "number", "description": "The attribute is a number, not below this.", "examples": [2]},
        "atMost": {"type": "number", "description": "The attribute is a number, not above this.", "examples": [10]},
    },
}


class MatchField(Documented, serializers.Field[Any, Any, Any, Any]):
    """Conditions on attributes as they are; whether they are right, the operation says."""

    example = {"store": {"in": ["Berlin", "Pune"]}, "items": {"atLeast": 2}}

    def __init__(self, **details: Any) -> None:
        meaning = "Counts only activities whose attributes fulfil all of this, by the names of the attributes."
        super().__init__(**{"help_text": meaning} | details)

    def form(self, direction: str) -> dict[str, Any]:
        return {"type": "object", "maxProperties": MAX_CONDITIONS, "additionalProperties": CONDITION}

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value
