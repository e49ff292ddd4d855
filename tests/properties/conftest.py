import pytest
from django.db import connection


@pytest.fixture
def database(transactional_db: None) -> None:
    """Operations commit for real, so that receipts know by transaction which grants there were.

    Commits need not survive a crash of the server of a test; they are real in every other respect.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
