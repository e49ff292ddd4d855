"""Writing down who changed a programme, in the transaction of the change (domain.md 7)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from targets.callers import current_caller
from targets.models import ProgrammeChange, TargetGroup


@dataclass(frozen=True)
class Change:
    """One thing that was changed, in words a person understands. What is new has no `before`."""

    what: str
    before: str | None = None
    after: str | None = None

    def __str__(self) -> str:
        if self.after is None:
            return self.what
        if self.before is None:
            return f"{self.what}: {self.after}"
        return f"{self.what}: {self.before or 'none'} → {self.after or 'none'}"


@dataclass(frozen=True)
class Author:
    """Who changes a programme, when, and through which door."""

    at: datetime
    by: str
    source: str = ""
    request_id: str = ""


def record_change(group: TargetGroup, changes: Sequence[Change], author: Author) -> int:
    """Make the next version of a programme, whose row the caller has locked, and put on record what it changed."""
    version = group.version + 1
    TargetGroup.objects.filter(pk=group.pk).update(version=version, updated_at=author.at)
    _write(group, version, changes, author)
    return version


def record_definition(group: TargetGroup, author: Author) -> None:
    """The first line of its history."""
    _write(group, group.version, [Change("programme defined")], author)


def _write(group: TargetGroup, version: int, changes: Sequence[Change], author: Author) -> None:
    caller = current_caller()
    ProgrammeChange.objects.create(
        target_group=group,
        version=version,
        at=author.at,
        by=author.by,
        source=author.source,
        request_id=author.request_id,
        address=caller.address,
        credential=caller.credential,
        changes=[asdict(change) for change in changes],
    )
