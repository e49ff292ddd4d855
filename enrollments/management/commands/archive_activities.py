"""`manage.py archive_activities`: old activities out of the tables that are written, while the site runs."""

from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.db.models import Max, Min
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from enrollments.closing_job import Stop
from enrollments.management.commands.check_integrity import find_brand
from enrollments.management.commands.unenroll import UNUSABLE
from enrollments.management.outcome_report import INTERRUPTED
from enrollments.models import Activity, ArchivedActivity
from enrollments.operations import Moved, archive_activities, restore_activities
from targets.management.commands.rotate_secret import duration


class Command(BaseCommand):
    help = (
        "Move activities that can no longer change, because the periods in which they count have closed, into the "
        "archive. Everything is answered as before. Run it beside the service, as often as you like; interrupted, run "
        "it again, also several at once. Exit code 0: done, 1: run it again, 2: unusable arguments, 130: interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--before",
            type=instant_or_age,
            metavar="T",
            help="recorded before this instant, such as 2026-03-01T00:00:00Z, or longer ago than, such as 90d",
        )
        what.add_argument("--restore", action="store_true", help="move everything back out of the archive")
        parser.add_argument("--brand", metavar="NAME", help="only this brand")
        parser.add_argument("--dry-run", action="store_true", help="count what would be archived, move nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        brand = find_brand(options["brand"]) if options["brand"] else None
        if options["restore"]:
            if options["dry_run"]:
                raise CommandError("--dry-run goes with --before.", returncode=UNUSABLE)
            chunks = restore_activities(brand=brand)
            model: type[Activity | ArchivedActivity] = ArchivedActivity
            moved, stayed = "Activities restored", "Staying in the archive"
        else:
            chunks = archive_activities(before=options["before"], brand=brand, dry_run=options["dry_run"])
            model, stayed = Activity, "Older ones that stay"
            moved = "Activities to be archived" if options["dry_run"] else "Activities archived"
        looked_at = count = 0
        try:
            with Stop() as stop:
                for chunk in with_progress(chunks, model):
                    looked_at, count = looked_at + chunk.looked_at, count + chunk.moved
                    if stop.is_asked:
                        raise CommandError(f"Interrupted. {moved}: {count}. Run it again.", returncode=INTERRUPTED)
        except Error as error:
            raise CommandError(f"{moved}: {count}. Then the database failed: {error}. Run it again.") from error
        self.stdout.write(f"{moved}: {count}. {stayed}: {looked_at - count}.")


def instant_or_age(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        try:
            return timezone.now() - duration(text)
        except (ArgumentTypeError, OverflowError):
            raise ArgumentTypeError(f"{text!r} is no instant such as 2026-03-01T00:00:00Z, nor 90d.") from None
    if instant.utcoffset() is None:
        raise ArgumentTypeError(f"{text!r} has no offset from UTC: add Z or +05:30.")
    return instant


def with_progress(chunks: Iterator[Moved], model: type[Activity | ArchivedActivity]) -> Iterator[Moved]:
    """A bar on a terminal (standard error), nothing elsewhere: how far the ids are gone through."""
    console = Console(stderr=True)
    ends = model._default_manager.aggregate(first=Min("pk"), last=Max("pk")) if console.is_terminal else {}
    first, last = ends.get("first") or 0, ends.get("last") or 0
    columns = (TextColumn("Moving"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("", total=last - first)
        for chunk in chunks:
            progress.update(task, completed=chunk.through - first)
            yield chunk
