"""What became of each customer, written as it comes: memory does not grow with their number."""

import csv

from rich.table import Column, Table
from rich.text import Text

from enrollments.batch import DONE, Batch, Left
from enrollments.enums import LeaveOutcome
from enrollments.management.outcome_report import Report
from targets.spreadsheets import as_text


class LeavingReport(Report[Batch, Left]):
    outcomes = LeaveOutcome
    done = DONE


class TableReport(LeavingReport):
    def begin(self) -> None:
        # Text, and no markup anywhere: names may have brackets.
        target = self.run.target
        title = f"{target} ({self.run.brand}){self.note}"
        why = Column("Why", overflow="fold")
        self.table = Table("Customer", "Outcome", "Receipt", "Forfeited", why, title=Text(title))

    def write(self, left: Left) -> None:
        if not self.has_room:
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
        self.end_table(self.table, "Customers")


class JsonReport(LeavingReport):
    def begin(self) -> None:
        self.begin_json()

    def write(self, left: Left) -> None:
        line = {
            "customerId": left.customer_id,
            "outcome": left.outcome.value,
            "receiptId": left.receipt_id,
            "forfeited": [left.forfeited] if left.forfeited else [],
            "message": left.message or None,
        }
        self.write_json(line)

    def end(self) -> None:
        self.end_json()


class CsvReport(LeavingReport):
    def begin(self) -> None:
        self.rows = csv.writer(self.out, lineterminator="\n")
        self.rows.writerow(["customerId", "outcome", "receiptId", "forfeited", "message"])

    def write(self, left: Left) -> None:
        name = as_text(left.forfeited) if left.forfeited else ""
        self.rows.writerow([left.customer_id, left.outcome.value, left.receipt_id or "", name, left.message])

    def end(self) -> None:
        """Nothing follows the rows."""


REPORTS: dict[str, type[LeavingReport]] = {"table": TableReport, "json": JsonReport, "csv": CsvReport}
