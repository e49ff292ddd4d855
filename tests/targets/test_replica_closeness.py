"""When a replica is close enough to be read: positions and time are the test's, no database is asked."""

import pytest
from django.db import OperationalError

from targets import replica


@pytest.fixture
def servers(monkeypatch, settings):
    """Where the primary has written to, how far the replica has replayed it, and what time it is; who was asked."""
    settings.REPLICA_LAG_SECONDS = 5

    class Servers:
        time = 1000.0
        written = 100
        replayed: int | Exception = 100
        asked: list[str] = []

    def position(alias, statement):
        Servers.asked.append(alias)
        found = Servers.replayed if alias == "replica" else Servers.written
        if isinstance(found, Exception):
            raise found
        return found

    Servers.asked = []
    monkeypatch.setattr(replica, "monotonic", lambda: Servers.time)
    monkeypatch.setattr(replica, "position", position)
    return Servers


@pytest.fixture
def closeness(servers):
    return replica.Closeness()


def after(servers, seconds, *, written, replayed):
    servers.time += seconds
    servers.written, servers.replayed = written, replayed


def test_replica_that_has_replayed_everything_is_close_at_once(closeness):
    assert closeness.is_close()


def test_replica_not_known_to_be_close_is_not_read(closeness, servers):
    servers.replayed = 99

    assert not closeness.is_close()


def test_replica_that_follows_a_busy_primary_is_close_from_the_second_look_on(closeness, servers):
    servers.replayed = 99
    closeness.is_close()
    answers = []
    for look in range(1, 4):
        after(servers, 1, written=100 + 50 * look, replayed=100 + 50 * look - 1)
        answers.append(closeness.is_close())

    assert answers == [True, True, True]


def test_servers_are_asked_once_a_second_however_often_somebody_reads(closeness, servers):
    for _ in range(10):
        closeness.is_close()
        servers.time += 0.25

    assert servers.asked == ["default", "replica"] * 3


@pytest.mark.parametrize(("behind", "is_close"), [(4, True), (5, True), (6, False), (60, False)])
def test_replica_that_stands_still_is_read_for_as_long_as_it_may_lag(closeness, servers, behind, is_close):
    closeness.is_close()
    answer = None
    for _ in range(behind):
        after(servers, 1, written=servers.written + 1, replayed=100)
        answer = closeness.is_close()

    assert answer is is_close


def test_replica_that_lags_evenly_by_more_than_allowed_is_never_close(closeness, servers):
    answers = set()
    for second in range(30):
        after(servers, 1, written=200 + second, replayed=200 + second - 7)
        answers.add(closeness.is_close())

    assert answers == {False}


def test_replica_that_catches_up_is_close_again(closeness, servers):
    closeness.is_close()
    for _ in range(10):
        after(servers, 1, written=servers.written + 1, replayed=100)
        closeness.is_close()
    lagging = closeness.is_close()
    after(servers, 1, written=111, replayed=111)

    assert (lagging, closeness.is_close()) == (False, True)


def test_server_that_replays_nothing_is_no_replica(closeness, servers):
    servers.replayed = -1

    answers = set()
    for _ in range(10):
        servers.time += 1
        answers.add(closeness.is_close())

    assert answers == {False}


def test_replica_that_is_away_is_left_alone_for_a_while(closeness, servers):
    closeness.is_close()
    after(servers, 1, written=101, replayed=OperationalError("connection refused"))
    answers = [closeness.is_close()]
    for _ in range(4):
        after(servers, 1, written=102, replayed=102)
        answers.append(closeness.is_close())
    asked = len(servers.asked)
    servers.time += 1
    back = closeness.is_close()

    assert (answers, asked, back) == ([False] * 5, 4, True)
