"""Which activities a target counts by their attributes: its field `match`, as JSON. All of it must hold.

{"store": {"in": ["Berlin", "Pune"]}, "items": {"atLeast": 2, "atMost": 10}, "isGift": {"equals": false}}
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from targets.errors import InvalidInput
from targets.models import MAX_VALUE

MAX_CONDITIONS = 20
MAX_CHOICES = 100
MAX_NAME = 100
MAX_TEXT = 200
CONDITIONS = ("equals", "in", "atLeast", "atMost")
THREE_PLACES = Decimal("0.001")


def matches(match: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Whether the attributes fit every condition. A missing attribute fits none."""
    return all(name in attributes and _fits(attributes[name], condition) for name, condition in match.items())


def number_of(value: Any) -> Decimal | None:
    """The number that a value of an attribute is: a JSON number, neither a text of digits nor true."""
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return Decimal(value) if is_number else None


def amount_of(value: Any) -> Decimal | None:
    """The number, if an amount could be it: at most 15 digits before the point and 3 behind."""
    number = number_of(value)
    if number is None or abs(number) >= MAX_VALUE + 1 or number != number.quantize(THREE_PLACES):
        return None
    return number


def refuse_wrong_match(match: Any, path: str) -> None:
    """Raises `InvalidInput` naming the path of what is no condition, or one that nothing can fulfil."""
    _refuse_unless(isinstance(match, Mapping), path, 'Send an object such as {"store": {"equals": "Berlin"}}.')
    _refuse_unless(len(match) <= MAX_CONDITIONS, path, f"A match is about at most {MAX_CONDITIONS} attributes.")
    for name, condition in match.items():
        _refuse_unless(0 < len(name) <= MAX_NAME, path, f"The name of an attribute has 1 to {MAX_NAME} characters.")
        _refuse_wrong_condition(condition, f"{path}.{name}")


def _fits(value: Any, condition: Mapping[str, Any]) -> bool:
    number = number_of(value)
    return (
        ("equals" not in condition or _is_same(value, condition["equals"]))
        and ("in" not in condition or any(_is_same(value, each) for each in condition["in"]))
        and ("atLeast" not in condition or (number is not None and number >= condition["atLeast"]))
        and ("atMost" not in condition or (number is not None and number <= condition["atMost"]))
    )


def _is_same(value: Any, wanted: Any) -> bool:
    """Equal and of one kind: Python takes true for 1."""
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _refuse_wrong_condition(condition: Any, path: str) -> None:
    known = ", ".join(CONDITIONS)
    _refuse_unless(isinstance(condition, Mapping) and condition, path, f"Send an object with some of {known}.")
    for name, wanted in condition.items():
        _refuse_unless(name in CONDITIONS, f"{path}.{name}", f"This condition is not known: send some of {known}.")
        if name == "in":
            is_list = isinstance(wanted, list) and 1 <= len(wanted) <= MAX_CHOICES
            _refuse_unless(is_list, f"{path}.in", f"Send a list of 1 to {MAX_CHOICES} values.")
            for index, each in enumerate(wanted):
                _refuse_wrong_value(each, f"{path}.in[{index}]")
        elif name == "equals":
            _refuse_wrong_value(wanted, f"{path}.equals")
        else:
            is_amount = amount_of(wanted) is not None
            _refuse_unless(is_amount, f"{path}.{name}", "Send a number of at most 15 digits and 3 places.")
    lowest, highest = condition.get("atLeast"), condition.get("atMost")
    is_empty = lowest is not None and highest is not None and lowest > highest
    _refuse_unless(not is_empty, path, f"Nothing is at least {lowest} and at most {highest}.")


def _refuse_wrong_value(value: Any, path: str) -> None:
    is_text = isinstance(value, str) and len(value) <= MAX_TEXT
    is_right = is_text or isinstance(value, bool) or amount_of(value) is not None
    sentence = f"Send a text of at most {MAX_TEXT} characters, true, false, or a number of at most 15 digits."
    _refuse_unless(is_right, path, sentence)


def _refuse_unless(holds: Any, path: str, sentence: str) -> None:
    if not holds:
        raise InvalidInput(sentence, field=path)
