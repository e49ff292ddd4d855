"""What became of each leave that was to be taken back, written as it comes: memory does not grow with their number."""

import csv

from rich.table import Column, Table
from rich.text import Text

from enrollments.enums import UndoOutcome
from enrollments.management.outcome_report import Report
from enrollments.undoing import DONE, TakenBack, Undoing


class UndoingReport(Report[Undoing, TakenBack]):
    outcomes = UndoOutcome
    done = DONE


class TableReport(UndoingReport):
    def begin(self) -> None:
        title = f"{self.run.brand}{self.note}"
        why = Column("Why", overflow="fold")
        # Text, and no markup anywhere: names may have brackets.
        self.table = Table("Leave", "Customer", "Outcome", "Receipt", "Counted", "Rewards", why, title=Text(title))

    def write(self, each: TakenBack) -> None:
        if not self.has_room:
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
        self.end_table(self.table, "Leaves")


class JsonReport(UndoingReport):
    def begin(self) -> None:
        self.begin_json()

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
        self.write_json(line)

    def end(self) -> None:
        self.end_json()


class CsvReport(UndoingReport):
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


REPORTS: dict[str, type[UndoingReport]] = {"table": TableReport, "json": JsonReport, "csv": CsvReport}
