"""Chunks that are worked on at the same time: the answers of one after the other, and connections that are closed."""

import threading
import time
from types import SimpleNamespace

import pytest
from django.db import connection, connections

from enrollments import side_by_side
from enrollments.operations.closing import never
from enrollments.side_by_side import worked_off
from tests.concurrency.workers import TOO_LONG

ITEMS = range(2_345)


def working(work, *, chunks, items=ITEMS, at_once=100, is_to_stop=never):
    return worked_off(items, work, at_once=at_once, is_paced=False, chunks=chunks, is_to_stop=is_to_stop)


def doubled(chunk):
    return (2 * item for item in chunk)


@pytest.mark.parametrize("chunks", [0, 1, 2, 5])
def test_each_is_answered_once_and_in_order(chunks):
    def slow_at_first(chunk):
        time.sleep(0.02 / (chunk[0] + 1))
        return doubled(chunk)

    assert list(working(slow_at_first, chunks=chunks)) == [2 * item for item in ITEMS]


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_of_nothing_nothing_is_answered(chunks):
    assert list(working(doubled, chunks=chunks, items=[])) == []


def test_so_many_are_worked_on_at_the_same_time_and_no_more():
    together, most = threading.Barrier(3), []
    under_way = []

    def work(chunk):
        under_way.append(chunk)
        together.wait(TOO_LONG)
        most.append(len(under_way))
        together.wait(TOO_LONG)
        under_way.remove(chunk)
        together.wait(TOO_LONG)
        return doubled(chunk)

    answers = list(working(work, chunks=3, items=range(600)))

    assert answers == [2 * item for item in range(600)]
    assert most == [3] * 6


def test_without_threads_nothing_is_worked_on_that_is_not_consumed():
    begun = []

    def work(chunk):
        for item in chunk:
            begun.append(item)
            yield item

    answers = working(work, chunks=0)

    assert [next(answers) for _ in range(150)] == list(range(150))
    assert begun == list(range(150))


@pytest.mark.parametrize(("chunks", "expected"), [(1, [0, 100]), (2, [0, 100, 200])])
def test_what_is_under_way_when_nobody_consumes_any_more_is_ended_and_no_more_is_begun(chunks, expected):
    begun, ended = [], []

    def work(chunk):
        begun.append(chunk[0])
        time.sleep(0.05)
        ended.append(chunk[0])
        return doubled(chunk)

    answers = working(work, chunks=chunks)
    next(answers)
    answers.close()

    assert sorted(begun) == sorted(ended) == expected


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_stop_lets_what_is_under_way_be_answered(chunks):
    begun = []

    def work(chunk):
        begun.append(chunk[0])
        return doubled(chunk)

    answers = list(working(work, chunks=chunks, is_to_stop=lambda: len(begun) >= 4))

    assert 4 <= len(begun) <= 5
    assert answers == [2 * item for item in range(100 * len(begun))]


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_what_is_raised_amid_a_chunk_comes_after_all_answers_that_there_are(chunks):
    begun = []

    def work(chunk):
        begun.append(chunk[0])
        for item in chunk:
            if item == 250:
                raise ValueError("amid the third")
            yield 2 * item

    answers, given = working(work, chunks=chunks), []
    with pytest.raises(ValueError, match="amid the third"):
        given.extend(answers)

    expected = [2 * item for item in range(250)]
    beside = [2 * item for first in sorted(begun) if first > 200 for item in range(first, first + 100)]
    assert given == expected + beside
    assert len(begun) <= 3 + max(chunks - 1, 0)


def test_thread_that_cannot_be_had_is_told_and_not_waited_for(monkeypatch):
    monkeypatch.setattr(side_by_side, "PATIENCE", 0.1)
    start, started = threading.Thread.start, []

    def start_one(thread):
        if started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_one)

    def work(chunk):
        time.sleep(0.1)
        return doubled(chunk)

    with pytest.raises(RuntimeError, match="can't start new thread"):
        list(working(work, chunks=2))

    started[0].join(TOO_LONG)
    assert not started[0].is_alive()


@pytest.mark.django_db(transaction=True)
def test_each_has_a_connection_of_its_own_which_is_closed_at_the_end():
    together = threading.Barrier(2)
    wrappers = {}

    def work(chunk):
        together.wait(TOO_LONG)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            wrappers[cursor.fetchone()[0]] = connections["default"]
        return doubled(chunk)

    list(working(work, chunks=2, items=range(400)))

    assert len(wrappers) == 2
    assert connections["default"] not in wrappers.values()
    assert [wrapper.connection for wrapper in wrappers.values()] == [None, None]


def test_chunks_follow_the_pace_of_those_that_are_done(monkeypatch):
    monkeypatch.setattr(
        side_by_side, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda seconds: None)
    )  # without time
    sizes = []

    def work(chunk):
        sizes.append(len(chunk))
        return doubled(chunk)

    answers = list(worked_off(range(46_000), work, at_once=8_000, is_paced=True, chunks=2, is_to_stop=never))

    assert answers == [2 * item for item in range(46_000)]
    assert sorted(sizes) == [1_000, 1_000, 2_000, 2_000, 4_000, 4_000, 8_000, 8_000, 8_000, 8_000]


@pytest.mark.parametrize(
    ("chunks", "is_paced", "expected"),
    [(0, True, []), (1, True, [0, 0, 0]), (2, True, [0, 0, 0.1]), (2, False, [0, 0, 0])],
)
def test_several_rest_a_third_of_what_a_chunk_took(monkeypatch, chunks, is_paced, expected):
    rests = []  # appended to by threads, which lists allow

    class Clock:
        """Goes on by 0.3 seconds whenever it is looked at, for each thread by itself."""

        own = threading.local()

        def monotonic(self):
            self.own.now = getattr(self.own, "now", 0) + 0.3
            return self.own.now

        def sleep(self, resting):
            rests.append(resting)

    monkeypatch.setattr(side_by_side, "time", Clock())

    answers = list(worked_off(range(2_500), doubled, at_once=1_000, is_paced=is_paced, chunks=chunks, is_to_stop=never))

    assert answers == [2 * item for item in range(2_500)]
    assert sorted(rests) == pytest.approx(expected)
