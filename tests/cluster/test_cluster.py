"""A primary with a streaming replica, a pool, two web nodes and a proxy: what happens when one of them is lost."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg2
import pytest
from psycopg2 import OperationalError

from tests.cluster.conftest import LAG_SECONDS
from tests.cluster.load import Client, Load
from tests.cluster.servers import NAME, url, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

WHO_LEFT = """
SELECT customer.customer_id, count(*)
  FROM enrollments_receipt receipt
  JOIN enrollments_participation participation ON participation.id = receipt.participation_id
  JOIN targets_customer customer ON customer.id = participation.customer_id
 WHERE receipt.kind = 'UNENROLLED' AND customer.customer_id BETWEEN {first} AND {last} GROUP BY 1
"""


def who_left(cluster, customers):
    """How often each of them left, as the database has it."""
    return dict(cluster.ask_pool(WHO_LEFT.format(first=customers[0], last=customers[-1])))


def has_left(client, cluster, customer):
    return not client.get(f"{cluster.target}/enrollments/{customer}")["enrolled"]


def test_sessions_of_the_pool_have_the_time_outs_of_who_uses_them(cluster):
    shown = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"

    assert cluster.ask_pool(shown) == [("5s", "20s")]
    assert cluster.ask_pool(shown, f"{NAME}_commands") == [("30s", "0")]


def test_pool_refuses_what_connections_begin_with_when_they_are_not_pooled(cluster):
    cluster.environment["DATABASE_POOLED"] = "false"
    try:
        with pytest.raises(AssertionError, match="unsupported startup parameter"):
            cluster.manage("migrate", "--check")
    finally:
        cluster.environment["DATABASE_POOLED"] = "true"
    assert cluster.manage("migrate", "--check") == ""


def test_who_wrote_reads_it_at_once_and_others_as_soon_as_the_replica_may_lag(cluster):
    for _ in range(6):  # each node finds the replica close
        assert not has_left(cluster.reader, cluster, 1)
        time.sleep(0.3)
    cluster.replica.ask("SELECT pg_wal_replay_pause()")
    try:
        cluster.writer.post(f"{cluster.target}/unEnroll", [{"customerId": 1}])

        at_once = [has_left(cluster.writer, cluster, 1) for _ in range(10)]
        elsewhere = [has_left(cluster.reader, cluster, 1) for _ in range(10)]
        # Each node finds out by itself.
        seconds = wait_until(
            lambda: all(has_left(cluster.reader, cluster, 1) for _ in range(10)), "the replica is left alone"
        )
    finally:
        cluster.replica.ask("SELECT pg_wal_replay_resume()")

    print(f"\nA replica that stood still was read for {seconds:.1f} s more.")
    assert (at_once, elsewhere) == ([True] * 10, [False] * 10)
    assert seconds < LAG_SECONDS + 1


@contextmanager
def kept_waiting(cluster, customer):
    """Whoever changes something about him waits, amid the transaction of his call."""
    held = psycopg2.connect(url(cluster.primary.port))
    try:
        with held.cursor() as cursor:
            cursor.execute("SELECT FROM targets_customer WHERE customer_id = %s FOR UPDATE", [customer])
            yield
    finally:
        held.close()


def somebody_waits(cluster):
    return cluster.primary.ask("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)]


def test_killed_web_node_fails_only_what_it_was_answering(cluster):
    customers = range(2, 401)
    under_way = Client(cluster.nodes[0].port, cluster.writer.headers["Authorization"])
    under_way.headers["X-Forwarded-Proto"] = "https"
    call = "POST", f"{cluster.target}/unEnroll", [{"customerId": 401}], {"Idempotency-Key": "leave-401"}
    load = Load(cluster.writer, cluster.target, customers)
    wait_until(lambda: len(load.answered()) > 100, "load")

    with kept_waiting(cluster, 401), ThreadPoolExecutor(1) as other:
        broken = other.submit(under_way.send, *call)
        wait_until(lambda: somebody_waits(cluster), "a call under way")
        before = time.monotonic()
        cluster.nodes[0].kill()
        after = time.monotonic()
    again, once_more = cluster.writer.send(*call), cluster.writer.send(*call)
    load.finish()
    cluster.nodes[0].serve(cluster.environment)

    failures = load.failures()
    print(f"\n{len(failures) + 1} calls of {len(customers) + 1} broke with the node, and were repeated.")
    assert broken.result().status is None
    assert [(each.status, each.is_repeated) for each in (again, once_more)] == [(200, False), (200, True)]
    assert [each for each in failures if each.ended < before or each.began > after] == []
    assert load.answered() == set(customers)
    assert who_left(cluster, range(2, 402)) == dict.fromkeys(range(2, 402), 1)
    assert {(each.status, each.is_repeated) for each in load.repeated} == {(200, True)}
    assert load.still_enrolled == []


def test_lost_primary_is_replaced_by_the_replica_without_losing_an_answered_call(cluster):
    customers = range(402, 1001)
    load = Load(cluster.writer, cluster.target, customers)
    wait_until(lambda: len(load.answered()) > 150, "load")

    answered_before = load.answered()
    cluster.primary.crash()
    lost = time.monotonic()
    with pytest.raises(OperationalError):
        cluster.primary.ask("SELECT 1")
    cluster.replica.promote()
    cluster.pool.point_to(cluster.replica)
    promoted = time.monotonic()
    load.finish()

    served = min(
        each.ended for attempts in load.attempts.values() for each in attempts if each.is_answered and each.began > lost
    )
    failures = load.failures()
    print(
        f"\nPromoted after {promoted - lost:.1f} s, serving after {served - lost:.1f} s; "
        f"{len(failures)} tries of {len(customers)} calls failed meanwhile and were repeated."
    )
    assert 150 < len(answered_before) < len(customers)
    assert [each for each in failures if each.ended < lost - 1] == []
    assert {each.status for each in failures} <= {503, None}
    assert load.answered() == set(customers)
    assert who_left(cluster, customers) == dict.fromkeys(customers, 1)
    assert {(each.status, each.is_repeated) for each in load.repeated} == {(200, True)}
    assert load.still_enrolled == []
    cluster.manage("check_integrity")  # ends with 1 where a promise is broken
    assert has_left(cluster.reader, cluster, 1000)
