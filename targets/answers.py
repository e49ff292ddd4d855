"""What a view hands back: data, and what the caller should know besides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rest_framework.response import Response

from targets.errors import WarningCode


@dataclass(frozen=True)
class Notice:
    """A warning beside the data; `field` is the path of the input field it is about."""

    code: WarningCode
    message: str
    field: str | None = None

    def as_json(self) -> dict[str, Any]:
        return message_json(self.code.value.code, self.message, self.field)


class Answer(Response):
    """A success. The renderer puts it into the envelope (api.md 1).

    Without warnings the envelope says null; some published calls say [] instead: `empty_lists=True`.
    """

    def __init__(
        self,
        data: Any = None,
        status: int | None = None,
        *,
        warnings: Sequence[Notice] = (),
        pagination: Mapping[str, Any] | None = None,
        empty_lists: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(data, status=status, headers=headers)
        self.warnings = warnings
        self.pagination = pagination
        self.empty_lists = empty_lists


LONGEST_FIELD = 300  # characters of a path; what is longer was made up by the caller


def message_json(code: int, message: str, field: str | None) -> dict[str, Any]:
    """An error or a warning as it is written in the envelope."""
    written: dict[str, Any] = {"code": code, "message": message}
    if field is not None:
        written["field"] = field if len(field) <= LONGEST_FIELD else f"{field[: LONGEST_FIELD - 1]}…"
    return written
