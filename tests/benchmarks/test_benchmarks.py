"""`make bench`: what a call and a close cost. Measures and writes docs/benchmarks.md; asserts no time.

In one process and without a network: the whole stack from the WSGI request to the committed transaction.
"""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import django
import pytest
from django.db import connection, transaction
from rich.console import Console
from rich.table import Table

from enrollments.models import Stay
from enrollments.operations import enroll, unenroll
from targets.enums import Allocation
from targets.models import ApiUser, Customer
from targets.operations import take_units
from targets.quota import WINDOW_SECONDS, Leases
from tests.conftest import SECRET
from tests.factories import START, ApiUserFactory, BrandFactory, make_programme

CALLS = 200  # in a round
ROUNDS = 5
IN_A_BATCH = 100
DAY = timedelta(days=1)
NOW = START + 2 * DAY
REPORT = Path(__file__).parents[2] / "docs" / "benchmarks.md"

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]


@dataclass
class Contender:
    """`rounds` yields, for each round, the calls to be timed one by one."""

    name: str
    rounds: Iterator[list[Callable[[], object]]]
    of: int = 1  # things done by one call: the time is that of one
    milliseconds: list[float] = field(default_factory=list)
    cpu_milliseconds: list[float] = field(default_factory=list)

    def run_round(self) -> None:
        calls = next(self.rounds)
        cpu = time.process_time()
        for call in calls:
            start = time.perf_counter()
            call()
            self.milliseconds.append(1000 * (time.perf_counter() - start) / self.of)
        self.cpu_milliseconds.append(1000 * (time.process_time() - cpu) / len(calls) / self.of)


class Bench:
    """A brand with an API user, and as many enrolled customers as are asked for."""

    def __init__(self, client_of):
        self.brand = BrandFactory(sandbox=True, clock_at=NOW)
        self.client = client_of(ApiUserFactory(brand=self.brand).user.username, SECRET)
        self.customers = 0
        self.events = 0

    def customer(self) -> Customer:
        self.customers += 1
        return Customer.objects.create(brand=self.brand, customer_id=self.customers)

    def enrolled(self, target) -> Customer:
        customer = self.customer()
        enroll(customer=customer, target=target, at=START, by="bench", source="API")
        return customer

    def post(self, path, body):
        response = self.client.post(path, body, format="json")
        assert response.status_code == 200, response.content

    def http(self, target, call) -> Iterator[list[Callable[[], object]]]:
        """`call` of one enrolled customer each."""
        path = f"/v3/targetGroups/{target.target_group_id}/targets/{target.pk}/{call}"
        while True:
            customers = [self.enrolled(target) for _ in range(CALLS)]
            yield [lambda each=each: self.post(path, [{"customerId": each.customer_id}]) for each in customers]

    def activities(self, target) -> Iterator[list[Callable[[], object]]]:
        while True:
            customers = [self.enrolled(target) for _ in range(CALLS)]
            yield [lambda each=each: self.buy(each) for each in customers]

    def buy(self, customer):
        self.post("/v3/activities", self.purchase(customer))

    def purchase(self, customer):
        self.events += 1
        event = {"eventId": f"e{self.events}", "eventName": "purchase", "occurredAt": NOW.isoformat()}
        return event | {"customerId": customer.customer_id}

    def batches(self, target) -> Iterator[list[Callable[[], object]]]:
        """A batch of activities, each of another customer; the time is that of one activity."""
        while True:
            customers = [self.enrolled(target) for _ in range(IN_A_BATCH)]
            yield [lambda who=customers: self.post("/v3/activities", [self.purchase(each) for each in who])] * 2

    def groups(self, targets) -> Iterator[list[Callable[[], object]]]:
        """All programmes of one customer, as the published call reads them."""
        while True:
            customer = self.enrolled(targets[0])
            for target in targets[1:]:
                enroll(customer=customer, target=target, at=START, by="bench", source="API")
            path = f"/v3/users/{customer.customer_id}/targetGroups?includeInactive=true"
            yield [lambda path=path: self.read(path)] * CALLS

    def customers_read(self) -> Iterator[list[Callable[[], object]]]:
        path = f"/v3/customers/{self.customer().customer_id}"
        return repeated(lambda: self.read(path))

    def read(self, path):
        response = self.client.get(path)
        assert response.status_code == 200, response.content

    def counting_floor(self, target) -> Iterator[list[Callable[[], object]]]:
        """The least SQL that counts: lock, activity, progress, outcome, in one transaction."""
        while True:
            customers = [self.enrolled(target) for _ in range(CALLS)]
            yield [lambda each=each: self.least_counting(each, target) for each in customers]

    def least_counting(self, customer, target):
        self.events += 1
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM enrollments_participation WHERE customer_id = %s AND target_id = %s FOR NO KEY UPDATE",
                [customer.pk, target.pk],
            )
            [participation_id] = cursor.fetchone()
            cursor.execute(
                "INSERT INTO enrollments_activity (brand_id, customer_id, event_id, event_name, occurred_at,"
                " attributes, recorded_at, not_counted) VALUES (%s, %s, %s, 'purchase', %s, '{}', %s, '') RETURNING id",
                [self.brand.pk, customer.pk, f"f{self.events}", NOW, NOW],
            )
            [activity_id] = cursor.fetchone()
            cursor.execute(
                "INSERT INTO enrollments_progress (participation_id, run_number, cycle_number, value, adjustment)"
                " VALUES (%s, 1, 1, 1, 0) ON CONFLICT (participation_id, run_number, cycle_number)"
                " DO UPDATE SET value = enrollments_progress.value + 1",
                [participation_id],
            )
            cursor.execute(
                "INSERT INTO enrollments_activityoutcome (activity_id, participation_id, run_number, cycle_number,"
                " reason, delta, value, achieved, grant_ids) VALUES (%s, %s, 1, 1, '', 1, 1, false, '{}')",
                [activity_id, participation_id],
            )

    def reading_floor(self, targets) -> Iterator[list[Callable[[], object]]]:
        """The least SQL that reads them: one join of all that the answer is made of."""
        while True:
            customer = self.enrolled(targets[0])
            for target in targets[1:]:
                enroll(customer=customer, target=target, at=START, by="bench", source="API")
            yield [lambda who=customer: least_reading(who)] * CALLS

    def operation(self, target) -> Iterator[list[Callable[[], object]]]:
        """The operation alone, without HTTP."""
        while True:
            customers = [self.enrolled(target) for _ in range(CALLS)]
            yield [
                lambda each=each: unenroll(customer=each, target=target, at=NOW, by="bench", source="API")
                for each in customers
            ]

    def floor(self, target) -> Iterator[list[Callable[[], object]]]:
        """The least SQL that is correct: lock, receipt, stay, in one transaction."""
        while True:
            stays = [Stay.objects.get(participation__customer=self.enrolled(target)) for _ in range(CALLS)]
            yield [lambda each=each: least_sql(each) for each in stays]


