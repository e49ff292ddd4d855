"""The database of the tests, where what takes long on a real one may be quick: nobody needs it after a crash."""

from collections.abc import Sequence
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.management import sql
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations

MOST_DELETED = 4 * 1024 * 1024  # bytes of all tables; of more it is quicker to throw the files away
MADE_BY_MIGRATING = ("django_content_type", "auth_permission", "auth_group", "auth_group_permissions")

truncating = DatabaseOperations.sql_flush

_made: dict[str, list[str]] = {}  # the rows of these tables, as text; none where they have to be made anew


def commit_without_waiting() -> None:
    """Sessions that begin from now on, whoever begins them, do not wait until the disk has their commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        (name,) = cursor.fetchone()
        cursor.execute(f"ALTER DATABASE {connection.ops.quote_name(name)} SET synchronous_commit = off")
    connection.close()


def remember_what_migrating_made() -> None:
    with connection.cursor() as cursor:
        for table in MADE_BY_MIGRATING:
            cursor.execute(f"SELECT array_agg(each::text) FROM {table} each")
            (_made[table],) = cursor.fetchone()


def emptying(operations: DatabaseOperations, style: Any, tables: Sequence[str], **options: bool) -> list[str]:
    """In place of `sql_flush`: the few rows of most tests are deleted, and what migrating made is put back.

    Truncating makes new files for each of sixty tables and each of their indexes, and waits for the disk at each.
    """
    with operations.connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('is_superuser') = 'on'")
        (may_pass_triggers,) = cursor.fetchone()
        cursor.execute("SELECT sum(pg_relation_size(name::regclass)) FROM unnest(%s) name", [list(tables)])
        (size,) = cursor.fetchone()
        if size > MOST_DELETED or not may_pass_triggers or options["reset_sequences"]:
            _made.clear()
            return truncating(operations, style, tables, **options)
        put_back = [cursor.mogrify(_put_back(table), {"made": rows}).decode() for table, rows in _made.items()]
    names = [operations.quote_name(table) for table in tables]
    deleting = "; ".join(f"DELETE FROM {name}" for table, name in zip(tables, names, strict=True) if table not in _made)
    return [
        f"LOCK TABLE {', '.join(names)}",  # as truncating does: a session that is left amid a transaction is noticed
        "SET LOCAL session_replication_role = replica",  # no triggers: of foreign keys, and of what is never deleted
        deleting,
        *put_back,
        "DISCARD PLANS",  # as truncating does: of foreign keys too, made for the few rows that were there
    ]


def _put_back(table: str) -> str:
    """Mostly nothing has changed; ids are as they were."""
    return (
        f"DELETE FROM {table} each WHERE each::text <> ALL(%(made)s);"
        f" INSERT INTO {table} SELECT each.* FROM unnest(%(made)s::{table}[]) each ON CONFLICT DO NOTHING"
    )


def made_again(*details: Any, **named: Any) -> None:
    """In place of the signal that a flush sends as if all had just been migrated.

    Content types, permissions and roles took longer to make than all else that a test leaves takes to delete.
    """
    if _made:
        ContentType.objects.clear_cache()  # as the signal does
    else:
        sql.emit_post_migrate_signal(*details, **named)
        remember_what_migrating_made()
