"""A client of its own process: as many connections as asked for, each with one request under way, for some seconds.

`python -m tests.benchmarks.load` reads a `Job` and prints a `Load`, as JSON. Each request names another customer.
Sockets and bytes, no library: the client shares the machine with what it measures.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass

TOO_LONG = 60  # seconds without an answer
END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length:"


@dataclass(frozen=True)
class Job:
    """`path` and `body` have `{customer}` where its number stands; the numbers are `first`, `first` + 1, ...

    When all `customers` were asked, it begins with the first of them `again`, or ends.
    """

    port: int
    connections: int
    seconds: float
    method: str
    path: str
    body: str
    headers: dict[str, str]
    first: int
    customers: int
    again: bool


@dataclass(frozen=True)
class Load:
    """`milliseconds` of each answer, sorted; how often which status."""

    seconds: float
    statuses: dict[str, int]
    milliseconds: list[float]


def run(job: Job) -> Load:
    """In a process of its own, so that the client takes nothing of the time of whoever asks."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load"],
        input=json.dumps(asdict(job)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=job.seconds + 2 * TOO_LONG,
    )
    return Load(**json.loads(done.stdout))


class Requests:
    """The next request for whoever asks, until time or customers are over."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.used = 0
        self.ends_at = time.perf_counter() + job.seconds
        lines = [f"{job.method} %s HTTP/1.1", f"Host: 127.0.0.1:{job.port}"]
        lines += [f"{name}: {value}" for name, value in job.headers.items()]
        lines += ["Content-Type: application/json", "Content-Length: %d"] if job.body else []
        self.head = "\r\n".join(lines)

    def ran_out(self) -> bool:
        return self.used == self.job.customers and not self.job.again

    def next(self) -> bytes | None:
        if self.ran_out() or time.perf_counter() >= self.ends_at:
            return None
        number = str(self.job.first + self.used % self.job.customers)
        self.used += 1
        path = self.job.path.replace("{customer}", number)
        if not self.job.body:
            return f"{self.head % path}\r\n\r\n".encode()
        body = self.job.body.replace("{customer}", number)
        return f"{self.head % (path, len(body))}\r\n\r\n{body}".encode()


class Connection(asyncio.Protocol):
    """Sends, waits for the whole answer, sends the next."""

    def __init__(self, requests: Requests, statuses: Counter[str], milliseconds: list[float]) -> None:
        self.requests, self.statuses, self.milliseconds = requests, statuses, milliseconds
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = b""
        self.awaits = 0  # bytes of the answer, as soon as its head has come
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.send()

    def send(self) -> None:
        request = self.requests.next()
        if request is None:
            self.done.set_result(None)
            self.transport.close()
            return
        self.sent_at = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.awaits:
            end = self.received.find(END_OF_HEAD)
            if end == -1:
                return
            head = self.received[:end].lower()
            _, found, after = head.partition(LENGTH)
            if not found:
                self.done.set_exception(ValueError(f"An answer without its length: {self.received[:500]!r}"))
                self.transport.close()
                return
            self.awaits = end + len(END_OF_HEAD) + int(after.split(b"\r\n", 1)[0])
        if len(self.received) >= self.awaits:
            self.milliseconds.append(1000 * (time.perf_counter() - self.sent_at))
            self.statuses[self.received[9:12].decode()] += 1
            self.received, self.awaits = b"", 0
            self.send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionResetError("The server has hung up."))


async def load(job: Job) -> Load:
    loop = asyncio.get_running_loop()
    statuses: Counter[str] = Counter()
    milliseconds: list[float] = []
    start = time.perf_counter()
    requests = Requests(job)
    connections = [Connection(requests, statuses, milliseconds) for _ in range(job.connections)]
    for each in connections:
        await loop.create_connection(lambda each=each: each, "127.0.0.1", job.port)
    async with asyncio.timeout(job.seconds + TOO_LONG):
        await asyncio.gather(*(each.done for each in connections))
    seconds = time.perf_counter() - start
    return Load(seconds, dict(statuses), sorted(milliseconds))


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(load(Job(**json.load(sys.stdin)))))))
