"""Writes that fail, and connections that die, at a given write of an operation."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection

from enrollments.operations import leaving

WRITES = ("INSERT", "UPDATE", "DELETE", "WITH locked AS", "WITH gone AS", leaving.STORE)  # WITH: of archiving
APPS = ("auth", "otp_totp", "otp_static", "targets", "rewards", "enrollments")

Execute = Callable[..., Any]
Fault = Callable[[Execute, dict[str, Any]], None]


def fails(execute: Execute, context: dict[str, Any]) -> None:
    """The database refuses the write."""
    execute("SELECT 1 / 0", None, False, context)


def is_killed(execute: Execute, context: dict[str, Any]) -> None:
    """Somebody ends the connection while the transaction is open."""
    ends_connection(context["connection"].connection.info.backend_pid)


def ends_connection(backend: int) -> None:
    """By another connection, as an operator would."""
    with ThreadPoolExecutor(1) as other:
        other.submit(_terminate, backend).result()


def _terminate(backend: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [backend])
        assert cursor.fetchone() == (True,)
    connection.close()


@contextmanager
def fault_at_write(number: int, fault: Fault) -> Iterator[None]:
    """The `number`-th INSERT, UPDATE or DELETE of this connection, counted from 1, meets with `fault`."""
    written = 0

    def watch(execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        nonlocal written
        if sql.lstrip().startswith(WRITES):
            written += 1
            if written == number:
                fault(execute, context)
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(watch):
            yield
    finally:
        connection.close_if_unusable_or_obsolete()  # as before the next request


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row of every table of the product, by table."""
    tables, statement = _every_table()
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return {
            table: json.loads(rows, parse_float=Decimal) for table, rows in zip(tables, cursor.fetchone(), strict=True)
        }


@cache
def _every_table() -> tuple[list[str], str]:
    """The tables, and one statement for all: with one for each, most of the time went into making statements.

    They are columns and no UNION, which PostgreSQL would have parallel processes read, and start these each time.
    """
    models = [
        model._meta for label in APPS for model in apps.get_app_config(label).get_models(include_auto_created=True)
    ]
    columns = [
        f"(SELECT COALESCE(json_agg(each ORDER BY {meta.pk.column}), '[]')::text FROM {meta.db_table} each)"
        for meta in models
    ]
    return [meta.db_table for meta in models], f"SELECT {', '.join(columns)}"
