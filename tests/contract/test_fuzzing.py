"""Random requests to a running server: each is answered, as the document says, and nothing is our fault."""

import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from targets.answers import json_bytes
from targets.models import StoredAnswer
from tests.concurrency.workers import url_of_this_database
from tests.conftest import basic
from tests.factories import SECRET, START, ApiUserFactory, BrandFactory
from tests.fuzzing.caller import OPERATIONS, Caller
from tests.fuzzing.conversation import converse
from tests.serving import served

THIS_SOAK = "tests/contract/test_fuzzing.py::test_many_more_random_conversations_find_nothing[0]"
PARTS = 2
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "50000"))
SHOWN = 20  # findings, of different kinds

# So that there is something else to see than refusals. Commits need not survive a crash of a test's database.
LIMITLESS = {"REQUESTS_PER_MINUTE": "0", "GUESSES_PER_USER": "1000000/minute", "GUESSES_PER_ADDRESS": "1000000/minute"}
FAST = "&options=-c%20synchronous_commit%3Doff"


@contextmanager
def caller_of_a_server(log: Path) -> Iterator[Caller]:
    """Of a server as `make run` starts it; afterwards nothing has been found, nor is there anything to be found."""
    environment = LIMITLESS | {"DATABASE_URL": url_of_this_database() + FAST}
    with served(log, workers=2, environment=environment) as port:
        caller = Caller(f"http://127.0.0.1:{port}")
        yield caller
    assert kinds(caller) == {}, report(caller)
    said = log.read_text()
    assert [
        line for line in said.splitlines() if "Traceback" in line or " ERROR " in line or "[ERROR]" in line
    ] == [], said[-10_000:]
    table = StringIO()
    try:
        call_command("check_integrity", stdout=table)
    except SystemExit:
        pytest.fail(table.getvalue())
    assert not StoredAnswer.objects.filter(status=None).exists()


def kinds(caller: Caller) -> dict[str, int]:
    """How often what was found, by its first line."""
    found: dict[str, int] = {}
    for each in caller.findings:
        kind = each.what.partition("\n")[0][:120]
        found[kind] = found.get(kind, 0) + 1
    return found


def report(caller: Caller) -> str:
    """The first of each kind, and how to see it again."""
    firsts = {each.what.partition("\n")[0][:120]: each for each in reversed(caller.findings)}
    return "\n\n".join(
        f"{each}\n  To repeat: MILESTREAK_SEED={each.seed} FUZZ_REQUESTS=1 pytest --soak '{THIS_SOAK}'"
        for each in list(firsts.values())[:SHOWN]
    )


def share_of_successes(caller: Caller) -> float:
    return sum(count for status, count in caller.statuses.items() if 200 <= status < 300) / caller.sent


@pytest.mark.timeout(300)
def test_random_conversations_find_nothing(transactional_db, tmp_path):
    with caller_of_a_server(tmp_path / "log") as caller:
        for each in range(2):
            converse(caller, each)

    assert share_of_successes(caller) > 0.2, caller.statuses


def raises(*arguments: object) -> None:
    raise ZeroDivisionError


def without_warnings(value: dict[str, object]) -> bytes:
    return json_bytes({name: each for name, each in value.items() if name != "warnings"})


def with_more_than_documented(value: dict[str, object]) -> bytes:
    return json_bytes(value | {"data": {"now": "soon", "sandbox": True}})


@pytest.mark.parametrize(
    ("name", "broken", "found"),
    [
        ("enrollments.api.clock.brand_now", raises, {"Status 500"}),
        ("targets.answers.json_bytes", without_warnings, {"Not in the envelope, 200", "GET /v3/clock"}),
        ("targets.answers.json_bytes", with_more_than_documented, {"GET /v3/clock"}),
    ],
    ids=["failure", "envelope", "form"],
)
def test_what_goes_wrong_is_found(live_server, monkeypatch, name, broken, found):
    monkeypatch.setattr(name, broken)
    api_user = ApiUserFactory(brand=BrandFactory(sandbox=True, clock_at=START))
    caller = Caller(live_server.url)

    caller.call(OPERATIONS["readClock"].Case(), {"Authorization": basic(api_user.user.username, SECRET)})

    assert {each.what.partition(":")[0] for each in caller.findings} == found
    assert all("curl -i -X GET" in each.request for each in caller.findings)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_many_more_random_conversations_find_nothing(transactional_db, tmp_path, capfd, part):
    """50,000 requests (FUZZ_REQUESTS), others each time; MILESTREAK_SEED=n begins with those of that seed."""
    wanted = REQUESTS // PARTS + part * (REQUESTS % PARTS)
    seed = int(os.environ.get("MILESTREAK_SEED", secrets.randbelow(10**9))) + part * 10**9
    started_at = time.monotonic()

    with caller_of_a_server(tmp_path / "log") as caller:
        while caller.sent < max(wanted, 1):
            converse(caller, seed)
            seed += 1
            with capfd.disabled():
                tell(part, caller, wanted, time.monotonic() - started_at)

    assert caller.sent >= wanted
    assert share_of_successes(caller) > 0.2, caller.statuses
    if wanted > 5000:
        assert set(OPERATIONS) - set(caller.served) == set()


def tell(part: int, caller: Caller, wanted: int, seconds: float) -> None:
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(caller.statuses.items()))
    print(
        f"part {part}, seed {caller.seed}: {caller.sent:,} of {wanted:,} requests in {seconds:.0f} s, "
        f"found {kinds(caller) or 'nothing'}; {statuses}",
        file=sys.stderr,
        flush=True,
    )
