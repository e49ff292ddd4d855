"""Calls that come when they come, whether or not the last one was answered: so many a second."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from threading import Lock

CALLERS = 8  # more are never waiting for an answer at a time, unless it takes them a sixth of a second each


class Offered:
    """`calls`: path and customer of each, who is sent in an array of one record, with `headers`. No customer twice."""

    def __init__(self, port: int, headers: dict[str, str], calls: Iterator[tuple[str, int]], a_second: int) -> None:
        self.port, self.headers = port, headers
        self.calls = calls
        self.every = 1 / a_second
        self.lock = Lock()
        self.milliseconds: list[float] = []
        self.statuses: list[int] = []

    def run(self, goes_on: Callable[[], bool]) -> list[float]:
        """The milliseconds of each call of this run, from the instant it was due. All must be answered 200."""
        self.milliseconds, self.statuses = [], []
        self.due_at = time.perf_counter()
        with ThreadPoolExecutor(CALLERS) as callers:
            for each in [callers.submit(self._call, goes_on) for _ in range(CALLERS)]:
                each.result()
        assert set(self.statuses) == {200}, set(self.statuses)
        return self.milliseconds

    def _call(self, goes_on: Callable[[], bool]) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        while goes_on():
            with self.lock:
                due_at, (path, customer) = self.due_at, next(self.calls)
                self.due_at += self.every
            time.sleep(max(0, due_at - time.perf_counter()))
            connection.request("POST", path, f'[{{"customerId": {customer}}}]', self.headers)
            answer = connection.getresponse()
            answer.read()
            self.milliseconds.append(1000 * (time.perf_counter() - due_at))
            self.statuses.append(answer.status)
        connection.close()
