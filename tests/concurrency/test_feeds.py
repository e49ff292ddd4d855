"""Readers of the feeds miss nothing, in whatever order transactions commit (docs/architecture.md, "Feeds").

Writers, each in a thread of his own, hold their transactions open and commit in reverse order. After each commit a
reader goes on from his cursor to the end of the feed.
"""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from enrollments.enums import Source
from enrollments.models import Receipt
from enrollments.operations import enroll
from rewards.models import Grant
from targets.models import Customer, Target
from tests.concurrency.racing import Guard
from tests.conftest import Site
from tests.factories import START, CustomerFactory, make_programme

WRITERS = 4
ROUNDS = 5
HORIZON = Guard(re.compile(r"< \(pg_snapshot_xmin\(pg_current_snapshot\(\)\)::text::bigint\)"), "IS NOT NULL")
A_LOOK = 0.01  # seconds between two looks for what other transactions of the server still hold back
TOO_LONG = 60  # seconds

FEEDS = {"receipts": ("receiptId", Receipt), "rewardGrants": ("grantId", Grant)}


class Writer:
    """Enrols a customer with a balance that achieves: one receipt and one grant, in a transaction that he holds."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._thread = ThreadPoolExecutor(1)
        self._transaction: transaction.Atomic

    def begin(self) -> None:
        self._thread.submit(self._begin).result()

    def write(self, customer: Customer) -> None:
        self._thread.submit(self._write, customer).result()

    def commit(self) -> None:
        self._thread.submit(lambda: self._transaction.__exit__(None, None, None)).result()

    def leave(self) -> None:
        self._thread.submit(lambda: connection.close()).result()  # the thread's own
        self._thread.shutdown()

    def _begin(self) -> None:
        self._transaction = transaction.atomic()
        self._transaction.__enter__()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()")  # its place in the feed

    def _write(self, customer: Customer) -> None:
        enroll(customer=customer, target=self.target, at=START, initial_balance=1, by="test", source=Source.API)


class Reader:
    """Follows a feed, page by page, as an integrator does."""

    def __init__(self, site: Site, feed: str) -> None:
        self.site = site
        self.feed = feed
        self.after = ""
        self.seen: list[int] = []

    def go_on(self) -> None:
        """To the end of what the feed shows now."""
        while True:
            answer = self.site.get(f"/v3/{self.feed}?limit=2&after={self.after}")[1]
            self.after = answer["pagination"]["next"] or ""
            if not answer["data"]:
                return
            self.seen += [row[FEEDS[self.feed][0]] for row in answer["data"]]

    def go_on_until(self, count: int) -> None:
        """Other transactions of the same server may hold the feed back for a while."""
        until = time.monotonic() + TOO_LONG
        while len(self.seen) < count and time.monotonic() < until:
            self.go_on()
            time.sleep(A_LOOK)


@contextmanager
def without(guard: Guard) -> Iterator[None]:
    """The statements of this thread, the reader's, do not have it."""

    def execute(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        return execute(guard.part.sub(guard.without, sql), params, many, context)

    with connection.execute_wrapper(execute):
        yield


@pytest.fixture
def writers(committed_site: Site) -> Iterator[list[Writer]]:
    target = make_programme(brand=committed_site.brand, target_value=1)
    writers = [Writer(target) for _ in range(WRITERS)]
    yield writers
    for each in writers:
        each.leave()


def commit_in_reverse_order(writers: list[Writer], reader: Reader, *, is_written_first: bool) -> None:
    customers = [CustomerFactory(brand=each.target.brand) for each in writers]
    for writer, customer in zip(writers, customers, strict=True):
        writer.begin()
        if is_written_first:
            writer.write(customer)
    reader.go_on()
    for writer, customer in reversed(list(zip(writers, customers, strict=True))):
        if not is_written_first:
            writer.write(customer)
        writer.commit()
        reader.go_on()


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("is_written_first", [True, False], ids=["written long before", "written just before"])
def test_reader_misses_nothing_of_transactions_that_commit_in_reverse_order(
    committed_site: Site, writers: list[Writer], feed: str, is_written_first: bool
) -> None:
    rows = FEEDS[feed][1].objects.order_by("transaction_id", "pk")
    misled, reader = Reader(committed_site, feed), Reader(committed_site, feed)

    with without(HORIZON):
        commit_in_reverse_order(writers, misled, is_written_first=is_written_first)
    for _ in range(ROUNDS):
        commit_in_reverse_order(writers, reader, is_written_first=is_written_first)
    reader.go_on_until(rows.count())

    in_order = list(rows.values_list("pk", flat=True))
    assert misled.seen == [in_order[WRITERS - 1]]  # the others' were behind his cursor when they appeared
    assert len(in_order) == WRITERS * (ROUNDS + 1)
    assert reader.seen == in_order


@pytest.mark.parametrize("feed", FEEDS)
def test_reader_misses_nothing_while_writers_commit_as_they_like(
    committed_site: Site, writers: list[Writer], feed: str
) -> None:
    customers = [CustomerFactory(brand=committed_site.brand) for _ in range(25 * WRITERS)]
    reader = Reader(committed_site, feed)

    def write(mine: int) -> None:
        for customer in customers[mine::WRITERS]:
            with transaction.atomic():
                enroll(
                    customer=customer,
                    target=writers[mine].target,
                    at=START,
                    initial_balance=1,
                    by="test",
                    source=Source.API,
                )
        connection.close()

    with ThreadPoolExecutor(WRITERS) as threads:
        writing = [threads.submit(write, mine) for mine in range(WRITERS)]
        while not all(each.done() for each in writing):
            reader.go_on()
    for each in writing:
        each.result()
    reader.go_on_until(len(customers))

    assert reader.seen == list(FEEDS[feed][1].objects.order_by("transaction_id", "pk").values_list("pk", flat=True))
    assert len(reader.seen) == len(customers)
