"""Clients that unenrol customers one after the other, and repeat under the same key whatever was not answered."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from threading import Lock
from typing import Any

import simplejson

from tests.cluster.servers import ADDRESS

CLIENTS = 6
PAUSE = 0.1  # seconds before a repetition
SENT_AGAIN = 5  # every so many-th customer's call, after it was answered


@dataclass(frozen=True)
class Attempt:
    """One request. `status` is None where the connection broke."""

    began: float
    ended: float
    status: int | None
    body: Any
    is_repeated: bool = False

    @property
    def is_answered(self) -> bool:
        return self.status == 200


class Client:
    def __init__(self, port: int, authorization: str) -> None:
        self.port = port
        self.headers = {"Authorization": authorization, "Content-Type": "application/json"}

    def send(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Attempt:
        """Each over a connection of its own."""
        connection = HTTPConnection(ADDRESS, self.port, timeout=40)
        began = time.monotonic()
        content = None if body is None else simplejson.dumps(body)
        try:
            connection.request(method, path, content, {**self.headers, **(headers or {})})
            response = connection.getresponse()
            text = response.read()
        except (OSError, HTTPException):
            return Attempt(began, time.monotonic(), None, None)
        finally:
            connection.close()
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        parsed = simplejson.loads(text) if is_json else text
        is_repeated = response.headers.get("Idempotent-Replayed") == "true"
        return Attempt(began, time.monotonic(), response.status, parsed, is_repeated)

    def get(self, path: str) -> Any:
        found = self.send("GET", path)
        assert found.status == 200, found
        return found.body["data"]

    def post(self, path: str, body: Any) -> Any:
        found = self.send("POST", path, body)
        assert found.status in (200, 201), found
        return found.body["data"]


class Load:
    """Every customer leaves; `attempts` by customer. After each leave its client reads where the customer stands."""

    def __init__(self, client: Client, target: str, customers: Iterable[int]) -> None:
        self.client = client
        self.target = target
        self.customers = list(customers)
        self.attempts: dict[int, list[Attempt]] = {customer: [] for customer in self.customers}
        self.still_enrolled: list[int] = []
        self.unread: list[Attempt] = []
        self.repeated: list[Attempt] = []
        self.lock = Lock()
        self.pool = ThreadPoolExecutor(CLIENTS)
        self.futures = [self.pool.submit(self.leave, customer) for customer in self.customers]

    def finish(self) -> None:
        for future in self.futures:
            future.result()
        self.pool.shutdown()

    def leave(self, customer: int) -> None:
        self.unenroll_at_last(customer)
        if customer % SENT_AGAIN == 0:
            again = self.unenroll_at_last(customer)
            with self.lock:
                self.repeated.append(again)
        standing = self.client.send("GET", f"{self.target}/enrollments/{customer}")
        if not standing.is_answered:
            with self.lock:
                self.unread.append(standing)
        if standing.is_answered and standing.body["data"]["enrolled"]:
            with self.lock:
                self.still_enrolled.append(customer)

    def unenroll_at_last(self, customer: int) -> Attempt:
        """Whatever is lost meanwhile: the try that is answered."""
        while not (attempt := self.unenroll(customer)).is_answered:
            time.sleep(PAUSE)
        return attempt

    def unenroll(self, customer: int) -> Attempt:
        key = {"Idempotency-Key": f"leave-{customer}"}
        attempt = self.client.send("POST", f"{self.target}/unEnroll", [{"customerId": customer}], key)
        self.attempts[customer].append(attempt)
        return attempt

    def answered(self) -> set[int]:
        return {customer for customer, attempts in self.attempts.items() if any(each.is_answered for each in attempts)}

    def failures(self) -> list[Attempt]:
        """Whatever was not answered, leaving or reading."""
        tried = [each for attempts in self.attempts.values() for each in attempts]
        return [each for each in [*tried, *self.unread] if not each.is_answered]
