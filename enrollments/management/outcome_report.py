"""What the reports on many have in common: an outcome for each, written as it comes, and their number at the end."""

import json
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, Protocol, TextIO, TypeVar
from uuid import UUID

from django.core.management.base import CommandError
from django.db import InterfaceError, OperationalError
from django.db.models import TextChoices
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

MOST_ROWS = 1_000  # of a table, which is laid out when all are known
INTERRUPTED = 130  # exit code, as shells say for Ctrl-C

Row = TypeVar("Row")


class Run(Protocol):
    """What is reported on."""

    @property
    def batch_id(self) -> UUID | None: ...

    @property
    def dry_run(self) -> bool: ...


class One(Protocol):
    """What became of one."""

    @property
    def outcome(self) -> TextChoices: ...

    @property
    def is_written(self) -> bool: ...


RunType = TypeVar("RunType", bound=Run)
OneType = TypeVar("OneType", bound=One)


class Report(ABC, Generic[RunType, OneType]):
    """`add` each, then `end` it; or `write_all`. Memory does not grow with their number.

    `trouble` says why it ended early, if that was not asked for.
    """

    outcomes: type[TextChoices]
    done: frozenset[TextChoices]  # what needs nothing more to be done

    def __init__(self, run: RunType, out: TextIO) -> None:
        self.run = run
        self.out = out
        self.counts: Counter[TextChoices] = Counter()
        self.has_written = False
        self.trouble = ""
        self.begin()

    def write_all(self, ones: Iterable[OneType]) -> None:
        """Each as it comes; as many as there are when the database is lost."""
        try:
            for one in ones:
                self.add(one)
        except (OperationalError, InterfaceError) as error:
            self.trouble = str(error).strip()
        self.end()

    def add(self, one: OneType) -> None:
        self.counts[one.outcome] += 1
        self.has_written |= one.is_written
        self.write(one)

    @property
    def count(self) -> int:
        return self.counts.total()

    @property
    def is_all_done(self) -> bool:
        return self.counts.keys() <= self.done

    @property
    def totals(self) -> dict[str, int]:
        return {outcome.value: self.counts[outcome] for outcome in self.outcomes if self.counts[outcome]}

    @property
    def batch_id(self) -> str | None:
        """By which the new receipts are found, if there is any."""
        return str(self.run.batch_id) if self.run.batch_id and self.has_written else None

    @abstractmethod
    def begin(self) -> None: ...

    @abstractmethod
    def write(self, one: OneType) -> None: ...

    @abstractmethod
    def end(self) -> None: ...

    # For the formats that it is written in.

    @property
    def note(self) -> str:
        return ", dry run: nothing was written" if self.run.dry_run else ""

    @property
    def has_room(self) -> bool:
        """Whether the last one is still shown in a table."""
        return self.count <= MOST_ROWS

    def end_table(self, table: Table, what: str) -> None:
        console = Console(file=self.out)
        console.print(table)
        if not self.has_room:
            console.print(f"{self.count - MOST_ROWS} more are not shown: --format csv shows all.")
        counts = ", ".join(
            f"{outcome.label.lower()}: {self.counts[outcome]}" for outcome in self.outcomes if self.counts[outcome]
        )
        console.print(f"{what}: {self.count}. {counts.capitalize()}.")
        if self.batch_id:
            console.print(f"Batch {self.batch_id}")

    def begin_json(self) -> None:
        self.out.write(f'{{\n"dryRun": {json.dumps(self.run.dry_run)},\n"results": [\n')

    def write_json(self, line: Mapping[str, object]) -> None:
        comma = "," if self.count > 1 else " "
        self.out.write(f"{comma}{json.dumps(line, ensure_ascii=False)}\n")

    def end_json(self) -> None:
        self.out.write(f'],\n"totals": {json.dumps(self.totals)},\n"batchId": {json.dumps(self.batch_id)}\n}}\n')


def end_as(report: Report[RunType, OneType], count: int, kept: str) -> None:
    """End the process as the report on `count` of them says. `kept`: what will be when it is run again.

    Exit code 0: all done, 1: some refused. Raises `CommandError` where it was interrupted, or the database was lost.
    """
    if report.count < count:
        why = f": {report.trouble}" if report.trouble else ""
        raise CommandError(
            f"Interrupted after {report.count} of {count}{why}. Run it again: {kept}.", returncode=INTERRUPTED
        )
    if not report.is_all_done:
        sys.exit(1)


def with_progress(rows: Iterator[Row], count: int, what: str) -> Iterator[Row]:
    """A bar on a terminal (standard error), nothing elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield from progress.track(rows, total=count)
