"""Bodies: JSON with exact decimals, and nothing that JSON does not say or that could not be stored."""

import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import simplejson
from django.conf import settings
from django.http import HttpRequest
from rest_framework.parsers import BaseParser

from config.envelope import BodyTooLarge
from targets.errors import InvalidInput

MAX_DEPTH = 32
MAX_NUMBER_LENGTH = 100  # characters; and exponents stay below it

# Escapes that might stand for NUL or half a surrogate pair; most bodies have none, and are not searched further.
SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class StrictJSONParser(BaseParser):
    """Reads a JSON body of at most `view.max_body_bytes`, or MAX_BODY_BYTES.

    Raises `InvalidInput` for what is not JSON, for duplicate keys, NaN, absurd numbers and nesting, and for
    characters that no text may have; `BodyTooLarge`.
    """

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        view = (parser_context or {}).get("view")
        limit = getattr(view, "max_body_bytes", settings.MAX_BODY_BYTES)
        return parse_json(read_body(stream, limit))


def read_body(stream: Any, limit: int) -> bytes:
    if isinstance(stream, HttpRequest):
        announced = stream.META.get("CONTENT_LENGTH") or "0"
        if announced.isdigit() and int(announced) > limit:
            raise too_large(limit)
        content = stream.body  # kept by Django, so that others can read it again
    else:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise too_large(limit)
    return content


def too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {limit} bytes.")


def parse_json(content: bytes) -> Any:
    try:
        text = content.decode("utf-8-sig")
        value = simplejson.loads(
            text,
            parse_int=integer,
            parse_float=decimal,
            parse_constant=refuse_constant,
            object_pairs_hook=unique_keys,
        )
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
