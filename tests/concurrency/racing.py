"""Two operations at once: real threads, a connection each, made to meet just where it matters.

A racer may have a *stop*: before each statement that begins so, it waits until the other one waits for a lock of his,
has come to its own stop, or is done. So the critical moment is hit in every round, by looking at the locks of the
database and never by sleeping, and as nobody waits for one who cannot move, the test itself cannot deadlock.
A guard is taken away in the statements the racers send, or in the schema; the product knows nothing of it.
"""

import os
import re
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Condition
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from django.db import DatabaseError, connection, transaction

from targets.errors import DomainError

Seen = TypeVar("Seen", bound=Hashable)
Act = Callable[[], object]

# Of the races that domain.md 8 names, and of all others. `make soak` races longer.
ROUNDS = int(os.environ.get("RACE_ROUNDS", "120"))
FEWER_ROUNDS = max(ROUNDS // 4, 3)
# With a guard taken away each round goes wrong in the same way: he who stops is ahead, the other overtakes him.
UNGUARDED_ROUNDS = 3


class Guard(NamedTuple):
    """Part of a statement, and what it reads without that."""

    part: re.Pattern[str]
    without: str | Callable[[re.Match[str]], str]


def or_the_function(without: str, function: str) -> Callable[[re.Match[str]], str]:
    """Of a part, or of `lock_enrolment`, in whose place another function of the database is called."""
    return lambda found: f"{function}(" if found["function"] else without


ROW_LOCK = Guard(
    re.compile(r" FOR NO KEY UPDATE( OF \S+)?( SKIP LOCKED)?|(?P<function>\block_enrolment\()"),
    or_the_function("", "leaving_without_row_lock"),
)
CALENDAR_LOCK = Guard(
    re.compile(r"pg_advisory_xact_lock(_shared)?\(%s, %s\)|(?P<function>\block_enrolment\()"),
    or_the_function("%s, %s", "leaving_without_calendar_lock"),
)
UNGUARDED_FUNCTIONS = {
    "leaving_without_row_lock": " FOR NO KEY UPDATE",
    "leaving_without_calendar_lock": "PERFORM pg_advisory_xact_lock_shared(calendar[1], calendar[2]);",
}
FORWARD_ONLY = Guard(re.compile(r'"targets_brand"."clock_at" < %s'), "%s IS NOT NULL")

A_LOOK = 0.002  # seconds between two looks at the locks
TOO_LONG = 30  # seconds


class Race:
    """Two racers, each with a thread and a connection of its own for the whole test."""

    def __init__(self) -> None:
        self._threads = [ThreadPoolExecutor(1), ThreadPoolExecutor(1)]
        self._backends = [thread.submit(_backend).result() for thread in self._threads]
        self._moved = Condition()
        self._taken_away: tuple[Guard, ...] = ()
        self._stops: tuple[str, str] = ("", "")
        self._ahead: int | None = None

    def close(self) -> None:
        for thread in self._threads:
            thread.submit(_disconnect).result()
            thread.shutdown()

    @contextmanager
    def without(self, *guards: Guard) -> Iterator[None]:
        """No statement of the racers has any of `guards`."""
        self._taken_away = guards
        try:
            yield
        finally:
            self._taken_away = ()

    def rounds(
        self, count: int, one_round: Callable[[], Seen], *, stops: tuple[str, str] = ("", ""), ahead: int | None = None
    ) -> set[Seen]:
        """Every outcome that came up. Without `ahead`, in turn: both start together, the first ahead, the second."""
        self._stops = stops
        seen = set()
        for number in range(count):
            self._ahead = (None, 0, 1)[number % 3] if ahead is None else ahead
            seen.add(one_round())
        return seen

    def run(self, first: Act, second: Act) -> tuple[object, object]:
        """What each gave, or the refusal or error of the database it raised."""
        self._started, self._stopped, self._done = [False, False], [False, False], [False, False]
        futures = [
            thread.submit(self._act, mine, act)
            for mine, (thread, act) in enumerate(zip(self._threads, (first, second), strict=True))
        ]
        return futures[0].result(), futures[1].result()

    def _act(self, mine: int, act: Act) -> object:
        try:
            self._start(mine)
            with connection.execute_wrapper(partial(self._execute, mine)):
                return act()
        except (DomainError, DatabaseError) as error:
            return error
        finally:
            self._mark(self._done, mine)

    def _start(self, mine: int) -> None:
        """Together with the other one, or when he who is ahead has come to his stop or is done."""
        other = 1 - mine
        self._mark(self._started, mine)
        if self._ahead == other:
            self._wait_until(lambda: self._stopped[other] or self._done[other])
        elif self._ahead is None:
            self._wait_until(lambda: self._started[other])

    def _execute(self, mine: int, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        for guard in self._taken_away:
            sql = guard.part.sub(guard.without, sql)
        if self._stops[mine] and sql.lstrip().startswith(self._stops[mine]):
            other = 1 - mine
            self._mark(self._stopped, mine)
            self._wait_until(lambda: self._stopped[other] or self._done[other] or self._waits_for_me(other))
        return execute(sql, params, many, context)

    def _mark(self, flags: list[bool], racer: int) -> None:
        with self._moved:
            flags[racer] = True
            self._moved.notify_all()

    def _wait_until(self, has_come: Callable[[], bool]) -> None:
        until = monotonic() + TOO_LONG
        while not has_come():
            assert monotonic() < until, "the other racer neither moves nor waits for a lock"
            with self._moved:
                self._moved.wait(A_LOOK)

    def _waits_for_me(self, racer: int) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid() = ANY (pg_blocking_pids(%s))", [self._backends[racer]])
            return bool(cursor.fetchone()[0])


def make_unguarded_functions() -> None:
    """The copies of `lock_enrolment` that lack one lock each."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('lock_enrolment'::regproc)")
        (definition,) = cursor.fetchone()
        for name, lock in UNGUARDED_FUNCTIONS.items():
            assert lock in definition
            cursor.execute(definition.replace("lock_enrolment", name, 1).replace(lock, ""))


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _disconnect() -> None:
    connection.close()


@contextmanager
def without_constraints(table: str, *names: str) -> Iterator[None]:
    """The table lacks these constraints, unique indexes or triggers. Afterwards it is emptied, with all that refers to
    it.
    """
    definitions = []
    with transaction.atomic(), connection.cursor() as cursor:
        for name in names:
            cursor.execute(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s AND conrelid = %s::regclass",
                [name, table],
            )
            if found := cursor.fetchone():
                definitions.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {found[0]}")
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
                continue
            cursor.execute("SELECT FROM pg_trigger WHERE tgname = %s AND tgrelid = %s::regclass", [name, table])
            if cursor.fetchone() is not None:
                definitions.append(f"ALTER TABLE {table} ENABLE TRIGGER {name}")
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
            else:
                cursor.execute("SELECT pg_get_indexdef(%s::regclass)", [name])
                definitions.append(cursor.fetchone()[0])
                cursor.execute(f"DROP INDEX {name}")
    try:
        yield
    finally:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {table} CASCADE")
            for definition in definitions:
                cursor.execute(definition)
