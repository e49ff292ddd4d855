"""What the reports on many have in common: an outcome for each, written as it comes, and their number at the end."""

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from typing import Generic, Protocol, TextIO, TypeVar
from uuid import UUID

from django.db.models import TextChoices
from rich.console import Console
from rich.table import Table

MOST_ROWS = 1_000  # of a table, which is laid out when all are known


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
    """`add` each, then `end` it. Memory does not grow with their number."""

    outcomes: type[TextChoices]
    done: frozenset[TextChoices]  # what needs nothing more to be done

    def __init__(self, run: RunType, out: TextIO) -> None:
        self.run = run
        self.out = out
        self.counts: Counter[TextChoices] = Counter()
        self.has_written = False
        self.begin()

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
