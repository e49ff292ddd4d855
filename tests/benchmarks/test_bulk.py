"""`make bench`: what unenrolling a whole programme costs, beside plain SQL that writes the same rows.

BULK_CUSTOMERS sets how many customers each contender unenrols in a round (50,000), BULK_ROUNDS how many rounds (3).
"""

import itertools
import json
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
from django.db import connection, transaction

from enrollments.batch import CUSTOMERS_AT_ONCE
from enrollments.integrity import all_violations
from enrollments.management.commands.unenroll import CONNECTIONS
from enrollments.models import Receipt, Stay
from tests.benchmarks.commanding import Commanded, start_of_command, unenroll, write_ids
from tests.benchmarks.contenders import PRODUCTION, WORKERS, Credentials
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.offered import Offered
from tests.benchmarks.processor_time import of_database, of_server
from tests.benchmarks.test_benchmarks import publish
from tests.concurrency.workers import url_of_this_database
from tests.serving import Serving, served, serving, site

CUSTOMERS = int(os.environ.get("BULK_CUSTOMERS", "50000"))
ROUNDS = int(os.environ.get("BULK_ROUNDS", "3"))
CALL_ROUNDS = 7
A_SECOND = 50  # single calls of others
SECONDS_WITHOUT = 20  # of them alone, in each round
MEANWHILE = min(CUSTOMERS, 200_000)  # unenrolled by the command meanwhile, in each round

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True), pytest.mark.timeout(0)]

# The least that writes the same rows; it looks up nothing, and refuses nobody.
PLAIN = """
WITH leaving AS (
  SELECT participation.id AS participation_id, participation.brand_id, stay.id AS stay_id
    FROM floor_asked asked
    JOIN targets_customer customer ON customer.brand_id = %(brand)s AND customer.customer_id = asked.number
    JOIN enrollments_participation participation
      ON participation.customer_id = customer.id AND participation.target_id = %(target)s
    JOIN enrollments_stay stay ON stay.participation_id = participation.id AND stay.end_cycle IS NULL
   ORDER BY participation.id FOR NO KEY UPDATE OF participation
), written AS (
  INSERT INTO enrollments_receipt (brand_id, participation_id, stay_id, kind, batch_id, effective_at, recorded_at,
      source, actor, reason, request_id, run_number, streak_count, cycle_count, from_cycle, first_cycle, end_cycle,
      running_cycle, running_value, running_verdict, ignored_fields)
  SELECT brand_id, participation_id, stay_id, 'UNENROLLED', %(batch)s, %(at)s, %(at)s, 'COMMAND', 'bench', '', '', 1, 0,
         5, 1, 1, 1, 1, 1, 'left', '{}' FROM leaving
  RETURNING id, stay_id, participation_id
), stay AS (
  UPDATE enrollments_stay stay SET end_cycle = 1, left_at = %(at)s, leave_receipt_id = written.id
    FROM written WHERE stay.id = written.stay_id
)
UPDATE enrollments_participation participation SET changed_at = %(at)s
  FROM written WHERE participation.id = written.participation_id
"""

COMMAND, PLANNED, APPLIED = "unenroll --file", "unenroll --plan: nothing is written", "unenroll --apply"
CALLED, FORESEEN = "unEnroll/bulk over HTTP", "unEnroll/bulk with dryRun: nothing is written"
CHUNKED, AT_ONCE = "floor: the same rows by plain SQL, in the same chunks", "the same rows by plain SQL at once"


class Shares:
    """Who is unenrolled by whom: each contender has customers of his own in each round, all in one programme."""

    def __init__(self, shares: int, others: int) -> None:
        self.crowd = Crowd()
        self.crowd.enrol(shares * CUSTOMERS + others)
        self.crowd.analyze()
        with connection.cursor() as cursor:
            cursor.execute("CHECKPOINT")  # else the first contender waits for what the crowd has written
        self.left = 0

    def next(self, count: int = CUSTOMERS) -> range:
        self.left += count
        return range(self.left - count + 1, self.left + 1)

    @property
    def names(self) -> list[str]:
        target = self.crowd.target
        return [f"--target-group={target.target_group_id}", f"--target={target.pk}"]


def plain_sql(crowd: Crowd, numbers: range, sizes: Sequence[int]) -> Commanded:
    """In chunks of these sizes."""
    names = {"brand": crowd.brand.pk, "target": crowd.target.pk, "batch": uuid4()}
    rest, longest = iter(numbers), 0.0
    start, cpu = time.perf_counter(), time.process_time() + of_database()
    for size in sizes:
        lines = StringIO("".join(f"{number}\n" for number in itertools.islice(rest, size)))
        begun_at = time.perf_counter()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE floor_asked (number bigint) ON COMMIT DROP")
            cursor.copy_expert("COPY floor_asked FROM STDIN", lines)
            cursor.execute(PLAIN, names | {"at": datetime.now(UTC)})
        longest = max(longest, time.perf_counter() - begun_at)
    seconds = time.perf_counter() - start
    return Commanded(seconds, time.process_time() + of_database() - cpu, 0, longest)


