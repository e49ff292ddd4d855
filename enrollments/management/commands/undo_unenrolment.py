"""`manage.py undo_unenrolment`: leaves taken back, one or a batch, one outcome each; safe to run twice."""

import getpass
from typing import Any, TextIO, cast
from uuid import UUID, uuid4

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from enrollments.closing_job import Stop
from enrollments.enums import Source
from enrollments.management.commands.unenroll import UNUSABLE, refuse_text
from enrollments.management.outcome_report import end_as, with_progress
from enrollments.management.undoing_report import REPORTS
from enrollments.models import Receipt
from enrollments.receipts import LEAVING
from enrollments.undoing import Undoing, undo_each
from targets.fields import ReasonField, TextField
from targets.queries import LARGEST_ID


class Command(BaseCommand):
    help = (
        "Undo unenrolments, as if nobody had left: what was done meanwhile counts. Scheduled leaves are cancelled. "
        "Exit code 0: all done (or had been taken back already), 1: some refused, 2: unusable arguments."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--receipt", type=int, metavar="N", help="receipt of the leave")
        what.add_argument("--batch", type=UUID, metavar="ID", help="batch id of the leaves")
        parser.add_argument("--reason", default="", help="kept on each new receipt")
        parser.add_argument("--by", default="", help="who does it, for the receipt (default: the user of this machine)")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, write nothing")
        parser.add_argument("--format", choices=["table", "json", "csv"], default="table", help="of the report")

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_text(options["reason"], "--reason", ReasonField())
        refuse_text(options["by"], "--by", TextField(max_length=150, allow_blank=True))
        leaves = find_leaves(options)
        first, count = leaves.select_related("brand")[0], leaves.count()
        undoing = Undoing(
            brand=first.brand,
            by=options["by"] or getpass.getuser()[:150],
            source=Source.COMMAND,
            reason=options["reason"],
            batch_id=None if options["dry_run"] else uuid4(),
            dry_run=options["dry_run"],
        )
        report = REPORTS[options["format"]](undoing, cast("TextIO", self.stdout))
        with Stop() as stop:
            undone = undo_each(undoing, leaves, is_to_stop=lambda: stop.is_asked)
            report.write_all(with_progress(undone, count, "Undoing"))
        end_as(report, count, "what was taken back stays so")


def find_leaves(options: dict[str, Any]) -> QuerySet[Receipt]:
    """In the order in which they were written, in whichever brand: an operator is of none. Raises `CommandError`."""
    leaves = Receipt.objects.filter(kind__in=LEAVING).order_by("pk")
    if options["batch"] is not None:
        leaves = leaves.filter(batch_id=options["batch"])
        missing = f"There is no batch {options['batch']} of unenrolments."
    else:
        receipt_id = options["receipt"] if 0 < options["receipt"] <= LARGEST_ID else 0
        leaves = leaves.filter(pk=receipt_id)
        missing = f"There is no receipt {options['receipt']} of an unenrolment."
    if not leaves.exists():
        raise CommandError(missing, returncode=UNUSABLE)
    return leaves
