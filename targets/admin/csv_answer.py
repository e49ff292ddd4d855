"""A table to download, written while it is read."""

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import StreamingHttpResponse

from targets.spreadsheets import as_text

BYTE_ORDER_MARK = "\ufeff"  # without it a spreadsheet takes the file for one in the alphabet of its own country


class Line:
    """A file that hands back what is written into it."""

    def write(self, text: str) -> str:
        return text


def csv_answer(name: str, rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """The rows as the file `name`, in UTF-8. Texts are defused, numbers are numbers, instants are ISO 8601."""
    writer = csv.writer(Line())

    def written() -> Iterable[str]:
        yield BYTE_ORDER_MARK
        for row in rows:
            yield writer.writerow([cell(each) for each in row])

    return StreamingHttpResponse(
        written(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int() | Decimal():
            return str(value)
        case datetime():
            return value.isoformat()
        case _:
            return as_text(str(value))
