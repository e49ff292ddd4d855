"""`unEnroll` over HTTP, beside peers and the floor. Measures and reports; asserts no time.

Short by default. BENCH_SECONDS for each measurement, BENCH_ROUNDS, BENCH_CONNECTIONS make it longer.
"""

import os

import pytest

from enrollments.enums import ReceiptKind
from enrollments.integrity import all_violations
from enrollments.models import Receipt, Stay
from tests.benchmarks import floor
from tests.benchmarks.comparison import Comparison
from tests.benchmarks.contenders import CONTENDERS, WORKERS, Credentials, has_peers
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.test_benchmarks import publish

SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
CONNECTIONS = [int(number) for number in os.environ.get("BENCH_CONNECTIONS", "1,8,32").split(",")]
BYSTANDERS = 20_000  # customers who are in the programme all the time

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True), pytest.mark.timeout(0)]


def test_over_http():
    if not has_peers():
        pytest.skip("what requirements-bench.txt pins is not installed")
    crowd = Crowd()
    crowd.enrol(BYSTANDERS)
    present = [each for each in CONTENDERS if each.server != "pgbench" or floor.pgbench()]
    comparison = Comparison(present, CONNECTIONS, crowd, Credentials.of(crowd.brand))
    comparison.run(seconds=SECONDS, rounds=ROUNDS)
    publish("Over HTTP", comparison.table(), note=note(comparison))

    assert Receipt.objects.filter(kind=ReceiptKind.UNENROLLED).count() == comparison.changes
    assert Stay.objects.filter(left_at__isnull=False).count() == comparison.changes
    assert list(all_violations()) == []


def note(comparison: Comparison) -> str:
    missing = "" if floor.pgbench() else " pgbench is not installed here: there is no floor."
    return (
        f"Medians of {ROUNDS} rounds of {SECONDS:g} seconds, in which contenders take turns. {WORKERS} processes "
        f"each. {comparison.crowd.customers:,} customers, each unenrolled once at most. Client, servers and database "
        f"share the processors. Ratios are of requests a second, of the same round.{missing}"
    )
