"""`manage.py unenroll`: customers out of a target, one outcome each; safe to run twice."""

import csv
import getpass
import re
import sys
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO, TypeVar, cast
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rest_framework import serializers
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from enrollments.batch import Batch, leave_each
from enrollments.closing_job import Stop
from enrollments.enums import Effective, Source
from enrollments.management.leaving_report import REPORTS
from targets.errors import DomainError
from targets.fields import ReasonField, TextField
from targets.models import Target
from targets.queries import LARGEST_ID, find_target

ID = re.compile(r"[0-9]{1,19}")
BYTE_ORDER_MARK = "\ufeff"  # spreadsheets write one at the beginning of a file
Row = TypeVar("Row")

UNUSABLE = 2  # exit code: nothing was tried
INTERRUPTED = 130  # as shells say for Ctrl-C


class Command(BaseCommand):
    help = (
        "Unenrol customers from a target: finished cycles and given rewards stay theirs, the running cycle and all "
        "later ones are left. Exit code 0: all done (or had left already), 1: some refused, 2: unusable arguments."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--target-group", type=int, required=True, metavar="G", help="id of the target group")
        parser.add_argument("--target", type=int, required=True, metavar="T", help="id of the target")
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--customer", nargs="+", action="extend", metavar="ID", help="customer ids of the brand")
        who.add_argument("--file", metavar="CSV", help="file with the customer id in its first column")
        who.add_argument("stdin", nargs="?", choices=["-"], help="-: read customer ids from standard input")
        parser.add_argument("--reason", default="", help="kept on each receipt")
        parser.add_argument(
            "--effective", choices=Effective.values, default=Effective.NOW, help="at once, or at the end of the cycle"
        )
        parser.add_argument("--by", default="", help="who does it, for the receipt (default: the user of this machine)")
        parser.add_argument("--include-inactive", action="store_true", help="also from an inactive group or target")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, write nothing")
        parser.add_argument("--format", choices=["table", "json", "csv"], default="table", help="of the report")

    def handle(self, *args: Any, **options: Any) -> None:
        target = self.find_target(options)
        refuse_text(options["reason"], "--reason", ReasonField())
        refuse_text(options["by"], "--by", TextField(max_length=150, allow_blank=True))
        customer_ids = read_customer_ids(options)
        batch = Batch(
            brand=target.brand,
            target=target,
            by=options["by"] or getpass.getuser()[:150],
            source=Source.COMMAND,
            reason=options["reason"],
            effective=Effective(options["effective"]),
            batch_id=None if options["dry_run"] else uuid4(),
            dry_run=options["dry_run"],
            even_if_inactive=options["include_inactive"],
        )
        report = REPORTS[options["format"]](batch, cast("TextIO", self.stdout))
        with Stop() as stop:
            lefts = leave_each(batch, customer_ids, is_to_stop=lambda: stop.is_asked)
            for left in with_progress(lefts, len(customer_ids), "Unenrolling"):
                report.add(left)
        report.end()
        if report.count < len(customer_ids):
            raise CommandError(
                f"Interrupted after {report.count} of {len(customer_ids)}. Run it again: who has left stays left.",
                returncode=INTERRUPTED,
            )
        if not report.is_all_done:
            sys.exit(1)

    def find_target(self, options: dict[str, Any]) -> Target:
        """The target, in whichever brand: an operator is of none."""
        group_id, target_id = options["target_group"], options["target"]
        found = Target.objects.select_related("brand").filter(pk=target_id, target_group=group_id).first()
        if found is None:
            raise CommandError(f"There is no target {target_id} in target group {group_id}.", returncode=UNUSABLE)
        try:
            return find_target(found.brand, group_id, target_id, include_inactive=options["include_inactive"])
        except DomainError as refusal:
            raise CommandError(
                f"{refusal.message} Add --include-inactive to unenrol from it.", returncode=UNUSABLE
            ) from None


def refuse_text(text: str, option: str, field: TextField) -> None:
    """By the rules of the API: no control characters, not too long, UTF-8. Raises `CommandError`."""
    try:
        field.run_validation(text)
    except serializers.ValidationError as error:
        raise CommandError(f"{option}: {' '.join(map(str, error.detail))}", returncode=UNUSABLE) from None


def read_customer_ids(options: dict[str, Any]) -> Sequence[int]:
    """All ids, before anything is done. Raises `CommandError` naming the line at fault."""
    if options["customer"]:
        return [customer_id(text, "--customer") for text in options["customer"]]
    source = "-" if options["stdin"] else options["file"]
    try:
        if source == "-":
            return ids_in(sys.stdin, "standard input")
        with Path(source).open(encoding="utf-8", newline="") as file:
            return ids_in(file, source)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"Cannot read {source}: {error}. Nothing was done.", returncode=UNUSABLE) from None


def ids_in(file: TextIO, name: str) -> Sequence[int]:
    """First columns; a first line without a digit is a heading, empty lines are passed over. Eight bytes for each."""
    ids = array("q")
    for number, row in enumerate(csv.reader(file), 1):
        text = row[0].removeprefix(BYTE_ORDER_MARK).strip() if row else ""
        is_heading = number == 1 and not any(character.isdigit() for character in text)
        if text and not is_heading:
            ids.append(customer_id(text, f"{name}, line {number}"))
    if not ids:
        raise CommandError(f"{name}: no customer ids found.", returncode=UNUSABLE)
    return ids


def customer_id(text: str, where: str) -> int:
    if not (ID.fullmatch(text) and 0 < int(text) <= LARGEST_ID):
        raise CommandError(
            f"{where}: {text[:40]!r} is no customer id, an integer from 1 to {LARGEST_ID}. Nothing was done.",
            returncode=UNUSABLE,
        )
    return int(text)


def with_progress(rows: Iterator[Row], count: int, what: str) -> Iterator[Row]:
    """A bar on a terminal (standard error), nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield from progress.track(rows, total=count)
