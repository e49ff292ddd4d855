"""What serializers of all apps are made of: input is taken as it is meant or refused, never guessed."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from targets.errors import InvalidInput

INTEGER = re.compile(r"-?[0-9]{1,100}")
NUMBER = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?")
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
CONTROL_CHARACTER_IN_PROSE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
THREE_PLACES = Decimal("0.001")

# Far enough from the ends of the calendar for any time zone.
EARLIEST = datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
LATEST = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)


def path_id(text: str, field: str) -> int:
    """The id in a path or query. Raises `InvalidInput` naming `field` when it is not an integer.

    An integer that no row can have is let through: it is not found like any other.
    """
    if not INTEGER.fullmatch(text):
        raise InvalidInput(f"{field} must be an integer.", field=field)
    return int(text)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know, by name, together with all other errors of the input."""

    def to_internal_value(self, data: Any) -> Any:
        unknown: dict[Any, Any] = {}
        if isinstance(data, Mapping):
            known = {field.field_name for field in self._writable_fields}
            unknown = {str(name): ["This field is not known here."] for name in data if name not in known}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError(with_unknown(error.detail, unknown)) from None
        if unknown:
            raise serializers.ValidationError(unknown)
        return value


def with_unknown(detail: Any, unknown: dict[Any, Any]) -> Any:
    return {**detail, **unknown} if isinstance(detail, Mapping) else detail


@extend_schema_field(
    {
        "type": "integer",
        "format": "int64",
        "minimum": 1,
        "description": "The brand's number for the customer. A string of digits is accepted too.",
    }
)
class CustomerIdField(serializers.Field[int, Any, int, Any]):
    """An integer or a string of digits; answered as integer. Whether a customer has it, the operation says."""

    default_error_messages = {"invalid": "A customer id is an integer or a string of digits."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, int) and not isinstance(data, bool):
            return data
        if isinstance(data, str) and INTEGER.fullmatch(data):
            return int(data)
        return self.fail("invalid")

    def to_representation(self, value: int) -> int:
        return int(value)


@extend_schema_field({"type": "string", "format": "date-time"})
class InstantField(serializers.Field[datetime, Any, str, Any]):
    """ISO 8601 with offset in and out; naive input is refused. The value is in UTC."""

    default_error_messages = {
        "invalid": "An instant is written in ISO 8601, such as 2026-03-01T12:00:00+05:30.",
        "naive": "The instant has no offset from UTC: add one, such as Z or +05:30.",
        "extreme": "The instant is too close to the end of the calendar.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str):
            return self.fail("invalid")
        try:
            value = datetime.fromisoformat(data)
        except ValueError:
            return self.fail("invalid")
        if value.utcoffset() is None:
            return self.fail("naive")
        # Compared before it is converted: a conversion may overflow.
        if not EARLIEST <= value <= LATEST:
            return self.fail("extreme")
        return value.astimezone(UTC)

    def to_representation(self, value: datetime) -> str:
        if value.utcoffset() is None:
            raise ValueError(f"{value} has no offset from UTC.")
        return value.isoformat()


class AmountField(serializers.DecimalField):
    """A decimal of at most 15 digits before the point and 3 behind; answered as a number with three places."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 18, "decimal_places": 3, "coerce_to_string": False} | kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        is_number = isinstance(data, int | float | Decimal) and not isinstance(data, bool)
        if not is_number and not (isinstance(data, str) and NUMBER.fullmatch(data)):
            self.fail("invalid")
        return super().to_internal_value(without_trailing_zeros(data))

    def to_representation(self, value: Any) -> Any:
        return Decimal(value).quantize(THREE_PLACES)


def without_trailing_zeros(number: Any) -> Decimal:
    """1.0000 is 1: zeros at the end say nothing, however many places they take."""
    text = format(Decimal(str(number)), "f")
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


class TextField(serializers.CharField):
    """Text, taken only from a string, without control characters (NUL, line ends, ...)."""

    forbidden = CONTROL_CHARACTER

    default_error_messages = {
        "not_text": "Not a string.",
        "control_character": "The text has a control character.",
    }

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_text")
        value = super().to_internal_value(data)
        if self.forbidden.search(value):
            self.fail("control_character")
        return value


CONDITION = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": False,
    "properties": {
        "equals": {"type": ["string", "number", "boolean"]},
        "in": {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}},
        "atLeast": {"type": "number"},
        "atMost": {"type": "number"},
    },
}


@extend_schema_field(
    {
        "type": "object",
        "description": "Counts only activities whose attributes fulfil all of this, by the names of the attributes.",
        "additionalProperties": CONDITION,
    }
)
class MatchField(serializers.Field[Any, Any, Any, Any]):
    """Conditions on attributes as they are; whether they are right, the operation says."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class ReasonField(TextField):
    """Why somebody did something: free text of at most 500 characters, of several lines, may be empty."""

    forbidden = CONTROL_CHARACTER_IN_PROSE

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 500, "allow_blank": True} | kwargs)