def chunk_sizes(numbers: range, crowd: Crowd) -> list[int]:
    """Of the chunks in which these have left."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM enrollments_receipt receipt"
            "  JOIN enrollments_participation participation ON participation.id = receipt.participation_id"
            "  JOIN targets_customer customer ON customer.id = participation.customer_id"
            " WHERE receipt.brand_id = %s AND customer.customer_id BETWEEN %s AND %s"
            " GROUP BY receipt.transaction_id ORDER BY receipt.transaction_id",
            [crowd.brand.pk, numbers[0], numbers[-1]],
        )
        return [count for (count,) in cursor.fetchall()]


def test_bulk(tmp_path: Path) -> None:
    shares = Shares(4 * ROUNDS, 0)
    done: defaultdict[str, list[Commanded]] = defaultdict(list)
    sizes: list[int] = []
    for each_round in range(ROUNDS):
        report, plan = tmp_path / "report.csv", tmp_path / f"{each_round}.csv"

        numbers = shares.next()
        ids = write_ids(tmp_path / "ids.csv", numbers)
        done[COMMAND].append(unenroll(*shares.names, f"--file={ids}", report=report))
        sizes = chunk_sizes(numbers, shares.crowd)

        done[CHUNKED].append(plain_sql(shares.crowd, shares.next(), sizes))
        done[AT_ONCE].append(plain_sql(shares.crowd, shares.next(), [CUSTOMERS]))

        ids = write_ids(tmp_path / "ids.csv", shares.next())
        done[PLANNED].append(unenroll(*shares.names, f"--file={ids}", f"--plan={plan}", report=report))
        done[APPLIED].append(unenroll(f"--apply={plan}", report=report))
    publish("Bulk", table(done), note=note(sizes))

    assert Receipt.objects.count() == Stay.objects.filter(left_at__isnull=False).count() == shares.left
    shares.crowd.analyze()  # or the checks take for ever
    assert list(all_violations()) == []


def table(done: dict[str, list[Commanded]]) -> list[list[str]]:
    rows = [
        ["", "seconds", "customers a second", "x floor", "CPU, s", "x floor's", "longest transaction, s", "client, MB"]
    ]
    for name, rounds in done.items():
        median = statistics.median(each.seconds for each in rounds)
        ratio = statistics.median(
            each.seconds / floor.seconds for each, floor in zip(rounds, done[CHUNKED], strict=True)
        )
        cpu = statistics.median(each.cpu_seconds for each in rounds)
        cpu_ratio = cpu / statistics.median(each.cpu_seconds for each in done[CHUNKED])
        longest = max(each.longest_transaction for each in rounds)
        megabytes = max(each.megabytes for each in rounds)
        numbers = [f"{median:.1f}", f"{CUSTOMERS / median:,.0f}", f"{ratio:.2f}", f"{cpu:.1f}", f"{cpu_ratio:.2f}"]
        rows.append([name, *numbers, f"{longest:.2f}", f"{megabytes:.0f}" if megabytes else ""])
    return rows


def note(sizes: Sequence[int]) -> str:
    return (
        f"{CUSTOMERS:,} customers each, medians of {ROUNDS} rounds in which contenders take turns; of all transactions "
        f"the longest, and the most memory. The command is a process of its own with {CONNECTIONS} connections, where "
        f"plain SQL has one; {start_of_command():.1f} seconds of its time are its start. Its chunks of the last round: "
        f"{len(sizes)}, of {statistics.median(sizes):,.0f} customers in the median and {CUSTOMERS_AT_ONCE:,} at most. "
        f"CPU: of client and database together."
    )


def aside(*arguments: str, report: Path) -> Commanded:
    """`unenroll`, in a thread, whose connection would keep the database from being dropped."""
    try:
        return unenroll(*arguments, report=report)
    finally:
        connection.close()


def test_call_for_ten_thousand(tmp_path: Path) -> None:
    """As many as one call takes, in its one transaction, over HTTP."""
    shares = Shares(0, 2 * CALL_ROUNDS * CUSTOMERS_AT_ONCE)
    done: defaultdict[str, list[Commanded]] = defaultdict(list)
    target, secret = shares.crowd.target, Credentials.of(shares.crowd.brand).basic()
    with serving(tmp_path / "log", site(WORKERS), PRODUCTION | {"DATABASE_URL": url_of_this_database()}) as server:
        address = f"http://127.0.0.1:{server.port}/v3/targetGroups/{target.target_group_id}/targets/{target.pk}"
        for _ in range(CALL_ROUNDS):
            numbers = shares.next(CUSTOMERS_AT_ONCE)
            for name, dry_run in ((FORESEEN, True), (CALLED, False)):
                body = json.dumps({"customerIds": list(numbers), "dryRun": dry_run}).encode()
                done[name].append(timed_call(server, f"{address}/unEnroll/bulk", secret, body))
            done[AT_ONCE].append(plain_sql(shares.crowd, shares.next(CUSTOMERS_AT_ONCE), [CUSTOMERS_AT_ONCE]))
    floor = statistics.median(each.seconds for each in done[AT_ONCE])
    rows = [["", "ms", "x floor", "CPU ms"]]
    for name, rounds in done.items():
        median = statistics.median(each.seconds for each in rounds)
        cpu = statistics.median(each.cpu_seconds for each in rounds)
        rows.append([name, f"{1000 * median:.0f}", f"{median / floor:.2f}", f"{1000 * cpu:.0f}"])
    publish(
        "Ten thousand in one call",
        rows,
        note=f"Medians of {CALL_ROUNDS} rounds, in which contenders take turns. CPU: of server and database together.",
    )

    assert Receipt.objects.count() == Stay.objects.filter(left_at__isnull=False).count() == shares.left
    shares.crowd.analyze()  # or the checks take for ever
    assert list(all_violations()) == []


def timed_call(server: Serving, url: str, secret: str, body: bytes) -> Commanded:
    """A call that finds everybody enrolled."""
    headers = {"Authorization": secret, "Content-Type": "application/json", "X-Forwarded-Proto": "https"}
    request = Request(url, data=body, headers=headers)  # noqa: S310 - the server that we started
    cpu, start = of_server(server) + of_database(), time.perf_counter()
    with urlopen(request) as answer:  # noqa: S310 - the server that we started
        totals = json.load(answer)["data"]["totals"]
    seconds = time.perf_counter() - start
    assert totals["unenrolled"] == CUSTOMERS_AT_ONCE
    return Commanded(seconds, of_server(server) + of_database() - cpu, 0, seconds)


def test_single_calls_meanwhile(tmp_path: Path) -> None:
    calls = ROUNDS * A_SECOND * (SECONDS_WITHOUT + 10 + MEANWHILE // 2_000)
    shares = Shares(0, ROUNDS * MEANWHILE + calls)
    alone: list[float] = []
    meanwhile: list[float] = []
    environment = PRODUCTION | {"DATABASE_URL": url_of_this_database()}
    with served(tmp_path / "log", workers=WORKERS, environment=environment) as port:
        target = shares.crowd.target
        path = f"/v3/targetGroups/{target.target_group_id}/targets/{target.pk}/unEnroll"
        headers = {
            "Authorization": Credentials.of(shares.crowd.brand).basic(),
            "Content-Type": "application/json",
            "X-Forwarded-Proto": "https",
        }
        calls_of_others = ((path, number) for number in itertools.count(ROUNDS * MEANWHILE + 1))
        others = Offered(port, headers, calls_of_others, A_SECOND)
        others.run(for_seconds(2))  # the first calls of a server are slower
        for _ in range(ROUNDS):
            alone += others.run(for_seconds(SECONDS_WITHOUT))
            ids = write_ids(tmp_path / "ids.csv", shares.next(MEANWHILE))
            with ThreadPoolExecutor() as commander:
                under_way = commander.submit(aside, *shares.names, f"--file={ids}", report=tmp_path / "report.csv")
                meanwhile += others.run(lambda command=under_way: not command.done())
                under_way.result()
    rows = [["", "calls", "p50 ms", "p95 ms", "p99 ms", "longest ms", "x p99 alone"]]
    for name, each in {"alone": alone, f"while {MEANWHILE:,} are unenrolled": meanwhile}.items():
        ratio = f"{percentile(each, 99) / percentile(alone, 99):.2f}"
        rows.append([name, f"{len(each):,}", *(f"{percentile(each, share):.1f}" for share in (50, 95, 99, 100)), ratio])
    publish(
        "Single calls while many are unenrolled",
        rows,
        note=f"unEnroll of other customers of the same programme over HTTP, {A_SECOND} offered a second, each from the "
        f"instant it was due. {ROUNDS} rounds of {SECONDS_WITHOUT} seconds alone and of the command. Client, server, "
        "command and database share the processors.",
    )
    shares.crowd.analyze()  # or the checks take for ever
    assert list(all_violations()) == []


def for_seconds(seconds: float) -> Callable[[], bool]:
    ends_at = time.perf_counter() + seconds
    return lambda: time.perf_counter() < ends_at


def percentile(milliseconds: Sequence[float], share: int) -> float:
    """The least that `share` percent do not exceed."""
    return sorted(milliseconds)[max(0, -(-len(milliseconds) * share // 100) - 1)]
