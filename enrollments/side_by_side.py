"""Work on many items, chunk after chunk: here, or in threads, each with a connection of its own."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from threading import Barrier, BrokenBarrierError
from typing import Generic, NamedTuple, TypeVar

from django.db import connections

from enrollments.pace import Pace, in_chunks

PATIENCE = 10.0  # seconds that a thread waits at the end for the others

Item = TypeVar("Item")
Result = TypeVar("Result")


class Done(NamedTuple, Generic[Result]):
    """A chunk that was worked on for so many seconds, until it was done or `error` was raised."""

    results: list[Result]
    seconds: float
    error: Exception | None


def worked_off(
    items: Iterable[Item],
    work: Callable[[list[Item]], Iterator[Result]],
    *,
    at_once: int,
    is_paced: bool,
    chunks: int,
    is_to_stop: Callable[[], bool],
) -> Iterator[Result]:
    """What `work` answers of the items, in their order: it is given chunks as large as `pace.Pace` says.

    With `chunks` of 0 it is done in this thread, and what is not consumed is not worked on. Else so many chunks are
    worked on at a time, ahead of what is consumed, with the rests of `pace.Pace` where they are several, and are ended
    when nobody consumes any more. `is_to_stop` is asked before each chunk. What is raised of a chunk ends it all: it is
    raised after what was answered of that chunk before, and, with threads, of those that were under way beside it.
    """
    if chunks == 0:
        for chunk in in_chunks(items, at_once, is_paced=is_paced):
            if is_to_stop():
                return
            yield from work(chunk)
        return

    left, pace = iter(items), Pace(at_once, is_paced=is_paced)
    under_way: deque[tuple[int, Future[Done[Result]]]] = deque()
    error: Exception | None = None
    with threads(chunks) as pool:

        def begin_more() -> None:
            while len(under_way) < chunks and not is_to_stop() and (chunk := list(islice(left, pace.size))):
                rest_seconds = pace.rest if chunks > 1 else 0
                under_way.append((len(chunk), pool.submit(timed, work, chunk, rest_seconds)))

        begin_more()
        while under_way:
            size, first = under_way.popleft()
            done = first.result()
            pace.took(size, done.seconds)
            error = error or done.error
            if error is None:
                begin_more()  # so that they are worked on while these are consumed
            yield from done.results
    if error is not None:
        raise error


def timed(work: Callable[[list[Item]], Iterator[Result]], chunk: list[Item], rest_seconds: float) -> Done[Result]:
    time.sleep(rest_seconds)
    results: list[Result] = []
    error: Exception | None = None
    begun_at = time.monotonic()
    try:
        results.extend(work(chunk))
    except Exception as raised:  # raised again when what came before it has been told
        error = raised
    return Done(results, time.monotonic() - begun_at, error)


@contextmanager
def threads(count: int) -> Iterator[Executor]:
    """So many, whose connections are closed at the end."""
    all_are_here = Barrier(count)  # so that each of them closes its own

    def close() -> None:
        try:
            connections.close_all()
        finally:
            with suppress(BrokenBarrierError):  # where a thread could not be had
                all_are_here.wait(PATIENCE)

    with ThreadPoolExecutor(count) as pool:
        try:
            yield pool
        finally:
            for _ in range(count):
                pool.submit(close)
