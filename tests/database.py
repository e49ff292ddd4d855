"""The database of the tests, where what takes long on a real one may be quick: nobody needs it after a crash."""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations

MOST_DELETED = 4 * 1024 * 1024  # bytes of all tables; of more it is quicker to throw the files away

truncating = DatabaseOperations.sql_flush


def commit_without_waiting() -> None:
    """Sessions that begin from now on, whoever begins them, do not wait until the disk has their commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        (name,) = cursor.fetchone()
        cursor.execute(f"ALTER DATABASE {connection.ops.quote_name(name)} SET synchronous_commit = off")
    connection.close()


def emptying(operations: DatabaseOperations, style: Any, tables: Sequence[str], **options: bool) -> list[str]:
    """In place of `sql_flush`: the few rows of most tests are deleted.

    Truncating makes new files for each of sixty tables and each of their indexes, and waits for the disk at each.
    """
    with operations.connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('is_superuser') = 'on'")
        (may_pass_triggers,) = cursor.fetchone()
        cursor.execute("SELECT sum(pg_relation_size(name::regclass)) FROM unnest(%s) name", [list(tables)])
        (size,) = cursor.fetchone()
    if size > MOST_DELETED or not may_pass_triggers or options["reset_sequences"]:
        return truncating(operations, style, tables, **options)
    names = [operations.quote_name(table) for table in tables]
    deleting = "; ".join(f"DELETE FROM {name}" for name in names)
    return [
        f"LOCK TABLE {', '.join(names)}",  # as truncating does: a session that is left amid a transaction is noticed
        "SET LOCAL session_replication_role = replica",  # no triggers: of foreign keys, and of what is never deleted
        deleting,
        "DISCARD PLANS",  # as truncating does: of foreign keys too, made for the few rows that were there
    ]
