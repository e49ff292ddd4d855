"""`manage.py close_cycles`: close what is due and give its period-end rewards, once or as a worker."""

from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.db import Error

from enrollments.closing_job import ClosingJob, Say, Stop
from enrollments.operations.closing import CHUNK
from targets.models import Brand

UNUSABLE = 2
INTERVAL = 30.0


class Command(BaseCommand):
    help = (
        "Close every cycle that is due, oldest first, and give its period-end rewards. Run it every few minutes, or "
        "once with --follow; again, in parallel, or after being killed, it pays nothing twice and leaves nothing out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--at", metavar="T", help="only what was due at this instant, such as 2026-03-01T00:00:00Z")
        parser.add_argument("--brand", metavar="NAME", help="only this brand")
        parser.add_argument("--follow", action="store_true", help="go on until SIGTERM or Ctrl-C")
        parser.add_argument(
            "--interval",
            type=positive_seconds,
            default=INTERVAL,
            metavar="SECONDS",
            help=f"with --follow: between two looks for what is due (default: {INTERVAL:.0f})",
        )
        parser.add_argument(
            "--chunk",
            type=positive_number,
            default=CHUNK,
            metavar="N",
            help=f"customers paid in one transaction (default: {CHUNK})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["follow"] and options["at"]:
            raise CommandError("--at is for one look at what is due, not for --follow.", returncode=UNUSABLE)
        until = parsed_instant(options["at"]) if options["at"] else None
        job = ClosingJob(at_once(self.stdout), at_once(self.stderr), until, options["chunk"])
        brands = Brand.objects.order_by("pk")
        if options["brand"]:
            brands = brands.filter(name__iexact=options["brand"])
            if not brands.exists():
                raise CommandError(f"There is no brand {options['brand']!r}.", returncode=UNUSABLE)
        if options["follow"]:
            with Stop() as stop:
                job.say(f"Closing what is due, every {options['interval']:g} s.")
                job.follow(brands, options["interval"], stop)
            job.say("Stopped.")
            return
        try:
            tally = job.run_once(brands)
        except Error as error:
            raise CommandError(f"The database cannot be used: {error}. Run it again.".replace("\n", " ")) from error
        job.say(f"Cycles closed: {tally.cycles}. Rewards given: {tally.rewards}.")
        if tally.failures:
            raise CommandError(f"Not done for {tally.failures} of {len(brands)} brands: run it again.")


def at_once(output: OutputWrapper) -> Say:
    """Writes lines that are read as they come, also through a pipe."""

    def say(text: str) -> None:
        output.write(text)
        output.flush()

    return say


def positive_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 86_400:
        raise ArgumentTypeError(f"{text!r} is no number of seconds up to a day.")
    return seconds


def positive_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 100_000):
        raise ArgumentTypeError(f"{text!r} is no number from 1 to 100000.")
    return int(text)


def parsed_instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--at: {text!r} is no instant such as 2026-03-01T00:00:00Z.", returncode=UNUSABLE) from None
    if instant.utcoffset() is None:
        raise CommandError(f"--at: {text!r} has no offset from UTC: add Z or +05:30.", returncode=UNUSABLE)
    return instant
