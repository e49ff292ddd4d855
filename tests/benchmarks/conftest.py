import pytest
from django.db import connection


@pytest.fixture(autouse=True)
def session_of_its_own() -> None:
    """PostgreSQL keeps the plans by which it checks foreign keys for as long as the session lives: those of tables that
    were nearly empty in the test before would read all of them for each of a million rows.
    """
    connection.close()
