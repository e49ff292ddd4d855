"""`manage.py unenroll`: customers out of a target, one outcome each, at once or by a plan; safe to run twice."""

import csv
import getpass
import re
import sys
from array import array
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO, cast
from uuid import uuid4

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.db import connection
from rest_framework import serializers

from enrollments.batch import Batch, Left, leave_each
from enrollments.closing_job import Stop
from enrollments.enums import Effective, Source
from enrollments.management.leaving_plan import Head, PlanWriter, UnusablePlan, opened_plan
from enrollments.management.leaving_report import REPORTS, LeavingReport
from enrollments.management.outcome_report import end_as, with_progress
from enrollments.models import Receipt
from enrollments.pace import FIRST
from enrollments.planned import carry_out
from targets.clock import brand_now
from targets.errors import DomainError
from targets.fields import ReasonField, TextField
from targets.models import Target
from targets.queries import LARGEST_ID, find_target

ID = re.compile(r"[0-9]{1,19}")
BYTE_ORDER_MARK = "\ufeff"  # spreadsheets write one at the beginning of a file

UNUSABLE = 2  # exit code: nothing was tried
CONNECTIONS, MOST_CONNECTIONS = 2, 8
SAID_BY_PLAN = ("target_group", "target", "reason", "effective", "include_inactive", "dry_run", "plan")


class Command(BaseCommand):
    help = (
        "Unenrol customers from a target: finished cycles and given rewards stay theirs, the running cycle and all "
        "later ones are left. Exit code 0: all done (or had left already), 1: some refused, 2: unusable arguments. "
        "--plan writes down what would happen, --apply does just that, and goes on where it was interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--target-group", type=int, metavar="G", help="id of the target group")
        parser.add_argument("--target", type=int, metavar="T", help="id of the target")
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--customer", nargs="+", action="extend", metavar="ID", help="customer ids of the brand")
        who.add_argument("--file", metavar="CSV", help="file with the customer id in its first column")
        who.add_argument("stdin", nargs="?", choices=["-"], help="-: read customer ids from standard input")
        who.add_argument("--apply", metavar="PLAN", help="carry out a plan; all but --by and --format is in it")
        parser.add_argument("--reason", default="", help="kept on each receipt")
        parser.add_argument(
            "--effective", choices=Effective.values, help="at once (the default), or at the end of the cycle"
        )
        parser.add_argument("--by", default="", help="who does it, for the receipt (default: the user of this machine)")
        parser.add_argument("--include-inactive", action="store_true", help="also from an inactive group or target")
        looking = parser.add_mutually_exclusive_group()
        looking.add_argument("--dry-run", action="store_true", help="say what would happen, write nothing")
        looking.add_argument("--plan", metavar="PLAN", help="a dry run that writes a plan into a new file, for --apply")
        parser.add_argument(
            "--connections",
            type=int,
            choices=range(1, MOST_CONNECTIONS + 1),
            default=CONNECTIONS,
            metavar="N",
            help=f"of more than {FIRST:,} customers, carry out N chunks at a time, each by a connection of its own; "
            f"calls of others notice 1 least (default: {CONNECTIONS}, at most {MOST_CONNECTIONS})",
        )
        parser.add_argument("--format", choices=["table", "json", "csv"], default="table", help="of the report")

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_text(options["by"], "--by", TextField(max_length=150, allow_blank=True))
        if options["apply"] is not None:
            self.carry_out(options)
            return
        if options["target_group"] is None or options["target"] is None:
            raise CommandError("--target-group and --target say what is to be left.", returncode=UNUSABLE)
        refuse_text(options["reason"], "--reason", ReasonField())
        names = (options["target_group"], options["target"])
        advice = "Add --include-inactive to unenrol from it."
        target = find_target_of_any(*names, even_if_inactive=options["include_inactive"], advice=advice)
        customer_ids = read_customer_ids(options)
        count = len(customer_ids)
        is_dry_run = options["dry_run"] or options["plan"] is not None
        batch = Batch(
            brand=target.brand,
            target=target,
            by=options["by"] or default_by(),
            source=Source.COMMAND,
            reason=options["reason"],
            effective=Effective(options["effective"] or Effective.NOW),
            batch_id=None if options["dry_run"] else uuid4(),
            dry_run=is_dry_run,
            even_if_inactive=options["include_inactive"],
            is_paced=True,
        )
        if options["plan"] is not None:
            self.plan(batch, customer_ids, options)
        else:
            with Stop() as stop:
                lefts = leave_each(batch, customer_ids, **run_options(stop, count, options))
                report = report_on(batch, lefts, count, options, self.stdout)
            end_as(report, count, "who has left stays left")

    def plan(self, batch: Batch, customer_ids: Sequence[int], options: dict[str, Any]) -> None:
        """A dry run, written down."""
        path, count = Path(options["plan"]), len(customer_ids)
        try:
            with PlanWriter(path, batch, brand_now(batch.brand), count) as plan, Stop() as stop:
                lefts = leave_each(batch, customer_ids, **run_options(stop, count, options))
                report = report_on(batch, plan.written(lefts), count, options, self.stdout)
                if report.count == count:
                    plan.end()
        except OSError as error:
            raise CommandError(f"No plan was written: {error}.", returncode=UNUSABLE) from None
        if report.count == count and options["format"] == "table":
            self.stdout.write(f"Plan written: {path}. It is carried out by: unenroll --apply {path}")
        end_as(report, count, "no plan was written")

    def carry_out(self, options: dict[str, Any]) -> None:
        """What a plan says, and nothing else."""
        given = [f"--{name.replace('_', '-')}" for name in SAID_BY_PLAN if options[name] not in (None, "", False)]
        if given:
            raise CommandError(f"The plan says it, so --apply goes without {', '.join(given)}.", returncode=UNUSABLE)
        try:
            with opened_plan(Path(options["apply"])) as plan, Stop() as stop:
                batch = batch_of(plan.head, by=options["by"] or default_by())
                lefts = carry_out(batch, plan.rows, **run_options(stop, plan.head.count, options))
                report = report_on(batch, lefts, plan.head.count, options, self.stdout)
        except UnusablePlan as problem:
            raise CommandError(f"Nothing was done: {problem}.", returncode=UNUSABLE) from None
        end_as(report, plan.head.count, "who has left stays left, and is told again")


