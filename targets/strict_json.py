"""JSON from outside: with exact decimals, and nothing that JSON does not say or that could not be stored."""

import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any

import simplejson

from targets.errors import InvalidInput

MAX_DEPTH = 32
MAX_COMMAS = (
    500_000  # five times what the largest bulk call needs; millions of small values take forty times their bytes
)
MAX_NUMBER_LENGTH = 100  # characters; and exponents stay below it

# Escapes that might stand for NUL or half a surrogate pair; most bodies have none, and are not searched further.
SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def parse_json(content: bytes) -> Any:
    """Raises `InvalidInput` for what is not JSON, for duplicate keys, NaN, absurd numbers and nesting, too many values,
    and for characters that no text may have.
    """
    if content.count(b",") > MAX_COMMAS:  # before anything is made of it
        raise InvalidInput(f"The body has more than {MAX_COMMAS:,} commas: send fewer records in a call.")
    try:
        text = content.decode("utf-8-sig")
        value = DECODER.decode(text)
    except UnicodeDecodeError:
        raise InvalidInput("The body is not UTF-8.") from None
    except RecursionError:
        raise InvalidInput(f"The body is nested deeper than {MAX_DEPTH}.") from None
    except simplejson.JSONDecodeError as error:
        raise InvalidInput(f"The body is not JSON: {error}.") from None
    check_depth(value)
    if SUSPECT_ESCAPE.search(text):
        check_characters(value)
    return value


def integer(text: str) -> int:
    if len(text) > MAX_NUMBER_LENGTH:
        raise InvalidInput("The body has an integer of absurd length.")
    return int(text)


def decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise InvalidInput("The body has a number of absurd size.") from None
    if len(text) > MAX_NUMBER_LENGTH or abs(number.adjusted()) > MAX_NUMBER_LENGTH:
        raise InvalidInput("The body has a number of absurd size.")
    return number


def refuse_constant(text: str) -> None:
    raise InvalidInput(f"The body is not JSON: {text} is not a number.")


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise InvalidInput(f"The body has the key {twice[:100]!r} twice in one object.")
    return members


def children(container: Any) -> list[Any]:
    return list(container.values()) if isinstance(container, dict) else container


def check_depth(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [child for container in level for child in children(container) if isinstance(child, dict | list)]
        if not level:
            return
    raise InvalidInput(f"The body is nested deeper than {MAX_DEPTH}.")


def check_characters(value: Any) -> None:
    """PostgreSQL stores no NUL and no half of a surrogate pair, neither as text nor inside jsonb."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise InvalidInput("The body has a text with a character that no text may have.")
    elif isinstance(value, dict | list):
        for child in [*value, *children(value)] if isinstance(value, dict) else value:
            check_characters(child)


# Made once: making it takes longer than reading a small body.
DECODER = simplejson.JSONDecoder(
    parse_int=integer, parse_float=decimal, parse_constant=refuse_constant, object_pairs_hook=unique_keys
)
