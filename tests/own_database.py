"""A database for one test, which may do to its tables what the next test must not find."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, connections


@contextmanager
def own_database(name: str = "own") -> Iterator[None]:
    """A copy of the database of the tests, for all connections that begin meanwhile; without rows that a test made."""
    usual = connection.settings_dict["NAME"]
    connections.close_all()
    connection.creation.clone_test_db(name, verbosity=0)
    connection.settings_dict["NAME"] = connection.creation.get_test_db_clone_settings(name)["NAME"]
    try:
        yield
    finally:
        connections.close_all()
        connection.settings_dict["NAME"] = usual
        connection.creation.destroy_test_db(usual, verbosity=0, suffix=name)