def least_reading(customer):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM enrollments_participation participation"
            " JOIN targets_target target ON target.id = participation.target_id"
            " JOIN targets_targetgroup target_group ON target_group.id = target.target_group_id"
            " JOIN targets_cycle cycle ON cycle.target_group_id = target_group.id"
            " JOIN targets_targetvalue value ON value.target_id = target.id AND value.cycle_id = cycle.id"
            " JOIN enrollments_stay stay ON stay.participation_id = participation.id"
            " LEFT JOIN enrollments_progress progress ON progress.participation_id = participation.id"
            "  AND progress.cycle_number = cycle.number WHERE participation.customer_id = %s",
            [customer.pk],
        )
        cursor.fetchall()


def least_sql(stay):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT FROM enrollments_participation WHERE id = %s FOR NO KEY UPDATE", [stay.participation_id])
        cursor.execute(
            "INSERT INTO enrollments_receipt (brand_id, participation_id, stay_id, kind, effective_at, recorded_at,"
            " source, actor, reason, request_id, run_number, streak_count, cycle_count, from_cycle, first_cycle,"
            " end_cycle, running_cycle, running_value, running_verdict, ignored_fields)"
            " SELECT brand_id, id, %s, 'UNENROLLED', %s, %s, 'API', 'bench', '', '', 1, 0, 5, 1, 1, 1, 1, 0, 'left',"
            " '{}' FROM enrollments_participation WHERE id = %s RETURNING id",
            [stay.pk, NOW, NOW, stay.participation_id],
        )
        receipt_id = cursor.fetchone()[0]
        cursor.execute(
            "UPDATE enrollments_stay SET end_cycle = 1, left_at = %s, leave_receipt_id = %s WHERE id = %s",
            [NOW, receipt_id, stay.pk],
        )


def test_calls(client_of):
    bench = Bench(client_of)
    short, long = (make_programme(brand=bench.brand, cycles=cycles) for cycles in (5, 100))
    forfeiting = make_programme(brand=bench.brand, allocation=Allocation.PERIOD_END)
    contenders = [
        Contender("unEnroll over HTTP, 5 cycles", bench.http(short, "unEnroll")),
        Contender("unEnroll over HTTP, 100 cycles", bench.http(long, "unEnroll")),
        Contender("unEnroll/preview over HTTP, 5 cycles", bench.http(forfeiting, "unEnroll/preview")),
        Contender("unenroll(), without HTTP", bench.operation(short)),
        Contender("floor: three statements of plain SQL", bench.floor(short)),
    ]
    compare("Calls", contenders)

    assert timed(contenders) == [CALLS * ROUNDS] * len(contenders)


