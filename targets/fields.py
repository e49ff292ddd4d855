"""What serializers of all apps are made of: input is taken as it is meant or refused, never guessed.

Each field says what it means (`help_text`) and how a value looks (`example`); the OpenAPI document is made of that.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from targets.errors import InvalidInput

INTEGER = re.compile(r"-?[0-9]{1,100}")
NUMBER = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?")
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
CONTROL_CHARACTER_IN_PROSE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
THREE_PLACES = Decimal("0.001")
BELOW = 10**15  # amounts have at most 15 digits before the point
ID_RANGE = {"minimum": 1, "maximum": 2**63 - 1}

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


def list_of(serializer_class: Any, *, max_length: int, **details: Any) -> Any:
    """A field for an array of bounded length. `allow_null` is of the array; `many=True` would let items be null too."""
    return serializers.ListSerializer(child=serializer_class(), max_length=max_length, **details)


class Documented:
    """A field with an `example`, one value as written in JSON; and with a schema of its own if it has a `form`."""

    example: Any = None

    def __init__(self, *arguments: Any, example: Any = None, **details: Any) -> None:
        super().__init__(*arguments, **details)
        if example is not None:
            self.example = example

    def form(self, direction: str) -> dict[str, Any] | None:
        """The JSON schema for "request" or "response"; None: what drf-spectacular makes of the field."""
        return None


class CustomerIdField(Documented, serializers.Field[int, Any, int, Any]):
    """An integer or a string of digits; answered as integer. Whether a customer has it, the operation says."""

    default_error_messages = {"invalid": "A customer id is an integer or a string of digits."}
    example = 423789336

    def __init__(self, **details: Any) -> None:
        super().__init__(**{"help_text": "The brand's number for the customer."} | details)

    def form(self, direction: str) -> dict[str, Any]:
        if direction == "response":
            return {"type": "integer", "format": "int64"}
        digits = {"type": "string", "maxLength": 18, "pattern": "^[1-9][0-9]{0,17}$"}
        return {"anyOf": [{"type": "integer", "format": "int64"} | ID_RANGE, digits]}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, int) and not isinstance(data, bool):
            return data
        if isinstance(data, str) and INTEGER.fullmatch(data):
            return int(data)
        return self.fail("invalid")

    def to_representation(self, value: int) -> int:
        return int(value)


class InstantField(Documented, serializers.Field[datetime, Any, str, Any]):
    """ISO 8601 with offset in and out; naive input is refused. The value is in UTC."""

    default_error_messages = {
        "invalid": "An instant is written in ISO 8601, such as 2026-03-01T12:00:00+05:30.",
        "naive": "The instant has no offset from UTC: add one, such as Z or +05:30.",
        "extreme": "The instant is too close to the end of the calendar.",
    }
    example = "2026-01-15T09:00:00+00:00"

    def form(self, direction: str) -> dict[str, Any]:
        return {"type": "string", "format": "date-time", "maxLength": 40}

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


class AmountField(Documented, serializers.DecimalField):
    """A decimal of at most 15 digits before the point and 3 behind; answered as a number with three places."""

    default_error_messages = {
        "invalid": "A number is expected, such as 49.95.",
        "max_decimal_places": "At most {max_decimal_places} digits may follow the point.",
        "max_whole_digits": "At most {max_whole_digits} digits may stand before the point.",
    }
    example = 49.95

    def __init__(self, **details: Any) -> None:
        super().__init__(**{"max_digits": 18, "decimal_places": 3, "coerce_to_string": False} | details)

    def form(self, direction: str) -> dict[str, Any]:
        number: dict[str, Any] = {"type": "number"}
        if direction == "response":
            return number
        at_least = {"exclusiveMinimum": -BELOW} if self.min_value is None else {"minimum": int(self.min_value)}
        sign = "-?" if self.min_value is None else ""
        text = {"type": "string", "maxLength": 20, "pattern": rf"^{sign}[0-9]{{1,15}}(\.[0-9]{{1,3}})?$"}
        return {"anyOf": [number | at_least | {"exclusiveMaximum": BELOW}, text]}

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


class IntegerField(Documented, serializers.IntegerField):
    """A JSON integer, not a string of digits, and no 1.0."""

    default_error_messages = {
        "invalid": "An integer is expected, such as 10.",
        "min_value": "It must be {min_value} or more.",
        "max_value": "It must be {max_value} or less.",
    }

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class BoundedLaterField(IntegerField):
    """An integer whose limits are only documented here: the operation refuses others, with a sentence of its own."""

    def __init__(self, lowest: int, highest: int, **details: Any) -> None:
        super().__init__(**details)
        self.bounds = {"minimum": lowest, "maximum": highest}

    def form(self, direction: str) -> dict[str, Any]:
        return {"type": "integer", "format": "int64"} | self.bounds


class QueryIntegerField(IntegerField):
    """An integer as it stands in a query."""

    def to_internal_value(self, data: Any) -> int:
        if not INTEGER.fullmatch(data):
            self.fail("invalid")
        return super().to_internal_value(int(data))


class QueryIdField(QueryIntegerField):
    """An id that narrows a query, if it is sent. One that no row can have is not found like any other."""

    def __init__(self, help_text: str, example: int) -> None:
        super().__init__(required=False, default=None, allow_null=True, help_text=help_text, example=example)

    def form(self, direction: str) -> dict[str, Any]:
        return {"type": "integer", "format": "int64"} | ID_RANGE


class FlagField(Documented, serializers.BooleanField):
    """JSON's true or false, and nothing else that might be meant as one of them."""

    default_error_messages = {"invalid": "true or false is expected."}
    example = True

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class QueryFlagField(FlagField):
    """`true` or `false` as they stand in a query, in small or capital letters."""

    def to_internal_value(self, data: Any) -> bool:
        return super().to_internal_value({"true": True, "false": False}.get(data.lower()))


class ChoiceField(Documented, serializers.ChoiceField):
    """One of a few words. Others are refused with the list of those."""

    default_error_messages = {"invalid_choice": "Send one of {words}."}

    def __init__(self, choices: Any, **details: Any) -> None:
        super().__init__(choices, **details)
        self.example = self.example or next(iter(self.choices))

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", words=", ".join(self.choices))
        return data


class TextField(Documented, serializers.CharField):
    """Text, taken only from a string, without control characters (NUL, line ends, ...)."""

    forbidden = CONTROL_CHARACTER

    default_error_messages = {
        "not_text": "A string is expected.",
        "control_character": "The text has a control character: take it out.",
        "max_length": "The text is longer than {max_length} characters.",
        "blank": "The text may not be empty.",
    }

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_text")
        value = super().to_internal_value(data)
        if self.forbidden.search(value):
            self.fail("control_character")
        return value


class ReasonField(TextField):
    """Why somebody did something: free text of at most 500 characters, of several lines, may be empty."""

    forbidden = CONTROL_CHARACTER_IN_PROSE
    example = "asked by phone"

    def __init__(self, **details: Any) -> None:
        super().__init__(**{"max_length": 500, "allow_blank": True} | details)


class ObjectField(Documented, serializers.DictField):
    """Any JSON object."""

    default_error_messages = {"not_a_dict": "A JSON object is expected."}
