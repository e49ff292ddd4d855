"""The Django backend: Django's own for PostgreSQL, with the server brought up at the first connection.

Settings: NAME, and DIRECTORY for the data. HOST, PORT, USER and PASSWORD are the server's own.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import IntegrityError, ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.client import DatabaseClient as PostgreSQLClient

from config.postgres import base

try:
    from .cluster import find_programs
    from .directory import OTHER_DATABASE, StartError
    from .server import Server, server_in
except ImportError as error:  # fcntl, pwd: not a Unix
    raise ImproperlyConfigured(
        "The embedded PostgreSQL does not run on this platform. Please install PostgreSQL 15 or later "
        "and set DATABASE_URL=postgres://user:password@host:5432/name."
    ) from error


class EmbeddedPostgresError(ImproperlyConfigured, CommandError):
    """Says what to do about it. A `CommandError` too: so manage.py prints that text, and no traceback."""


@contextmanager
def explained() -> Iterator[None]:
    try:
        yield
    except StartError as error:
        raise EmbeddedPostgresError(str(error)) from None
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL cannot use its directory: {error}. Make it usable, or {OTHER_DATABASE}."
        ) from error


def server_of(settings: dict[str, Any]) -> Server:
    if not settings.get("DIRECTORY"):
        raise ImproperlyConfigured("The embedded PostgreSQL needs the setting DIRECTORY, for its data.")
    return server_in(settings["DIRECTORY"])


class DatabaseClient(PostgreSQLClient):
    """`manage.py dbshell`, with the embedded server's own psql."""

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        server = server_of(settings_dict)
        with explained():
            server.ensure()
            actual = {name.upper(): value for name, value in server.connection_parameters().items()}
            psql = find_programs() / "psql"
        arguments, environment = super().settings_to_cmd_args_env({**settings_dict, **actual}, parameters)
        return [str(psql), *arguments[1:]], environment


class DatabaseWrapper(base.DatabaseWrapper):
    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        server = server_of(self.settings_dict)
        parameters = super().get_connection_params()
        with explained():
            server.ensure()
            return parameters | server.connection_parameters()

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect; if that fails, see to it that the server runs and has the database, and try once more."""
        try:
            return super().get_new_connection(conn_params)
        except self.Database.OperationalError:  # it was killed, or is new and has no such database yet
            with explained():
                server_of(self.settings_dict).restore()
            self._create_missing_database()
            return super().get_new_connection(self.get_connection_params())

    def _create_missing_database(self) -> None:
        name = self.settings_dict["NAME"]
        if name is None:
            return  # "postgres", which always exists
        # Not the next class's, which on failure falls back to connecting to NAME, and so to us, for ever.
        with BaseDatabaseWrapper._nodb_cursor(self) as cursor:
            cursor.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if cursor.rowcount == 0:
                # Another process may create it now: duplicate_database, or the catalog's unique index.
                with suppress(ProgrammingError, IntegrityError):
                    cursor.execute(f"CREATE DATABASE {self.ops.quote_name(name)}")
