from collections.abc import Iterator

import pytest

from tests.concurrency.racing import ROUNDS, Race, make_unguarded_functions


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "race" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(max(300, ROUNDS)))


@pytest.fixture
def race(transactional_db: None) -> Iterator[Race]:
    make_unguarded_functions()
    race = Race()
    yield race
    race.close()
