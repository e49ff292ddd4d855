"""A cursor that sends the BEGIN of its transaction together with the first statement: one round trip less. And ahead of
each statement what was put off to the end.
"""

from typing import Any

from psycopg2.extensions import TRANSACTION_STATUS_IDLE, cursor  # type: ignore[import-untyped]  # it has no stubs


class Cursor(cursor):
    """Of the `wrapper` that says whether its BEGIN is still due, and what was put off."""

    wrapper: Any = None

    def execute(self, sql: Any, params: Any = None) -> None:
        if self.wrapper is not None and self.wrapper.last is not None:
            self.wrapper.run_last()
        if self.wrapper is None or not self.wrapper.is_begin_due:
            super().execute(sql, params)
        elif isinstance(sql, str):
            self._execute_first(f"BEGIN; {sql}", params)
        else:
            self.begin()
            super().execute(sql, params)

    def begin(self) -> None:
        """By itself, before what is no statement that another one could precede."""
        if self.wrapper is not None:
            self.wrapper.run_last()
            if self.wrapper.is_begin_due:
                self._execute_first("BEGIN", None)

    def _execute_first(self, sql: str, params: Any) -> None:
        self.wrapper.is_begin_due = False
        try:
            super().execute(sql, params)
        except BaseException:
            # Still due where the server took none of it, as with a syntax error: nothing may run outside.
            self.wrapper.is_begin_due = self.connection.info.transaction_status == TRANSACTION_STATUS_IDLE
            raise

    def executemany(self, sql: Any, params: Any) -> None:
        self.begin()
        super().executemany(sql, params)

    def callproc(self, name: Any, params: Any = None) -> Any:
        self.begin()
        return super().callproc(name, params)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        self.begin()
        super().copy_expert(sql, file, size)

    def copy_from(self, *details: Any, **more: Any) -> None:
        self.begin()
        super().copy_from(*details, **more)

    def copy_to(self, *details: Any, **more: Any) -> None:
        self.begin()
        super().copy_to(*details, **more)