def test_activities(client_of):
    bench = Bench(client_of)
    target = make_programme(brand=bench.brand, target_value=Decimal(1000))
    batches = Contender(f"one of {IN_A_BATCH} activities in a batch", bench.batches(target), of=IN_A_BATCH)
    single = Contender("one activity over HTTP", bench.activities(target))
    contenders = [single, batches, Contender("floor: four statements of SQL", bench.counting_floor(target))]
    compare("Activities", contenders)

    assert timed(contenders) == [CALLS * ROUNDS, 2 * ROUNDS, CALLS * ROUNDS]


def test_reading(client_of):
    bench = Bench(client_of)
    targets = [make_programme(brand=bench.brand, cycles=12) for _ in range(10)]
    calls = Contender("users/{id}/targetGroups, 10 programmes of 12 cycles", bench.groups(targets))
    contenders = [calls, Contender("floor: one join", bench.reading_floor(targets))]
    compare("Reading", contenders)

    assert timed(contenders) == [CALLS * ROUNDS] * 2


def test_quota(client_of):
    """What throttling adds to a cheap call, and where it is spent."""
    free, limited = Bench(client_of), Bench(client_of)
    ApiUser.objects.filter(brand=free.brand).update(requests_per_minute=0)
    ApiUser.objects.filter(brand=limited.brand).update(requests_per_minute=1_000_000)
    api_user, leases = ApiUser.objects.get(brand=limited.brand), Leases()
    window = int(datetime.now(UTC).timestamp()) // WINDOW_SECONDS
    contenders = [
        Contender("a unit from a lease", repeated(lambda: leases.spend(api_user, units=1, at=datetime.now(UTC)))),
        Contender("a unit from the database", repeated(lambda: one_unit(api_user, window))),
        Contender("a customer read, with a quota", limited.customers_read()),
        Contender("a customer read, without", free.customers_read()),
    ]
    compare("Quota", contenders)

    assert timed(contenders) == [CALLS * ROUNDS] * len(contenders)


def repeated(call) -> Iterator[list[Callable[[], object]]]:
    while True:
        yield [call] * CALLS


def one_unit(api_user, window):
    return take_units(api_user_id=api_user.pk, quota=1_000_000, units=1, window=window)


def timed(contenders):
    """How many calls of each."""
    return [len(each.milliseconds) for each in contenders]


def compare(title, contenders):
    """The last one is the floor."""
    for _ in range(ROUNDS):
        for contender in contenders:
            contender.run_round()

    publish(title, calls_table(contenders))


def calls_table(contenders):
    floor = statistics.median(contenders[-1].milliseconds)
    rows = [["", "median ms", "p99 ms", "CPU ms", "x floor"]]
    for each in contenders:
        median = statistics.median(each.milliseconds)
        p99 = statistics.quantiles(each.milliseconds, n=100)[98]
        cpu = statistics.median(each.cpu_milliseconds)
        rows.append([each.name, f"{median:.2f}", f"{p99:.2f}", f"{cpu:.2f}", f"{median / floor:.1f}"])
    return rows


def publish(title, rows, note=""):
    """Print the table, and put it into its section of the report, below the note."""
    table = Table(*rows[0], title=title)
    for row in rows[1:]:
        table.add_row(*row)
    Console(stderr=True).print(table)
    lines = [f"## {title}", "", *([note, ""] if note else []), *markdown(rows), "", *environment(), ""]
    sections = REPORT.read_text().split("\n## ") if REPORT.exists() else ["# Benchmarks\n\nWritten by `make bench`.\n"]
    kept = [section for section in sections[1:] if not section.startswith(f"{title}\n")]
    REPORT.write_text("\n## ".join([sections[0], *sorted([*kept, "\n".join(lines)[3:]])]))


def markdown(rows):
    yield "| " + " | ".join(rows[0]) + " |"
    yield "|---" + "|---:" * (len(rows[0]) - 1) + "|"
    yield from ("| " + " | ".join(row) + " |" for row in rows[1:])


def environment():
    with connection.cursor() as cursor:
        names = ("server_version", "shared_buffers", "synchronous_commit")
        cursor.execute(f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}")
        version, buffers, waits = cursor.fetchone()
    yield (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}, Django {django.__version__}, PostgreSQL {version.split()[0]} "
        f"(shared_buffers {buffers}, synchronous_commit {waits})."
    )
