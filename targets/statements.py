"""Statements of our own, where what Django does around each would cost more than the rest."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

from django.db import connection


class Connection(Protocol):
    """What config.postgres adds to a connection."""

    def execute_last(self, sql: str, params: Sequence[Any]) -> None: ...

    def fetch_row(self, sql: str, params: Sequence[Any]) -> Any: ...


def fetch_row(sql: str, params: Sequence[Any]) -> Any:
    """The first row that a statement answers, a tuple; None where there is none."""
    return cast("Connection", connection).fetch_row(sql, params)


def execute_last(sql: str, params: Sequence[Any]) -> None:
    """Execute a statement whose answer nobody needs; in an atomic block together with the COMMIT, or ahead of whatever
    statement comes before that: one round trip less.

    So what it fails with is raised by the end of the block, or by that statement.
    """
    cast("Connection", connection).execute_last(sql, params)
