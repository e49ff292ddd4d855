"""Dividing the receipts by their numbers, while the site runs (docs/scaling.md).

Each part is a table of its own, with its own indexes: what is written every day stays small however many there are, and
old parts may lie elsewhere. Whoever reads or writes names `enrollments_receipt` as before. What the migrations made is
found in PostgreSQL's catalog and made again, so that a later one needs no change here.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from django.db import Error, OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from enrollments.operations.partitioning_statements import (
    FOLLOWERS,
    IN_THE_WAY,
    INDEXES,
    INVALID_INDEX,
    IS_DIVIDED,
    IS_PROVEN,
    KEYS,
    OF_ONE_TABLE,
    OWNER,
    PARTS,
    PRIVILEGES,
    REFERENCES,
    REFERENCES_TO,
    SEQUENCE,
    TAKEN_BACK,
    TRIGGERS,
)

TABLE = "enrollments_receipt"
REST = f"{TABLE}_rest"  # the default partition: whatever has a number that belongs to no part
BELOW = "receipt_numbers_below"  # holds only while a part is made
ROWS = 50_000_000
AHEAD = 100_000_000  # numbers that are not reached while a part is made, though thousands a second were for hours

# Whoever waits for a table keeps all others from it who come after him. So he does not wait for long, but comes again.
# Nor may he hold it for long, whatever becomes of him. Before that autovacuum is waited for, which gives way after a
# second, by a lock that keeps out nobody but it and others like us.
ASIDE = "SET LOCAL lock_timeout = '10s'; LOCK TABLE {tables} IN SHARE UPDATE EXCLUSIVE MODE"
BRIEFLY = """
SET LOCAL lock_timeout = '300ms';
SET LOCAL statement_timeout = '5s';
SET LOCAL idle_in_transaction_session_timeout = '5s'
"""
TRIES = 100
PAUSE = 2.0  # seconds between them
WAITED = ("55P03", "40P01")  # for a lock, in vain
# Every writer comes by the participation first. Whoever has passed it is waited for there, where he waits for nobody.
LOCKED_FIRST, LOCKED_NEXT = "enrollments_participation", "enrollments_stay"

BOUND = re.compile(r"FROM \('?(MINVALUE|\d+)'?\) TO \('?(\d+)'?\)")
INDEX = "receipt_taken_back"
INDEXED = f"ON {TABLE} (undoes_id) WHERE undoes_id IS NOT NULL"


class ReceiptsInUse(Exception):
    """Somebody uses receipts in a way that does not let them be divided; the message says who."""


@dataclass(frozen=True)
class Part:
    """A table with the receipts from `first` to before `end`: no bound is None. The rest has neither.

    `receipts`: how many PostgreSQL believes there are. `size`: bytes, with indexes.
    """

    name: str
    first: int | None
    end: int | None
    receipts: int
    size: int

    @property
    def is_rest(self) -> bool:
        return self.end is None

    def holds(self, number: int) -> bool:
        return self.end is not None and (self.first or 0) <= number < self.end


def parts_of_receipts() -> list[Part]:
    """In the order of their numbers, the rest last; none where all receipts lie in one table."""
    found = []
    for name, bound, receipts, size in _rows(PARTS):
        first, end = match.groups() if (match := BOUND.search(bound)) else ("MINVALUE", None)
        of = None if first == "MINVALUE" else int(first)
        found.append(Part(name, of, int(end) if end else None, receipts, size))
    return sorted(found, key=lambda part: (part.is_rest, part.end))


def partition_receipts(*, rows: int | None = None) -> Iterator[str]:
    """Divide the receipts into parts of `rows` numbers each, or, if they are, have a part ahead: step by step.

    Yields what is done next. `rows`: as wide as the last part, or `ROWS`. New receipts go on with the first number of
    the second part. Others go on reading and writing; they stand still for moments, no longer than 0.3 seconds at each
    of a few tables. Interrupted at any point, it is gone on with the next time; until then numbers that lie far ahead
    may be barred (see `AHEAD`).

    Raises ReceiptsInUse, and what the database raises.
    """
    for table in (TABLE, REST):  # of who was interrupted
        _let_go(table)
    if not _is_divided():
        yield "Indexing receipts that take another one back"
        _index_what_takes_back()
        end = _beyond(rows or ROWS)
        yield f"Proving that all receipts lie below {end:,}"
        with _proven(TABLE, end):
            yield "Making it the first part"
            _briefly(partial(_divide, end=end))
    for name, _, table, is_valid in _rows(REFERENCES_TO):
        if not is_valid:
            yield f"Checking {table}: {name}"
            _do(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
    yield from _add_parts(rows)


def _add_parts(rows: int | None) -> Iterator[str]:
    """Until new receipts go into a part, and another one lies ahead."""
    while True:
        *ranges, rest = parts_of_receipts()
        last, number = ranges[-1], _last_number() + 1
        end = last.end or 0
        width = rows or (end - last.first if last.first else ROWS)
        ahead = [part.first for part in ranges if part.first and part.first > number]
        if len(ranges) == 1:  # just divided
            yield from _add(ranges, first=end, width=width)
        elif ahead and (len(ranges) == 2 or not any(part.holds(number) for part in ranges)):
            yield f"Going on with receipt {ahead[0]:,}"
            _do(f"SELECT setval('{_sequence()}', {ahead[0]}, false)")
        elif number + width <= end:
            return
        elif last.holds(number) and _is_empty(rest):
            yield from _add(ranges, first=end, width=width)
        else:
            # All of the rest would be read while everybody waits, were its numbers not known.
            first = _beyond(width)
            yield f"Proving that all other receipts lie below {first:,}"
            with _proven(REST, first):
                yield from _add(ranges, first=first, width=width, is_proven=True)


def _add(ranges: list[Part], *, first: int, width: int, is_proven: bool = False) -> Iterator[str]:
    if not _is_empty(ranges[-1]):  # else statistics would tell, for a while, that it may be read from end to end
        yield "Gathering statistics"
        _do(f"ANALYZE {TABLE}")
    yield f"Adding a part from {first:,}"
    number = 1 + max(int(part.name.rpartition("_")[2]) for part in ranges)
    name = f"{TABLE}_{number}"
    _briefly(partial(_create, name=name, first=first, end=first + width, is_proven=is_proven))


def _create(cursor: CursorWrapper, *, name: str, first: int, end: int, is_proven: bool) -> list[str]:
    if is_proven:
        _refuse_unproven(cursor, REST, first)
    return [
        f"CREATE TABLE {name} PARTITION OF {TABLE} FOR VALUES FROM ({first}) TO ({end})",
        f"ALTER TABLE {name} OWNER TO {_value(cursor, OWNER)}",
        f"ALTER TABLE {REST} DROP CONSTRAINT IF EXISTS {BELOW}",
    ]


def _divide(cursor: CursorWrapper, *, end: int) -> list[str]:
    """The table becomes the first part of a new one with its name, which has all that it had."""
    _refuse_unproven(cursor, TABLE, end)
    if followers := _value(cursor, FOLLOWERS):
        raise ReceiptsInUse(f"{followers} would go on with the first part alone: drop it, and make it again afterwards")
    only_here = [name for (name,) in _fetched(cursor, OF_ONE_TABLE)]
    keys, indexes, triggers, references, references_to = (
        _fetched(cursor, statement) for statement in (KEYS, INDEXES, TRIGGERS, REFERENCES, REFERENCES_TO)
    )
    keys, references = ([each for each in known if each[0] not in only_here] for known in (keys, references))
    owner, first = _value(cursor, OWNER), f"{TABLE}_1"
    number = end - AHEAD // 2  # nobody has it; for the moments until there is another part
    return [
        *(f"ALTER TABLE {table} DROP CONSTRAINT {name}" for name, _, table, _ in references_to),
        *(f"ALTER TABLE {TABLE} DROP CONSTRAINT {name}" for name in only_here),
        *(f"DROP TRIGGER {name} ON {TABLE}" for name, _ in triggers),
        *(f"ALTER INDEX {name} RENAME TO {name}_1" for name, _ in [*keys, *indexes]),
        f"ALTER TABLE {TABLE} ALTER id DROP IDENTITY",
        f"ALTER TABLE {TABLE} RENAME TO {first}",
        f"CREATE TABLE {TABLE} (LIKE {first} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)"
        " PARTITION BY RANGE (id)",
        f"ALTER TABLE {TABLE} OWNER TO {owner}",
        f"ALTER TABLE {TABLE} DROP CONSTRAINT {BELOW}",
        f"ALTER TABLE {TABLE} ALTER id ADD GENERATED BY DEFAULT AS IDENTITY (START WITH {number})",
        *(f"ALTER TABLE {TABLE} ADD CONSTRAINT {name} {definition}" for name, definition in [*keys, *references]),
        *(definition for _, definition in [*indexes, *triggers]),
        TAKEN_BACK,
        f"ALTER TABLE {TABLE} ATTACH PARTITION {first} FOR VALUES FROM (MINVALUE) TO ({end})",
        f"ALTER TABLE {first} DROP CONSTRAINT {BELOW}",
        f"CREATE TABLE {REST} PARTITION OF {TABLE} DEFAULT",
        f"ALTER TABLE {REST} OWNER TO {owner}",
        # In force for what is written from now on; what is there is checked later, while others work.
        *(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition.removesuffix(' NOT VALID')} NOT VALID"
            for name, definition, table, _ in references_to
        ),
        *(statement for (statement,) in _fetched(cursor, PRIVILEGES)),
    ]


def _index_what_takes_back() -> None:
    """The unique index cannot become a part of one over all parts."""
    ((is_broken,),) = _rows(INVALID_INDEX, index=INDEX)
    if is_broken:  # by who was interrupted
        _do(f"DROP INDEX CONCURRENTLY {INDEX}")
    _do(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {INDEX} {INDEXED}")


@contextmanager
def _proven(table: str, end: int) -> Iterator[None]:
    """Within it PostgreSQL knows that all numbers of the table lie below `end`, and need not look while others wait.

    Whoever makes use of it drops the constraint with that.
    """
    _briefly(partial(_bar, table=table, end=end), table)
    try:
        _do(f"ALTER TABLE {table} VALIDATE CONSTRAINT {BELOW}")
        yield
    except BaseException:
        connection.close_if_unusable_or_obsolete()
        _let_go(table)
        raise


def _bar(cursor: CursorWrapper, *, table: str, end: int) -> list[str]:
    if table == TABLE and _value(cursor, IS_DIVIDED):
        raise ReceiptsInUse("somebody else has just divided them")
    return [
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {BELOW}",
        f"ALTER TABLE {table} ADD CONSTRAINT {BELOW} CHECK (id < {end}) NOT VALID",
    ]


def _let_go(table: str) -> None:
    if _rows("SELECT FROM pg_constraint WHERE conrelid = to_regclass(%(known)s) AND conname = %(below)s", known=table):
        _briefly(lambda cursor: [f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {BELOW}"], table)


def _refuse_unproven(cursor: CursorWrapper, table: str, end: int) -> None:
    ((is_proven,),) = _fetched(cursor, IS_PROVEN, proven=table, definition=f"CHECK ((id < {end}))")
    if not is_proven:
        raise ReceiptsInUse("somebody else is dividing them")


def _briefly(statements: Callable[[CursorWrapper], list[str]], table: str | None = None) -> None:
    """Carry the statements out in a transaction that waits for nobody for long, again and again.

    They are asked for when nobody else can change the tables any more. Without `table` all are locked that have to do
    with receipts.
    """
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE)
        try:
            with transaction.atomic(durable=True), connection.cursor() as cursor:
                cursor.execute(ASIDE.format(tables=table or ", ".join(_tables())))
                prepared = statements(cursor)
                cursor.execute("; ".join([BRIEFLY, *_locks(table), *prepared]))
                return
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", None) not in WAITED:
                raise
    raise ReceiptsInUse(_in_the_way())


def _locks(table: str | None) -> list[str]:
    if table:
        return [f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"]
    first, *others = _tables()
    return [f"LOCK TABLE {first} IN EXCLUSIVE MODE", f"LOCK TABLE {', '.join(others)} IN ACCESS EXCLUSIVE MODE"]


def _tables() -> list[str]:
    """All that a part is made with, in the order in which they are locked."""
    others = {table for _, _, table, _ in _rows(REFERENCES_TO)} - {LOCKED_NEXT}
    return [LOCKED_FIRST, LOCKED_NEXT, TABLE, *sorted(others)]


def _in_the_way() -> str:
    ((who,),) = _rows(IN_THE_WAY, tables=_tables())
    return who or "whoever it was is done"


def _is_empty(part: Part) -> bool:
    return not _rows(f"SELECT FROM {part.name} LIMIT 1")


def _is_divided() -> bool:
    ((is_divided,),) = _rows(IS_DIVIDED)
    return bool(is_divided)


def _sequence() -> str:
    ((sequence,),) = _rows(SEQUENCE)
    return str(sequence)


def _last_number() -> int:
    ((number,),) = _rows(f"SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM {_sequence()}")  # noqa: S608
    return int(number)


def _beyond(width: int) -> int:
    """A round number that is not reached while a part is made."""
    return ((_last_number() + AHEAD) // width + 1) * width


def _do(statement: str) -> None:
    """Beside everybody else, however long it takes."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except Error as error:
        if getattr(error.__cause__, "pgcode", None) in WAITED:
            raise ReceiptsInUse(_in_the_way()) from error
        raise


def _rows(statement: str, **names: str | list[str]) -> list[tuple]:
    with connection.cursor() as cursor:
        return _fetched(cursor, statement, **names)


def _fetched(cursor: CursorWrapper, statement: str, **names: str | list[str]) -> list[tuple]:
    cursor.execute(statement, {"table": TABLE, "below": BELOW, **names})
    found: list[tuple] = cursor.fetchall()
    return found


def _value(cursor: CursorWrapper, statement: str) -> str:
    ((value,),) = _fetched(cursor, statement)
    return value or ""
