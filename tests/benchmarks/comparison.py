"""Rounds of contenders over HTTP, interleaved, and the table of what was measured."""

import json
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from math import isnan
from pathlib import Path

from tests.benchmarks import floor, load, processor_time
from tests.benchmarks.contenders import PEERS, Contender, Credentials, all_served, path_of
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.load import Job, Load
from tests.conftest import basic
from tests.serving import Serving

WARM_UP = 1.0  # seconds
FIRST_GUESS = 4_000  # customers a second, before anybody has tried
SPARE = 1.5  # times as many customers as were asked a second before; pgbench asks all that there are
ASKED_AGAIN = 2_000  # customers, by calls that change nothing
COLUMNS = {
    "p50": "p50 ms",
    "p95": "p95 ms",
    "p99": "p99 ms",
    "web_milliseconds": "web CPU ms",
    "database_milliseconds": "database CPU ms",
}
HEADERS = {"X-Forwarded-Proto": "https", "Accept": "application/json"}


@dataclass(frozen=True)
class Measured:
    a_second: float
    p50: float
    p95: float
    p99: float
    web_milliseconds: float
    database_milliseconds: float


@dataclass
class Comparison:
    """All rounds of all contenders; `measured` by contender's name and number of connections."""

    contenders: Sequence[Contender]
    connections: Sequence[int]
    crowd: Crowd
    credentials: Credentials
    measured: dict[tuple[str, int], list[Measured]] = field(default_factory=lambda: defaultdict(list))
    rates: dict[tuple[str, int], float] = field(default_factory=dict)  # a second
    changes: int = 0  # unenrolments answered

    def run(self, *, seconds: float, rounds: int) -> None:
        with tempfile.TemporaryDirectory() as logs, all_served(self.contenders, Path(logs)) as servers:
            token = token_of(servers, self.credentials)
            for connections in self.connections:
                for each in self.contenders:
                    self.measure(each, servers, token, connections, WARM_UP)
            self.crowd.analyze()
            for number in range(rounds):
                for connections in self.connections:
                    for place in range(len(self.contenders)):
                        each = self.contenders[(place + number) % len(self.contenders)]
                        found = self.measure(each, servers, token, connections, seconds)
                        self.measured[each.name, connections].append(found)

    def measure(
        self, contender: Contender, servers: dict[str, Serving], token: str, connections: int, seconds: float
    ) -> Measured:
        server = servers.get(contender.server)
        rate = self.rates.get((contender.name, connections), FIRST_GUESS)
        customers = int(seconds * rate * (SPARE if server else 1)) if contender.changes else ASKED_AGAIN
        first = self.crowd.enrol(customers + connections)
        web, database = processor_time.of_server(server), processor_time.of_database()
        loaded = self.load(contender, server, token, connections, seconds, range(first, first + customers))
        web, database = processor_time.of_server(server) - web, processor_time.of_database() - database
        answers = len(loaded.milliseconds)
        if loaded.statuses != {"200": answers}:
            raise AssertionError(f"{contender.name} answered {loaded.statuses}")
        self.changes += answers if contender.changes else 0
        self.rates[contender.name, connections] = answers / loaded.seconds
        percentiles = statistics.quantiles(loaded.milliseconds, n=100)
        return Measured(
            a_second=answers / loaded.seconds,
            p50=percentiles[49],
            p95=percentiles[94],
            p99=percentiles[98],
            web_milliseconds=1000 * web / answers,
            database_milliseconds=1000 * database / answers,
        )

    def load(
        self,
        contender: Contender,
        server: Serving | None,
        token: str,
        connections: int,
        seconds: float,
        customers: range,
    ) -> Load:
        if server is None:
            return floor.run(self.crowd, first=customers.start, customers=len(customers), connections=connections)
        shown = self.credentials.basic() if contender.scheme == "Basic" else f"Bearer {token}"
        return load.run(
            Job(
                port=server.port,
                connections=connections,
                seconds=seconds,
                method=contender.method,
                path=path_of(contender, self.crowd),
                body='[{"customerId":{customer}}]' if contender.method == "POST" else "",
                headers=HEADERS | {"Authorization": shown},
                first=customers.start,
                customers=len(customers),
                again=not contender.changes,
            )
        )

    def median(self, name: str, connections: int, attribute: str) -> float:
        return statistics.median(getattr(each, attribute) for each in self.measured[name, connections])

    def table(self) -> list[list[str]]:
        """Medians of the rounds. The last columns: requests a second as a multiple of each peer's."""
        peers = [each for each in self.contenders if each.name in PEERS]
        rows = [["", "connections", "a second", *COLUMNS.values(), *(f"x {each.name}" for each in peers)]]
        for connections in self.connections:
            for each in self.contenders:
                numbers = [f"{self.median(each.name, connections, 'a_second'):,.0f}"]
                numbers += [written(self.median(each.name, connections, name)) for name in COLUMNS]
                for peer in peers:
                    ratio = f"{self.ratio(each.name, peer.name, connections):.2f}"
                    numbers.append(ratio if each.changes else "")
                rows.append([each.title, str(connections), *numbers])
        return rows

    def ratio(self, name: str, other: str, connections: int) -> float:
        """The median of the ratios of each round: both had the machine in the same state."""
        pairs = zip(self.measured[name, connections], self.measured[other, connections], strict=True)
        return statistics.median(one.a_second / two.a_second for one, two in pairs)


def written(number: float) -> str:
    return "" if isnan(number) else f"{number:.2f}"


def token_of(servers: dict[str, Serving], credentials: Credentials) -> str:
    """A bearer token, where Milestreak is served."""
    if "milestreak" not in servers:
        return ""
    client = HTTPConnection("127.0.0.1", servers["milestreak"].port, timeout=60)
    headers = HEADERS | {
        "Authorization": basic(credentials.client_id, credentials.client_secret),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    client.request("POST", "/oauth/token", "grant_type=client_credentials", headers)
    answer = json.loads(client.getresponse().read())
    client.close()
    token: str = answer["access_token"]
    return token
