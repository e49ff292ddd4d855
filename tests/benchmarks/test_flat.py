"""`make bench`: what `unEnroll` costs in a large database, beside a small one, with few cycles and with many.

Both are filled by `make load`, on one PostgreSQL, and named by FLAT_SMALL and FLAT_LARGE (postgres://...); without them
there is nothing to measure. FLAT_SECONDS for each measurement (60), FLAT_ROUNDS (5), FLAT_RATE: calls offered in a
second (25). Asserts no time, but what each statement touches: that depends on nothing but the data.
"""

import gc
import os
import statistics
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from django.db import connection
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from tests.benchmarks import buffers, processor_time
from tests.benchmarks.buffers import Median, Statement
from tests.benchmarks.contenders import CREDENTIALS_KEY, PRODUCTION, WORKERS
from tests.benchmarks.loaded import CALLER, LENGTHS, LONG, SHORT, Loaded, connected_to
from tests.benchmarks.offered import CALLERS, Offered
from tests.benchmarks.test_benchmarks import publish
from tests.benchmarks.test_bulk import for_seconds, percentile
from tests.conftest import basic, new_client
from tests.factories import SECRET
from tests.serving import Serving, serving, site

URLS = [os.environ.get(name, "") for name in ("FLAT_SMALL", "FLAT_LARGE")]
SECONDS = float(os.environ.get("FLAT_SECONDS", "60"))
ROUNDS = int(os.environ.get("FLAT_ROUNDS", "5"))
A_SECOND = int(os.environ.get("FLAT_RATE", "25"))
WARM_UP = min(10.0, SECONDS)  # seconds, of each, before the first round
EXPLAINED = 50  # calls that are asked for their buffers
MORE = 3  # buffers

HEADERS = {
    "Authorization": basic(CALLER, SECRET),
    "Content-Type": "application/json",
    "X-Forwarded-Proto": "https",
}

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(0),
    pytest.mark.skipif(not all(URLS), reason="FLAT_SMALL and FLAT_LARGE name no loaded databases"),
]


def offered_in(seconds: float) -> int:
    """Calls, at most."""
    return int(seconds * A_SECOND) + 2 * CALLERS


@pytest.fixture(scope="module")
def loaded(django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, Loaded]]:
    calls = ROUNDS * offered_in(SECONDS) + offered_in(WARM_UP) + buffers.FIRST_CALLS + EXPLAINED
    with django_db_blocker.unblock():
        found = [Loaded(url, calls=calls) for url in URLS]
        yield {f"{each.stays:,} stays": each for each in found}


def test_statements_touch_as_many_buffers_in_a_large_database(loaded: dict[str, Loaded]) -> None:
    small, large = ({length: explained(each, length) for length in LENGTHS} for each in loaded.values())
    with connected_to(URLS[-1]):
        publish("Flat: buffers", buffers_table(list(loaded), small, large), BUFFERS_NOTE)

    for length in LENGTHS:
        assert beyond(small[length], large[length]) == {}
    for lengths in (small, large):
        assert beyond(lengths[SHORT], lengths[LONG]) == {}


def beyond(few: dict[Statement, Median], many: dict[Statement, Median]) -> dict[Statement, tuple[Median, Median]]:
    """Who touches more than a few buffers more. Both make the same statements."""
    assert few.keys() == many.keys()
    return {
        statement: (few[statement], each)
        for statement, each in many.items()
        if not each.calls_only and each.buffers > few[statement].buffers + MORE
    }


def explained(database: Loaded, length: int) -> dict[Statement, Median]:
    client = new_client(CALLER, SECRET)

    def call(path: str, customer: int) -> None:
        answer = client.post(path, [{"customerId": customer}], format="json")
        assert answer.status_code == 200, answer.content

    calls = database.take(length, buffers.FIRST_CALLS + EXPLAINED)
    database.vacuum()
    with (
        override_settings(CREDENTIALS_KEY=CREDENTIALS_KEY, REQUESTS_PER_MINUTE=0),
        database.put_back_afterwards(),
    ):
        return buffers.explained(call, calls)


BUFFERS_NOTE = (
    f"Shared buffers that each statement of `unEnroll` touches, hit or read: the median of {EXPLAINED} calls of "
    "customers taken by chance. Statements inside functions, of triggers and of foreign keys too; those of the client, "
    "which call a function, are the sum of what is in there. What is changed was vacuumed before, in both. Statements "
    "that touch no more than 3 anywhere are left out."
)


def buffers_table(
    names: list[str], small: dict[int, dict[Statement, Median]], large: dict[int, dict[Statement, Median]]
) -> list[list[str]]:
    columns = list(product(LENGTHS, (small, large)))
    rows = [["", *(f"{length} cycles, {name}" for length in LENGTHS for name in names)]]
    for statement in large[max(LENGTHS, key=lambda length: len(large[length]))]:
        found = [database[length].get(statement) for length, database in columns]
        if max(each.buffers for each in found if each) > MORE:
            rows.append([f"`{statement.text[:90]}`", *(str(each or "") for each in found)])
    return rows


