"""How many rows each statement of a request reads, by PostgreSQL's own counters of the running transaction.

Plans that EXPLAIN would show are not all: statements inside functions, triggers and foreign keys are counted too, and a
scan of an index from end to end as much as one of a table.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from psycopg2.extensions import TRANSACTION_STATUS_INERROR

# What has a row for each customer, enrolment, event, call or sign-in, or each day. All else is as large as what people
# define.
GROWING = (
    "auth_user",
    "django_session",
    "enrollments_activity",
    "enrollments_activityoutcome",
    *(f"enrollments_archived{what}_{number:02}" for what in ("activity", "outcome") for number in range(8)),
    "enrollments_participation",
    "enrollments_progress",
    "enrollments_receipt",
    "enrollments_run",
    "enrollments_stay",
    "oauth2_provider_accesstoken",
    "rewards_grant",
    "targets_apiuser",
    "targets_auditentry",
    "targets_customer",
    "targets_quotause",
    "targets_refusedcalls",
    "targets_storedanswer",
)

# Of a table: rows read by scans of it, rows fetched by way of its indexes. Of an index: entries read from it.
COUNTERS = """
SELECT relname, pg_stat_get_xact_numscans(oid), pg_stat_get_xact_tuples_returned(oid),
       (SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(each)), 0)::bigint FROM unnest(indexes) each),
       pg_stat_get_xact_tuples_fetched(oid)
  FROM growing
"""
TABLES = """
CREATE TEMPORARY TABLE growing AS
SELECT each.oid, each.relname, parent.relname AS part_of,
       ARRAY(SELECT indexrelid FROM pg_index WHERE indrelid = each.oid) AS indexes
  FROM pg_class each
  LEFT JOIN pg_inherits ON inhrelid = each.oid LEFT JOIN pg_class parent ON parent.oid = inhparent
 WHERE each.relkind = 'r' AND (each.relname = ANY (%(names)s) OR parent.relname = ANY (%(names)s))
"""
MISSING = """
SELECT name FROM unnest(%(names)s) name WHERE NOT EXISTS (SELECT FROM growing WHERE name IN (relname, part_of))
"""


@dataclass(frozen=True)
class Read:
    """What one statement, with all that it set off, read of one table."""

    statement: str
    table: str
    scans: int
    scanned: int
    by_index: int

    @property
    def rows(self) -> int:
        return self.scanned + self.by_index


class Counters:
    """Of these tables: scans, rows that they read, and rows or entries read by indexes."""

    def __init__(self, tables: Sequence[str]) -> None:
        with connection.connection.cursor() as cursor:  # not Django's: this is no statement of the request
            cursor.execute(TABLES, {"names": list(tables)})
            cursor.execute(MISSING, {"names": list(tables)})
            if cursor.rowcount:
                raise LookupError(f"Tables are not there, their names have changed: {cursor.fetchall()}.")
        self.last = self.now()

    def now(self) -> dict[str, tuple[int, int, int]]:
        with connection.connection.cursor() as cursor:
            cursor.execute(COUNTERS)
            return {
                table: (scans, scanned, max(entries, fetched))
                for table, scans, scanned, entries, fetched in cursor.fetchall()
            }

    def since(self) -> dict[str, list[int]]:
        """What has been read since this was asked last."""
        before, self.last = self.last, self.now()
        return {
            table: [now - then for now, then in zip(counted, before[table], strict=True)]
            for table, counted in self.last.items()
        }


def is_aborted() -> bool:
    status: int = connection.connection.info.transaction_status
    return status == TRANSACTION_STATUS_INERROR


@contextmanager
def watched_and_undone(tables: Sequence[str] = GROWING) -> Iterator[list[Read]]:
    """All reads of these tables by what is done inside; its writes are checked as at a commit, and then undone."""
    read: list[Read] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        result = execute(sql, params, many, context)
        if not is_aborted():
            statement = context["cursor"].query.decode()
            read.extend(Read(statement, table, *counted) for table, counted in counters.since().items() if any(counted))
        return result

    with transaction.atomic():
        counters = Counters(tables)
        with connection.execute_wrapper(watch):
            yield read
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)
