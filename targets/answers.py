"""What a view hands back: data, and what the caller should know besides."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import simplejson
from django.http import HttpResponse
from rest_framework.utils.encoders import JSONEncoder

from targets.errors import WarningCode


@dataclass(frozen=True)
class Notice:
    """A warning beside the data; `field` is the path of the input field it is about."""

    code: WarningCode
    message: str
    field: str | None = None

    def as_json(self) -> dict[str, Any]:
        return message_json(self.code.value.code, self.message, self.field)


# Made once: making it takes longer than writing a small answer.
ENCODER = simplejson.JSONEncoder(
    use_decimal=True,
    ensure_ascii=False,
    allow_nan=False,
    namedtuple_as_object=False,
    separators=(",", ":"),
    default=JSONEncoder().default,
)


def json_bytes(value: Any) -> bytes:
    """JSON with exact decimals."""
    return ENCODER.encode(value).encode()


JSON = {"Content-Type": "application/json"}


class Envelope(HttpResponse):
    """The one form of all answers: `{"data", "errors", "warnings"}`, and `pagination` where there is one (api.md 1).

    Written when it is made: a response of Django REST framework waits for a renderer to be chosen, of which there is
    one. `told` is what it says, for whoever wants to know.
    """

    told: Any

    def __init__(self, envelope: Mapping[str, Any], *, status: int, headers: Mapping[str, str] | None = None) -> None:
        content = json_bytes(envelope)
        super().__init__(content, status=status, headers=JSON if headers is None else {**JSON, **headers})

    def items(self) -> Iterable[tuple[str, str]]:
        """Its headers."""
        return self.headers._store.values()


class Answer(Envelope):
    """A success.

    Without warnings the envelope says null; some published calls say [] instead: `empty_lists=True`.
    """

    def __init__(
        self,
        data: Any = None,
        status: int = 200,
        *,
        warnings: Sequence[Notice] = (),
        pagination: Mapping[str, Any] | None = None,
        empty_lists: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        nothing: list[Any] | None = [] if empty_lists else None
        envelope = {"data": data, "errors": nothing, "warnings": [each.as_json() for each in warnings] or nothing}
        if pagination is not None:
            envelope["pagination"] = pagination
        super().__init__(envelope, status=status, headers=headers)
        self.told = data


class Failure(Envelope):
    """A refusal, with `extra` headers."""

    def __init__(
        self, status: int, errors: Sequence[Mapping[str, Any]], extra: Mapping[str, str] | None = None
    ) -> None:
        super().__init__({"data": None, "errors": errors, "warnings": None}, status=status, headers=extra)
        self.told = self.errors = errors
        self.extra = extra


LONGEST_FIELD = 300  # characters of a path; what is longer was made up by the caller


def message_json(code: int, message: str, field: str | None) -> dict[str, Any]:
    """An error or a warning as it is written in the envelope."""
    written: dict[str, Any] = {"code": code, "message": message}
    if field is not None:
        written["field"] = field if len(field) <= LONGEST_FIELD else f"{field[: LONGEST_FIELD - 1]}…"
    return written
