"""The last statement of a transaction, in one message with its COMMIT: one round trip less."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

from django.db import connection


class PutsOff(Protocol):
    """What config.postgres adds to a connection."""

    def execute_last(self, sql: str, params: Sequence[Any]) -> None: ...


def execute_last(sql: str, params: Sequence[Any]) -> None:
    """Execute a statement whose answer nobody needs; in an atomic block together with the COMMIT, or ahead of whatever
    statement comes before that.

    So what it fails with is raised by the end of the block, or by that statement.
    """
    cast("PutsOff", connection).execute_last(sql, params)
