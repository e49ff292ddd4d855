"""Bodies: strict JSON, of a bounded size."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.parsers import BaseParser

from config.envelope import BodyTooLarge
from targets.strict_json import parse_json


class StrictJSONParser(BaseParser):
    """Reads a JSON body of at most `view.max_body_bytes`, or MAX_BODY_BYTES.

    Raises what `parse_json` raises, and `BodyTooLarge`.
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
