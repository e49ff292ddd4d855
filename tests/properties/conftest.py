import pytest


@pytest.fixture
def database(transactional_db: None) -> None:
    """Operations commit for real, so that receipts know by transaction which grants there were."""
