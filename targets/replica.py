"""Reading on a streaming replica: which reads go there, and whether it is close enough behind (docs/scaling.md).

A replica is used only while it is known to hold everything that the primary had committed REPLICA_LAG_SECONDS ago.
Each process looks that up for itself, once a second at most and only when somebody reads: where the primary's log ends
now, and how far the replica has replayed it. Times are those of this process alone, so no clocks are compared.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from math import inf
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections, transaction
from django.db.models import Model
from django.utils import timezone

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

REPLICA = "replica"
APPS = ("targets", "rewards", "enrollments")

LOOK_SECONDS = 1  # between two looks
AWAY_SECONDS = 5  # until one that was away is asked again

# Positions in the log, in bytes. A server that replays nothing is no replica (any more) and says NULL.
WRITTEN = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
REPLAYED = "SELECT (pg_last_wal_replay_lsn() - '0/0')::bigint"

FAILURES = (OperationalError, InterfaceError)
STATEMENT_TIMEOUT = "57014"  # the primary would take as long
RECOVERY_CONFLICT = "40001"  # what was being read has been vacuumed on the primary: no fault of the replica

WHO_MAY = ("apiuser", "staffbrand")  # models that say who may do what: what is taken from somebody, he has not at once

_reads_replica: ContextVar[bool] = ContextVar("reads_replica", default=False)


@contextmanager
def reading_replica() -> Iterator[None]:
    """Within it, what is read outside transactions is read on the replica."""
    token = _reads_replica.set(True)
    try:
        yield
    finally:
        _reads_replica.reset(token)


class Router:
    """Everything is the primary's, but what is read within `reading_replica`. Never inside a transaction: whoever has
    begun one is about to change something.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        is_ours = model._meta.app_label in APPS and model._meta.model_name not in WHO_MAY
        is_free = _reads_replica.get() and not transaction.get_connection(DEFAULT_DB_ALIAS).in_atomic_block
        return REPLICA if is_free and is_ours else DEFAULT_DB_ALIAS

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return True  # both are of one database, wherever they were read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db != REPLICA


class Closeness:
    """What this process knows of the replica. Used by many threads, of which one looks at a time."""

    def __init__(self) -> None:
        self._looking = Lock()
        self._next_look = -inf
        self._written: deque[tuple[float, int]] = deque()  # by then the log had been written to there
        self._replayed_through = -inf

    def is_close(self) -> bool:
        """Whether the replica holds all that was committed REPLICA_LAG_SECONDS ago. Does not wait for another look."""
        if monotonic() >= self._next_look and self._looking.acquire(blocking=False):
            try:
                self._look()
            except FAILURES as error:
                self.is_away(error)
            finally:
                self._looking.release()
        return monotonic() - self._replayed_through <= settings.REPLICA_LAG_SECONDS

    def is_away(self, error: Exception) -> None:
        """Leave it alone for a while."""
        logger.warning("The replica is away: %s", error)
        self._written.clear()
        self._replayed_through = -inf
        self._next_look = monotonic() + AWAY_SECONDS

    def _look(self) -> None:
        now = monotonic()
        self._next_look = now + LOOK_SECONDS
        self._written.append((now, position(DEFAULT_DB_ALIAS, WRITTEN)))
        replayed = position(REPLICA, REPLAYED)
        while self._written and self._written[0][1] <= replayed:
            self._replayed_through, _ = self._written.popleft()
        while self._written and now - self._written[0][0] > settings.REPLICA_LAG_SECONDS:
            self._written.popleft()  # whatever it says of that, it comes too late


def position(alias: str, statement: str) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)
        [found] = cursor.fetchone()
    return -1 if found is None else int(found)


closeness = Closeness()


def read_behind(work: Callable[[], Result], *, reads_primary_until: datetime | None) -> Result:
    """What `work`, which only reads, returns: from the replica, if there is one that is close behind.

    From the primary, as ever, for somebody who has changed something and therefore reads the primary until then. What
    the replica fails to do the primary does; so `work` may run twice.
    """
    if REPLICA not in settings.DATABASES:
        return work()
    reads_primary = reads_primary_until is not None and timezone.now() < reads_primary_until
    if reads_primary or not closeness.is_close():
        return work()
    try:
        with reading_replica():
            return work()
    except FAILURES as error:
        code = getattr(error.__cause__, "pgcode", None)
        if code == STATEMENT_TIMEOUT:
            raise
        if code != RECOVERY_CONFLICT:
            closeness.is_away(error)
    return work()
