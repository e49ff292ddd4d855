"""`manage.py partition_receipts`: receipts into parts by their numbers, while the site runs."""

import signal
import time
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.template.defaultfilters import filesizeformat

from enrollments.management.outcome_report import INTERRUPTED
from enrollments.operations import ReceiptsInUse, partition_receipts, parts_of_receipts
from enrollments.operations.partitioning import ROWS, Part

FEWEST = 1_000_000


class Command(BaseCommand):
    help = (
        "Divide the receipts into parts, each a table of its own, by their numbers; where they are divided, see to it "
        "that a part lies ahead. Everything is answered as before. Run it beside the service, once and then from time "
        "to time; interrupted, run it again. Exit code 0: done, 1: run it again, 2: unusable arguments, 130: "
        "interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rows",
            type=rows,
            metavar="N",
            help=f"numbers in a part; as many as in the last one unless told, {ROWS:,} in the first",
        )
        parser.add_argument("--list", action="store_true", help="only tell which parts there are")

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            if not options["list"]:
                self._partition(options["rows"])
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Run it again.", returncode=INTERRUPTED) from None
        except ReceiptsInUse as error:
            raise CommandError(f"Not now: {error}. Run it again.") from None
        except Error as error:
            raise CommandError(f"The database failed: {error}. Run it again.") from error
        self._tell(parts_of_receipts())

    def _partition(self, numbers: int | None) -> None:
        begun_at = None
        for step in partition_receipts(rows=numbers):
            self._took(begun_at)
            self.stdout.write(f"{step} ... ", ending="")
            self.stdout.flush()
            begun_at = time.monotonic()
        self._took(begun_at)

    def _took(self, begun_at: float | None) -> None:
        if begun_at is not None:
            self.stdout.write(f"{time.monotonic() - begun_at:.1f} s")

    def _tell(self, parts: list[Part]) -> None:
        if not parts:
            self.stdout.write("All receipts lie in one table.")
        for part in parts:
            size = filesizeformat(part.size).replace("\xa0", " ")
            self.stdout.write(f"{part.name:<26} {numbers_of(part):<32} about {part.receipts:,} receipts, {size}")


def numbers_of(part: Part) -> str:
    if part.end is None:
        return "all other numbers"
    return f"to {part.end - 1:,}" if part.first is None else f"{part.first:,} to {part.end - 1:,}"


def rows(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < FEWEST:
        raise ArgumentTypeError(f"{text!r} is no whole number from {FEWEST:,}.")
    return int(text)
