"""The Django backend for a server of your own: Django's for PostgreSQL, with three round trips less for each request.

A kept connection is used again without a question; BEGIN goes together with the first statement, and COMMIT with the
last, where it is known to be that. psycopg2 would send both by themselves, so it is left in its autocommit mode, and
transactions begin and end by statements of ours.
"""

import select
from contextlib import suppress
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, InterfaceError
from django.db.backends.base.base import debug_transaction  # type: ignore[attr-defined]  # the stubs do not know it
from django.db.backends.postgresql import base
from psycopg2.extensions import (  # type: ignore[import-untyped]  # it has no stubs
    TRANSACTION_STATUS_ACTIVE,
    TRANSACTION_STATUS_IDLE,
    TRANSACTION_STATUS_INERROR,
    TRANSACTION_STATUS_INTRANS,
)

from .cursor import Cursor

LEFT_OPEN = (TRANSACTION_STATUS_ACTIVE, TRANSACTION_STATUS_INTRANS, TRANSACTION_STATUS_INERROR)


class DatabaseWrapper(base.DatabaseWrapper):
    is_begin_due = False  # an atomic block was entered, and no statement has come yet
    last: tuple[str, Any] | None = None  # what `execute_last` has put off, and its parameters
    own_cursor: Any = None  # of `connection`, for `fetch_row`

    def get_connection_params(self) -> dict[str, Any]:
        if "isolation_level" in self.settings_dict["OPTIONS"]:
            raise ImproperlyConfigured("The option isolation_level is not known here: BEGIN goes without one.")
        return super().get_connection_params() | {"cursor_factory": Cursor}

    def init_connection_state(self) -> None:
        self.is_begin_due, self.last, self.own_cursor = False, None, None
        super().init_connection_state()

    def create_cursor(self, name: str | None = None) -> Any:
        cursor = super().create_cursor(name)
        cursor.wrapper = self
        if name is not None:  # psycopg2 puts its DECLARE before the statement
            with self.connection.cursor() as unnamed:
                unnamed.wrapper = self
                unnamed.begin()
        return cursor

    def execute_last(self, sql: str, params: Any) -> None:
        """Execute a statement whose answer nobody needs: together with the COMMIT that ends the atomic block, or, if
        another statement comes before that, ahead of it. What it fails with is raised there.
        """
        if self.in_atomic_block:
            self.validate_no_broken_transaction()
            self.run_last()
            self.last = (sql, params)
        else:
            self.fetch_row(sql, params)

    def run_last(self, end: str = "") -> None:
        """What was put off, if there is something, and `end` in the same message."""
        if self.last is not None:
            (sql, params), self.last = self.last, None
            self.fetch_row(sql + end, params)

    def fetch_row(self, sql: str, params: Any) -> Any:
        """The first row that a statement answers; None where there is none. As by a cursor that Django makes, without
        making one.
        """
        if self.queries_logged or self.execute_wrappers:  # somebody wants to see it
            with self.cursor() as cursor:
                cursor.execute(sql, params)
                return cursor.fetchone() if cursor.description else None
        self.close_if_health_check_failed()
        self.ensure_connection()
        self.validate_thread_sharing()
        self.validate_no_broken_transaction()
        with self.wrap_database_errors:
            if self.own_cursor is None:
                self.own_cursor = self.create_cursor()
            self.own_cursor.execute(sql, params)
            return self.own_cursor.fetchone() if self.own_cursor.description else None

    def _start_transaction_under_autocommit(self) -> None:
        """What Django calls, if there is such a method, to enter an atomic block.

        Raises `InterfaceError` on a connection whose last transaction was left open: this one is not to commit it.
        """
        if self.connection.get_transaction_status() in LEFT_OPEN:
            self.close()
            raise InterfaceError(
                "A transaction of this connection was left open; it is closed, with nothing committed."
            )
        self.is_begin_due = True

    def _commit(self) -> None:
        try:
            self._send_commit()
        except BaseException:  # after errors of the database Django does the same, and finds it done
            with suppress(Error):
                self._rollback()
            raise

    def _send_commit(self) -> None:
        if self._ends_by_statement():
            if self.last is None:
                self._end("COMMIT")
            else:
                self.run_last("; COMMIT")
        else:
            self.run_last()
            super()._commit()  # type: ignore[misc]  # the stubs do not know it

    def _rollback(self) -> None:
        self.last = None
        if self._ends_by_statement():
            self._end("ROLLBACK")
        else:
            super()._rollback()  # type: ignore[misc]  # the stubs do not know it

    def _close(self) -> None:
        self.is_begin_due, self.last, self.own_cursor = False, None, None
        super()._close()  # type: ignore[misc]  # the stubs do not know it

    def _savepoint_rollback(self, sid: str) -> None:
        self.last = None  # put off since the savepoint, which had what was put off before it go ahead
        super()._savepoint_rollback(sid)  # type: ignore[misc]  # the stubs do not know it

    def _ends_by_statement(self) -> bool:
        """Not after `set_autocommit(False)`: such transactions are psycopg2's own."""
        return self.connection is not None and self.connection.autocommit

    def _end(self, statement: str) -> None:
        if self.is_begin_due:  # and nothing was sent
            self.is_begin_due = False
            return
        with debug_transaction(self, statement), self.wrap_database_errors:
            if self.connection.info.transaction_status != TRANSACTION_STATUS_IDLE:
                with self.connection.cursor() as cursor:
                    cursor.execute(statement)

    def close_if_health_check_failed(self) -> None:
        if not self.health_check_done:  # type: ignore[attr-defined]  # the stubs do not know it
            super().close_if_health_check_failed()

    def is_usable(self) -> bool:
        """Whether the kept connection still serves; asked at the first query of each request.

        A server that has ended it has said so, and then there is something to read. Where there is nothing, nobody
        needs to be asked: that would be a round trip more for each request.
        """
        if self.connection is None or self.connection.closed:
            return False
        return not (self.errors_occurred or self._has_something_to_read()) or super().is_usable()

    def _has_something_to_read(self) -> bool:
        waiting = select.poll()
        waiting.register(self.connection.fileno(), select.POLLIN)
        return bool(waiting.poll(0))
