"""An uploaded list as CSV: what was planned for each line, and what became of it."""

import csv
from collections.abc import Iterator

from enrollments.models import LeavePlan, PlannedLeave
from targets.spreadsheets import as_text

AT_ONCE = 5_000  # lines read
COLUMNS = ["line", "customerId", "externalId", "given", "plan", "forfeited", "note", "outcome", "receiptId", "message"]


def result_rows(plan: LeavePlan) -> Iterator[str]:
    """As CSV, some thousand lines at a time. The mark at the beginning tells spreadsheets that it is UTF-8."""
    writer = csv.writer(Echo())
    yield "\ufeff" + writer.writerow(COLUMNS)
    after = 0
    while True:
        rows = plan.lines.filter(line__gt=after).order_by("line").select_related("customer")[:AT_ONCE]
        chunk = list(rows)
        if not chunk:
            return
        yield "".join(writer.writerow([as_text(cell) for cell in result_cells(row)]) for row in chunk)
        after = chunk[-1].line


def result_cells(row: PlannedLeave) -> list[str]:
    customer = row.customer
    return [
        str(row.line),
        str(customer.customer_id or customer) if customer else "",
        customer.external_id if customer else "",
        row.given,
        row.verdict,
        row.forfeited,
        row.note,
        row.outcome,
        str(row.receipt_id or ""),
        row.message,
    ]


class Echo:
    """What is written is handed back."""

    def write(self, text: str) -> str:
        return text