def run_options(stop: Stop, count: int, options: dict[str, Any]) -> dict[str, Any]:
    """Many are unenrolled by the connections asked for, while the report is written; a few by the command's own, and
    all where it is amid a transaction that only it sees.
    """
    in_threads = count > FIRST and not connection.in_atomic_block
    return {"chunks": options["connections"] if in_threads else 0, "is_to_stop": lambda: stop.is_asked}


def report_on(
    batch: Batch, lefts: Iterator[Left], count: int, options: dict[str, Any], out: OutputWrapper
) -> LeavingReport:
    report = REPORTS[options["format"]](batch, cast("TextIO", out))
    report.write_all(with_progress(lefts, count, "Looking" if batch.dry_run else "Unenrolling"))
    return report


def batch_of(head: Head, *, by: str) -> Batch:
    """The batch of a plan. Raises `CommandError` where it may not be begun, or not any more."""
    advice = "To unenrol from it all the same make a new plan, with --include-inactive."
    try:
        target = find_target_of_any(
            head.target_group, head.target, even_if_inactive=head.even_if_inactive, advice=advice
        )
    except CommandError as refusal:
        raise CommandError(f"Nothing was done: {refusal}", returncode=UNUSABLE) from None
    age = brand_now(target.brand) - head.made_at
    is_begun = Receipt.objects.filter(batch_id=head.batch_id).exists()
    if age > timedelta(hours=settings.PLAN_HOURS) and not is_begun:
        raise CommandError(
            f"Nothing was done: the plan was made at {head.made_at:%Y-%m-%dT%H:%M:%S%z}, and may be begun within "
            f"{settings.PLAN_HOURS} hours (PLAN_HOURS). Make a new one.",
            returncode=UNUSABLE,
        )
    return Batch(
        brand=target.brand,
        target=target,
        by=by,
        source=Source.COMMAND,
        reason=head.reason,
        effective=head.effective,
        batch_id=head.batch_id,
        even_if_inactive=head.even_if_inactive,
        is_resumed=True,
        is_paced=True,
    )


def find_target_of_any(group_id: int, target_id: int, *, even_if_inactive: bool, advice: str) -> Target:
    """The target, in whichever brand: an operator is of none. Raises `CommandError`, with `advice` if inactive."""
    found = Target.objects.select_related("brand").filter(pk=target_id, target_group=group_id).first()
    if found is None:
        raise CommandError(f"There is no target {target_id} in target group {group_id}.", returncode=UNUSABLE)
    try:
        return find_target(found.brand, group_id, target_id, include_inactive=even_if_inactive)
    except DomainError as refusal:
        raise CommandError(f"{refusal.message} {advice}", returncode=UNUSABLE) from None


def default_by() -> str:
    """The user of this machine."""
    return getpass.getuser()[:150]


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
    for line, row in enumerate(csv.reader(file), 1):
        text = row[0] if row else ""
        number = possible_id(text)  # as it is in nearly all lines
        if number is None:
            text = text.removeprefix(BYTE_ORDER_MARK).strip()
            is_heading = line == 1 and not any(character.isdigit() for character in text)
            if not text or is_heading:
                continue
            number = customer_id(text, f"{name}, line {line}")
        ids.append(number)
    if not ids:
        raise CommandError(f"{name}: no customer ids found.", returncode=UNUSABLE)
    return ids


def customer_id(text: str, where: str) -> int:
    number = possible_id(text)
    if number is None:
        raise CommandError(
            f"{where}: {text[:40]!r} is no customer id, an integer from 1 to {LARGEST_ID}. Nothing was done.",
            returncode=UNUSABLE,
        )
    return number


def possible_id(text: str) -> int | None:
    return number if ID.fullmatch(text) and 0 < (number := int(text)) <= LARGEST_ID else None
