"""A kept connection: used again without a question, given up when the server has ended it."""

import pytest
from django.db import OperationalError, connection

from tests.faults import ends_connection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kept():
    """As at the begin of a request."""
    connection.ensure_connection()
    connection.health_check_enabled = True
    connection.health_check_done = False
    yield connection.connection
    connection.close()


def backend():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def test_kept_connection_is_used_again_without_a_question(kept, monkeypatch):
    monkeypatch.setattr(
        "django.db.backends.postgresql.base.DatabaseWrapper.is_usable", lambda self: pytest.fail("asked")
    )

    backend()

    assert connection.connection is kept


def test_connection_that_the_server_has_ended_is_replaced_before_the_first_query(kept):
    ends_connection(kept.info.backend_pid)

    found = backend()

    assert found != kept.info.backend_pid
    assert connection.connection is not kept


def test_after_an_error_the_server_is_asked(kept):
    connection.errors_occurred = True
    ends_connection(kept.info.backend_pid)

    assert connection.is_usable() is False


def test_connection_closed_here_is_not_usable(kept):
    kept.close()

    assert connection.is_usable() is False


def test_connection_lost_between_look_and_query_is_an_error_that_passes(kept):
    assert connection.is_usable() is True
    connection.health_check_done = True
    ends_connection(kept.info.backend_pid)

    with pytest.raises(OperationalError):
        backend()
    connection.close_if_unusable_or_obsolete()

    assert backend() != kept.info.backend_pid