@dataclass(frozen=True)
class Measured:
    """Milliseconds: of calls, and of processors for each call."""

    calls: int
    p50: float
    p95: float
    p99: float
    web_cpu: float
    database_cpu: float


COLUMNS = {
    "p50": "p50 ms",
    "p95": "p95 ms",
    "p99": "p99 ms",
    "web_cpu": "web CPU ms",
    "database_cpu": "database CPU ms",
}


def test_calls_take_as_long_in_a_large_database(loaded: dict[str, Loaded], tmp_path: Path) -> None:
    measured: dict[tuple[int, str], list[Measured]] = defaultdict(list)
    contenders = list(product(LENGTHS, loaded))
    warmed = " and ".join(f"{each.warm() / 2**20:,.0f} MB" for each in loaded.values())
    with ExitStack() as stack:
        servers = {name: stack.enter_context(served(each, tmp_path / name)) for name, each in loaded.items()}
        for length, name in contenders:
            offer(loaded[name], servers[name], length, WARM_UP)
        for each_round in range(ROUNDS):
            checkpoint()
            for place in range(len(contenders)):
                length, name = contenders[(place + each_round) % len(contenders)]
                measured[length, name].append(offer(loaded[name], servers[name], length, SECONDS))
    with connected_to(URLS[-1]):
        publish("Flat", times_table(list(loaded), measured), flat_note(loaded, warmed))

    assert {len(rounds) for rounds in measured.values()} == {ROUNDS}


def served(database: Loaded, log: Path) -> AbstractContextManager[Serving]:
    return serving(log, site(WORKERS), PRODUCTION | {"DATABASE_URL": database.url})


def checkpoint() -> None:
    """Of both, as they are in one server. Else one would come amid somebody's turn, every so many minutes."""
    with connected_to(URLS[-1]), connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


def offer(database: Loaded, server: Serving, length: int, seconds: float) -> Measured:
    offered = Offered(server.port, HEADERS, iter(database.take(length, offered_in(seconds))), A_SECOND)
    gc.collect()
    gc.disable()  # the client's is no part of an answer's time
    with database.put_back_afterwards():
        web, postgres = processor_time.of_server(server), processor_time.of_database()
        milliseconds = offered.run(for_seconds(seconds))
        web, postgres = processor_time.of_server(server) - web, processor_time.of_database() - postgres
    gc.enable()
    p50, p95, p99 = (percentile(milliseconds, share) for share in (50, 95, 99))
    return Measured(
        calls=len(milliseconds),
        p50=p50,
        p95=p95,
        p99=p99,
        web_cpu=1000 * web / len(milliseconds),
        database_cpu=1000 * postgres / len(milliseconds),
    )


def times_table(names: list[str], measured: dict[tuple[int, str], list[Measured]]) -> list[list[str]]:
    ratios = [f"x p99 of {names[0]}", f"x p99 of {SHORT} cycles"]
    rows = [["", "calls", *COLUMNS.values(), *ratios, "p99 of each round"]]
    for (length, name), rounds in measured.items():
        medians = [statistics.median(getattr(each, column) for each in rounds) for column in COLUMNS]
        ratios = [f"{ratio(rounds, other):.2f}" for other in (measured[length, names[0]], measured[SHORT, name])]
        rows.append(
            [
                f"{length} cycles, {name}",
                f"{sum(each.calls for each in rounds):,}",
                *(f"{number:.2f}" for number in medians),
                *ratios,
                ", ".join(f"{each.p99:.1f}" for each in rounds),
            ]
        )
    return rows


def ratio(rounds: list[Measured], others: list[Measured]) -> float:
    """The median of the ratios of p99 in each round: both had the machine in the same state."""
    return statistics.median(one.p99 / other.p99 for one, other in zip(rounds, others, strict=True))


def flat_note(loaded: dict[str, Loaded], warmed: str) -> str:
    large = list(loaded.values())[-1]
    sizes = " and ".join(f"{each.bytes / 2**20:,.0f} MB ({name})" for name, each in loaded.items())
    return (
        f"unEnroll over HTTP with Basic, {A_SECOND} offered a second, each from the instant it was due. Medians of "
        f"{ROUNDS} rounds of {SECONDS:g} seconds, in which contenders take turns; ratios are of the same round. "
        "Customers are taken by chance from the whole table, each once in a turn, and put back after it. Databases of "
        f"{sizes} in one PostgreSQL with shared_buffers of {large.shared_buffers}; {WORKERS} web processes for each. "
        f"Before the first round the tables that a call reads and the indexes that it writes ({warmed}) were read once "
        "from end to end, so that the operating system has as much of them at hand as it can; in PostgreSQL's own "
        "buffers the small database lies whole, of the large one what calls have needed. Then each was called for "
        f"{WARM_UP:g} seconds. A checkpoint before each round. Client, servers and database share the processors."
    )
