"""Bodies: strict JSON, and one form, of a bounded size."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, QueryDict
from rest_framework.parsers import BaseParser, DataAndFiles

from config.envelope import BodyTooLarge
from targets.errors import InvalidInput
from targets.strict_json import parse_json


class StrictJSONParser(BaseParser):
    """Reads a JSON body of at most `view.max_body_bytes`, or MAX_BODY_BYTES. Beside it there are no files.

    Raises what `parse_json` raises, `BodyTooLarge`, and `InvalidInput` for a body that ended early.
    """

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        view = (parser_context or {}).get("view")
        limit = getattr(view, "max_body_bytes", settings.MAX_BODY_BYTES)
        return DataAndFiles(parse_json(read_body(stream, limit)), {})


class StrictFormParser(BaseParser):
    """Reads the parameters of a form, each sent once. One without a value counts as not sent (RFC 6749, 3.2).

    Raises `InvalidInput` and `BodyTooLarge`.
    """

    media_type = "application/x-www-form-urlencoded"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        view = (parser_context or {}).get("view")
        limit = getattr(view, "max_body_bytes", settings.MAX_BODY_BYTES)
        sent = QueryDict(read_body(stream, limit))
        if any(len(values) > 1 for _, values in sent.lists()):
            raise InvalidInput("A parameter was sent twice.")
        return {name: value for name, value in sent.items() if value}


def read_body(stream: Any, limit: int) -> bytes:
    if isinstance(stream, HttpRequest):
        text = stream.META.get("CONTENT_LENGTH") or "0"
        announced = int(text) if text.isdigit() else 0
        if announced > limit:
            raise too_large(limit)
        content = stream.body  # kept by Django, so that others can read it again
        if len(content) < announced:  # the caller hung up; what has come may be JSON, but is not what he has sent
            raise InvalidInput("The body ended early.")
    else:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise too_large(limit)
    return content


def too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {limit} bytes.")
