"""The file of a planned unenrolment: for people and spreadsheets to read, for `unenroll --apply` to carry out.

CSV: a head of names and values, then one row for each customer asked for, and last a keyed digest of all before it.
Keyed, since whoever edits a plan on its way from the one who made it to the one who carries it out could also compute
a digest that needs no key; with SECRET_KEY, which is there for signing. Ids and facts decide; names are for reading.
"""

import csv
import hmac
import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, NamedTuple, Self
from uuid import UUID

from django.utils.crypto import salted_hmac

from enrollments.batch import Batch, Left
from enrollments.enums import Effective, LeaveOutcome
from enrollments.foreseen import Foreseen
from enrollments.planned import Planned
from targets.spreadsheets import as_text

FORM = "1"  # raised when a plan of before cannot be read any more
COLUMNS = ["customerId", "verdict", "forfeited", "message", "facts"]
DIGEST = "digest,hmac-sha256,"
LAST_LINE = len(DIGEST) + 64 + 1  # bytes
AT_ONCE = 1 << 20  # bytes read
ROW_END = "\r\n"  # while rows are made: of line ends the CSV writer quotes those only that end a row. Lines end with LF


class UnusablePlan(Exception):
    """It is no plan, or not as it was made. Nothing has been done."""


@dataclass(frozen=True)
class Head:
    """What a plan is about. `count`: its rows."""

    target_group: int
    target: int
    effective: Effective
    even_if_inactive: bool
    reason: str
    batch_id: UUID
    made_at: datetime
    count: int

    @classmethod
    def read(cls, values: dict[str, str]) -> Self:
        """Of a file that is as it was made, so all is there."""
        return cls(
            target_group=int(values["target group"]),
            target=int(values["target"]),
            effective=Effective(values["effective"]),
            even_if_inactive=values["even if inactive"] == "yes",
            reason=values["reason"].removeprefix("'"),
            batch_id=UUID(values["batch"]),
            made_at=datetime.fromisoformat(values["made at"]),
            count=int(values["rows"]),
        )


class PlanWriter:
    """A plan that is written as it comes. There is no file of its name before it is whole; where it fails, none at all.

    Raises `OSError`; `FileExistsError` where there is one, which may have been carried out in part, or where somebody
    else is writing one.
    """

    def __init__(self, path: Path, batch: Batch, made_at: datetime, count: int) -> None:
        self.path = path
        self.part = Path(f"{path}.part")
        try:
            self.file = self.part.open("xb")
        except FileExistsError:
            raise FileExistsError(
                f"{self.part} is there already: somebody else is writing it, or was killed; then remove it"
            ) from None
        if path.exists():  # whoever else would make it needs the part
            self.remove_part()
            raise FileExistsError(f"{path} is there already: carry it out, or remove it")
        self.keyed = keyed_digest()
        self.rows = csv.writer(self, lineterminator=ROW_END)
        target = batch.target
        self.rows.writerows(
            [
                ["unenrolment plan", FORM],
                ["brand", batch.brand.pk, as_text(str(batch.brand))],
                ["target group", target.target_group_id, as_text(str(target.target_group))],
                ["target", target.pk, as_text(str(target))],
                ["effective", batch.effective.value],
                ["even if inactive", "yes" if batch.even_if_inactive else "no"],
                ["reason", f"'{batch.reason}"],
                ["batch", batch.batch_id],
                ["made by", as_text(batch.by)],
                ["made at", made_at.isoformat()],
                ["rows", count],
                COLUMNS,
            ]
        )

    def written(self, lefts: Iterable[Left]) -> Iterator[Left]:
        """Each, as soon as it stands in the plan."""
        for left in lefts:
            name = as_text(left.forfeited) if left.forfeited else ""
            self.rows.writerow([left.customer_id, left.outcome.value, name, left.message, left.facts])
            yield left

    def write(self, row: str) -> None:
        """For the CSV writer: one row, which it has ended."""
        line = row.removesuffix(ROW_END).encode() + b"\n"
        self.keyed.update(line)
        self.file.write(line)

    def end(self) -> None:
        """It is whole."""
        self.file.write(f"{DIGEST}{self.keyed.hexdigest()}\n".encode())
        self.file.flush()
        os.fsync(self.file.fileno())
        self.part.rename(self.path)
        self.file.close()

    def remove_part(self) -> None:
        self.part.unlink(missing_ok=True)
        self.file.close()  # last: where there was no room it fails again

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.file.closed:
            self.remove_part()


class Plan(NamedTuple):
    """`rows` are read as they are asked for."""

    head: Head
    rows: Iterator[Planned]


@contextmanager
def opened_plan(path: Path) -> Iterator[Plan]:
    """A plan that is as it was made: a copy, which nobody changes after it was looked at. Raises `UnusablePlan`."""
    with tempfile.TemporaryFile() as copy:
        try:
            copy_unchanged(path, copy)
        except OSError as error:
            raise UnusablePlan(str(error)) from None
        copy.seek(0)
        rows = csv.reader(io.TextIOWrapper(copy, encoding="utf-8", newline=""))
        values = dict(row[:2] for row in iter(lambda: next(rows), COLUMNS))
        if values["unenrolment plan"] != FORM:
            raise UnusablePlan(f"{path} was made by another version of the command: make a new plan")
        yield Plan(Head.read(values), (planned(row) for row in rows))


def planned(row: list[str]) -> Planned:
    number, outcome, _, _, facts = row
    return Planned(int(number), LeaveOutcome(outcome), Foreseen.read(facts))


def copy_unchanged(path: Path, copy: IO[bytes]) -> None:
    """All but the digest. Raises `UnusablePlan` where it is not that of what stands before it, `OSError`."""
    with path.open("rb") as file:
        digest = copied_digest(file, os.fstat(file.fileno()).st_size - LAST_LINE, copy)
        if not hmac.compare_digest(file.read(LAST_LINE + 1), f"{DIGEST}{digest}\n".encode()):
            raise UnusablePlan(
                f"{path} is not as --plan has made it: changed, cut off, saved by another program, "
                "or made where SECRET_KEY is another one"
            )


def keyed_digest() -> hmac.HMAC:
    """Of nothing yet."""
    return salted_hmac("unenrolment plan", b"", algorithm="sha256")


def copied_digest(file: BinaryIO, size: int, copy: IO[bytes]) -> str:
    """Of the next `size` bytes, which are copied too. A file may grow shorter meanwhile: then it is that of fewer."""
    keyed = keyed_digest()
    while size > 0 and (block := file.read(min(size, AT_ONCE))):
        size -= len(block)
        keyed.update(block)
        copy.write(block)
    return keyed.hexdigest()
