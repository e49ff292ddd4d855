"""What became of each leave that was to be taken back, written as it comes: memory does not grow with their number."""

import csv
import json
from collections import Counter
from typing import TextIO

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from enrollments.enums import UndoOutcome
from enrollments.management.leaving_report import MOST_ROWS
from enrollments.undoing import DONE, TakenBack, Undoing


class Report:
    """`add` each leave, then `end` it."""

    def __init__(self, undoing: Undoing, out: TextIO) -> None:
        self.undoing = undoing
        self.out = out
        self.counts: Counter[UndoOutcome] = Counter()
        self.has_written = False
        self.begin()

    def add(self, each: TakenBack) -> None:
        self.counts[each.outcome] += 1
        self.has_written |= each.is_written
        self.write(each)

    @property
    def count(self) -> int:
        return self.counts.total()

    @property
    def is_all_done(self) -> bool:
        return self.counts.keys() <= DONE

    @property
    def totals(self) -> dict[str, int]:
        return {outcome.value: self.counts[outcome] for outcome in UndoOutcome if self.counts[outcome]}

    @property
    def batch_id(self) -> str | None:
        """By which the new receipts are found, if there is any."""
        return str(self.undoing.batch_id) if self.undoing.batch_id and self.has_written else None

    def begin(self) -> None:
        raise NotImplementedError

    def write(self, each: TakenBack) -> None:
        raise NotImplementedError

    def end(self) -> None:
        raise NotImplementedError


class TableReport(Report):
    def begin(self) -> None:
        title = f"{self.undoing.brand}" + (", dry run: nothing was written" if self.undoing.dry_run else "")
        why = Column("Why", overflow="fold")
        # Text, and no markup anywhere: names may have brackets.
        self.table = Table("Leave", "Customer", "Outcome", "Receipt", "Counted", "Rewards", why, title=Text(title))

    def write(self, each: TakenBack) -> None:
        if self.count > MOST_ROWS:
            return
        self.table.add_row(
            str(each.undoes),
            str(each.customer_id or "erased"),
            each.outcome.label,
            str(each.receipt_id or ""),
            str(each.counted or ""),
            str(each.granted or ""),
            Text(each.message),
            style="" if each.outcome in DONE else "red",
        )

    def end(self) -> None:
        console = Console(file=self.out)
        console.print(self.table)
        if self.count > MOST_ROWS:
            console.print(f"{self.count - MOST_ROWS} more are not shown: --format csv shows all.")
        counts = ", ".join(f"{UndoOutcome(name).label.lower()}: {number}" for name, number in self.totals.items())
        console.print(f"Leaves: {self.count}. {counts.capitalize()}.")
        if self.batch_id:
            console.print(f"Batch {self.batch_id}")


class JsonReport(Report):
    def begin(self) -> None:
        self.out.write(f'{{\n"dryRun": {json.dumps(self.undoing.dry_run)},\n"results": [\n')

    def write(self, each: TakenBack) -> None:
        line = {
            "undoes": each.undoes,
            "customerId": each.customer_id,
            "outcome": each.outcome.value,
            "receiptId": each.receipt_id,
            "activitiesCounted": each.counted,
            "rewardsGranted": each.granted,
            "message": each.message or None,
        }
        comma = "," if self.count > 1 else " "
        self.out.write(f"{comma}{json.dumps(line, ensure_ascii=False)}\n")

    def end(self) -> None:
        self.out.write(f'],\n"totals": {json.dumps(self.totals)},\n"batchId": {json.dumps(self.batch_id)}\n}}\n')


class CsvReport(Report):
    def begin(self) -> None:
        self.rows = csv.writer(self.out, lineterminator="\n")
        self.rows.writerow(
            ["undoes", "customerId", "outcome", "receiptId", "activitiesCounted", "rewardsGranted", "message"]
        )

    def write(self, each: TakenBack) -> None:
        self.rows.writerow(
            [
                each.undoes,
                each.customer_id or "",
                each.outcome.value,
                each.receipt_id or "",
                each.counted,
                each.granted,
                each.message,
            ]
        )

    def end(self) -> None:
        """Nothing follows the rows."""


REPORTS: dict[str, type[Report]] = {"table": TableReport, "json": JsonReport, "csv": CsvReport}
