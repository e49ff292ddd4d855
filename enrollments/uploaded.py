"""A list of customers as people upload it: one column, in whatever way their spreadsheet has saved it."""

import csv
import io
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from targets.queries import as_id

MOST_ROWS = 50_000
MOST_TEXT = 100  # characters of an external id
MOST_TOLD = 20  # lines at fault that are named


class Names(Enum):
    """What the heading says that the column has."""

    CUSTOMER_ID = auto()
    EXTERNAL_ID = auto()
    EITHER = auto()


HEADINGS = {
    "customerid": Names.CUSTOMER_ID,
    "externalid": Names.EXTERNAL_ID,
    "customer": Names.EITHER,
}


class Given(NamedTuple):
    """Who is named on a line. `number` is there where it is a customer id, else `text` is an external id."""

    line: int
    text: str
    number: int | None


class UnusableList(Exception):
    """Nothing of it is taken. `problems` says why, a sentence each."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__(" ".join(problems))


def read_list(content: bytes) -> list[Given]:
    """Who is named, in the order of the file. Blank lines are passed over, and a heading is heeded.

    Without a heading a whole number as people write it is a customer id, and anything else, `007` too, an external id.
    Raises `UnusableList`, which names the lines at fault.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableList("The file is no text in UTF-8: save it as “CSV UTF-8”.") from None
    found: list[Given] = []
    problems: list[str] = []
    names = Names.EITHER
    is_first = True
    for line, cell, problem in _cells(text):
        heading = HEADINGS.get("".join(filter(str.isalnum, cell)).casefold()) if is_first and not problem else None
        is_first = False
        if heading is not None:
            names = heading
            continue
        if len(found) == MOST_ROWS:
            raise UnusableList(
                f"The file has more than {MOST_ROWS:,} customers: divide it, or use the command unenroll --plan."
            )
        given = Given(line, cell, as_id(cell) if names != Names.EXTERNAL_ID and _is_plain(cell) else None)
        problem = problem or _problem(given, names)
        if problem:
            problems.append(f"Line {line}: {problem}")
        found.append(given)
    if problems:
        rest = len(problems) - MOST_TOLD
        raise UnusableList(*problems[:MOST_TOLD], *([f"And {rest} more lines like these."] if rest > 0 else []))
    if not found:
        raise UnusableList("The file names no customer.")
    return found


def _cells(text: str) -> Iterator[tuple[int, str, str]]:
    """Number, first cell and what is wrong, of each line that is not blank."""
    delimiter = ";" if text.count(";") > text.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        begins = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UnusableList(f"Line {begins}: this is no CSV ({error}).") from None
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield begins, cells[0], "one column is expected, and there are more." if any(cells[1:]) else ""


def _is_plain(cell: str) -> bool:
    return not cell.startswith("0")


def _problem(given: Given, names: Names) -> str:
    if not given.text:
        return "the first column is empty."
    if not given.text.isprintable():
        return "there are control characters in it."
    if names == Names.CUSTOMER_ID and given.number is None:
        return f"“{given.text[:40]}” is no customer id, a whole number from 1 to 2^63-1."
    if len(given.text) > MOST_TEXT:
        return f"it is longer than {MOST_TEXT} characters."
    return ""
