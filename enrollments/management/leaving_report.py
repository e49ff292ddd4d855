"""What became of each customer, written as it comes: memory does not grow with their number."""

import csv
import json
from abc import ABC, abstractmethod
from collections import Counter
from typing import TextIO

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from enrollments.batch import DONE, Batch, Left
from enrollments.enums import LeaveOutcome

FORMULA = ("=", "+", "-", "@")  # how a cell begins that a spreadsheet computes
MOST_ROWS = 1_000  # of a table, which is laid out when all are known


class Report(ABC):
    """`add` each customer, then `end` it."""

    def __init__(self, batch: Batch, out: TextIO) -> None:
        self.batch = batch
        self.out = out
        self.counts: Counter[LeaveOutcome] = Counter()
        self.has_written = False
        self.begin()

    def add(self, left: Left) -> None:
        self.counts[left.outcome] += 1
        self.has_written |= left.is_written
        self.write(left)

    @property
    def count(self) -> int:
        return self.counts.total()

    @property
    def is_all_done(self) -> bool:
        return self.counts.keys() <= DONE

    @property
    def totals(self) -> dict[str, int]:
        return {outcome.value: self.counts[outcome] for outcome in LeaveOutcome if self.counts[outcome]}

    @property
    def batch_id(self) -> str | None:
        """By which the new receipts are found, if there is any."""
        return str(self.batch.batch_id) if self.batch.batch_id and self.has_written else None

    @abstractmethod
    def begin(self) -> None: ...

    @abstractmethod
    def write(self, left: Left) -> None: ...

    @abstractmethod
    def end(self) -> None: ...


class TableReport(Report):
    def begin(self) -> None:
        # Text, and no markup anywhere: names may have brackets.
        target = self.batch.target
        title = f"{target} ({self.batch.brand})" + (", dry run: nothing was written" if self.batch.dry_run else "")
        why = Column("Why", overflow="fold")
        self.table = Table("Customer", "Outcome", "Receipt", "Forfeited", why, title=Text(title))

    def write(self, left: Left) -> None:
        if self.count > MOST_ROWS:
            return
        self.table.add_row(
            str(left.customer_id),
            left.outcome.label,
            str(left.receipt_id or ""),
            Text(left.forfeited or ""),
            Text(left.message),
            style="" if left.outcome in DONE else "red",
        )

    def end(self) -> None:
        console = Console(file=self.out)
        console.print(self.table)
        if self.count > MOST_ROWS:
            console.print(f"{self.count - MOST_ROWS} more are not shown: --format csv shows all.")
        counts = ", ".join(f"{LeaveOutcome(name).label.lower()}: {count}" for name, count in self.totals.items())
        console.print(f"Customers: {self.count}. {counts.capitalize()}.")
        if self.batch_id:
            console.print(f"Batch {self.batch_id}")


class JsonReport(Report):
    def begin(self) -> None:
        self.out.write(f'{{\n"dryRun": {json.dumps(self.batch.dry_run)},\n"results": [\n')

    def write(self, left: Left) -> None:
        line = {
            "customerId": left.customer_id,
            "outcome": left.outcome.value,
            "receiptId": left.receipt_id,
            "forfeited": [left.forfeited] if left.forfeited else [],
            "message": left.message or None,
        }
        comma = "," if self.count > 1 else " "
        self.out.write(f"{comma}{json.dumps(line, ensure_ascii=False)}\n")

    def end(self) -> None:
        self.out.write(f'],\n"totals": {json.dumps(self.totals)},\n"batchId": {json.dumps(self.batch_id)}\n}}\n')


class CsvReport(Report):
    def begin(self) -> None:
        self.rows = csv.writer(self.out, lineterminator="\n")
        self.rows.writerow(["customerId", "outcome", "receiptId", "forfeited", "message"])

    def write(self, left: Left) -> None:
        name = as_text(left.forfeited) if left.forfeited else ""
        self.rows.writerow([left.customer_id, left.outcome.value, left.receipt_id or "", name, left.message])

    def end(self) -> None:
        """Nothing follows the rows."""


def as_text(name: str) -> str:
    """A name that somebody chose, as a cell that no spreadsheet takes for a formula."""
    return f"'{name}" if name.startswith(FORMULA) else name


REPORTS: dict[str, type[Report]] = {"table": TableReport, "json": JsonReport, "csv": CsvReport}
