"""`make load STAYS=... CUSTOMERS=...`: a brand as large as is asked for, by INSERT ... SELECT alone, and valid.

What it makes is what years of calls would have left: participations in the order in which people joined, receipts of
joining and of leaving, progress of balances and of activities, rewards. `check_integrity` finds nothing in it.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter
from typing import Any

import django
from django.db import connection, transaction

ONE_TRANSACTION = 50_000  # stays
CYCLES = 12
CYCLE = timedelta(days=30)

CUSTOMERS = """
INSERT INTO targets_customer (id, brand_id, customer_id, external_id, first_name, last_name, email, mobile, created_at)
SELECT %(customer)s + n, %(brand)s, n, 'crm-' || n, 'Noor', 'No. ' || n, 'noor.' || n || '@example.org', '', %(start)s
  FROM generate_series(%(first)s, %(last)s) n
"""

# All customers join their first programme, then all their next one, so that the rows of one customer lie as far apart
# as years of joining put them. Some have achieved the first cycle, every tenth has left in the running one.
PARTICIPATIONS = """
INSERT INTO enrollments_participation
  (id, brand_id, customer_id, target_id, run_number, first_enrolled_at, changed_at, closed_through)
SELECT %(participation)s + n, %(brand)s, %(customer)s + (n - 1) %% %(customers)s + 1,
       (%(targets)s::bigint[])[
         ((n - 1) %% %(customers)s + (n - 1) / %(customers)s * %(step)s) %% %(programmes)s + 1],
       1, %(start)s, CASE WHEN n %% 10 = 5 THEN %(left_at)s ELSE %(start)s END, 0
  FROM generate_series(%(first)s, %(last)s) n
"""
RUNS = """
INSERT INTO enrollments_run (participation_id, number, started_at)
SELECT %(participation)s + n, 1, %(start)s FROM generate_series(%(first)s, %(last)s) n
"""
STAYS = """
INSERT INTO enrollments_stay
  (id, participation_id, run_number, first_cycle, end_cycle, enrolled_at, left_at, leave_receipt_id)
SELECT %(stay)s + n, %(participation)s + n, 1, 1, CASE WHEN n %% 10 = 5 THEN %(running)s END, %(start)s,
       CASE WHEN n %% 10 = 5 THEN %(left_at)s::timestamptz END,
       CASE WHEN n %% 10 = 5 THEN %(receipt)s + %(stays)s + n END
  FROM generate_series(%(first)s, %(last)s) n
"""
# The running cycle of the first stays is counted from an activity; all else is a balance.
PROGRESS = """
INSERT INTO enrollments_progress
  (participation_id, run_number, cycle_number, value, adjustment, balance_at, achieved_at)
SELECT %(participation)s + n, 1, cycle, reached, reached - counted, CASE WHEN reached > counted THEN %(start)s END,
       CASE WHEN reached = 3 THEN %(start)s END
  FROM generate_series(%(first)s, %(last)s) n
 CROSS JOIN generate_series(1, %(running)s) cycle
 CROSS JOIN LATERAL (
   SELECT CASE WHEN cycle = 1 AND n %% %(achieved_every)s = 0 THEN 3 ELSE 1 END AS reached,
          CASE WHEN cycle = %(running)s AND n <= %(activities)s THEN 1 ELSE 0 END AS counted) one
"""
RECEIPTS = """
INSERT INTO enrollments_receipt
  (id, brand_id, participation_id, stay_id, kind, effective_at, recorded_at, source, actor, reason, request_id, address,
   credential, run_number, streak_count, cycle_count, from_cycle, first_cycle, end_cycle, running_cycle, running_value,
   running_verdict, ignored_fields)
SELECT %(receipt)s + n, %(brand)s, %(participation)s + n, %(stay)s + n, 'ENROLLED', %(start)s, %(start)s, 'API',
       'till-' || n %% 50, '', md5('e' || n), '192.0.2.1', 'Basic till-' || n %% 50, 1, 0, %(cycles)s, 1, 1, NULL, 1, 0,
       'member', '{}'::varchar[]
  FROM generate_series(%(first)s, %(last)s) n
UNION ALL
SELECT %(receipt)s + %(stays)s + n, %(brand)s, %(participation)s + n, %(stay)s + n, 'UNENROLLED', %(left_at)s,
       %(left_at)s, 'API', 'till-' || n %% 50, 'Moved abroad', md5('l' || n), '192.0.2.1', 'Basic till-' || n %% 50, 1,
       0, %(cycles)s, %(running)s, 1, %(running)s, %(running)s, 1, 'left', '{}'
  FROM generate_series(%(first)s, %(last)s) n WHERE n %% 10 = 5
"""
ACTIVITIES = """
INSERT INTO enrollments_activity
  (id, brand_id, customer_id, event_id, event_name, occurred_at, amount, quantity, attributes, recorded_at, not_counted)
SELECT %(activity)s + n, %(brand)s, customer_id, md5('a' || n), event_name, %(counted_at)s, 9.990, 1,
       '{"store": "s17", "channel": "till"}', %(counted_at)s, ''
  FROM generate_series(%(first)s, least(%(last)s, %(activities)s)) n
  JOIN enrollments_participation participation ON participation.id = %(participation)s + n
  JOIN targets_target target ON target.id = participation.target_id
"""
OUTCOMES = """
INSERT INTO enrollments_activityoutcome
  (activity_id, participation_id, run_number, cycle_number, reason, delta, value, achieved, grant_ids)
SELECT %(activity)s + n, %(participation)s + n, 1, %(running)s, '', 1, 1, false, '{}'
  FROM generate_series(%(first)s, least(%(last)s, %(activities)s)) n
"""
GRANTS = """
INSERT INTO rewards_grant
  (brand_id, customer_id, target_id, cycle_number, run_number, level_id, allocation, reward_id, reward_name,
   reward_kind, reward_value, reward_payload, achieved_at, granted_at)
SELECT %(brand)s, participation.customer_id, participation.target_id, 1, 1, reward.level_id, target_value.allocation,
       reward.id, reward.name, reward.kind, reward.value, reward.payload, %(start)s,
       CASE WHEN target_value.allocation = 'PERIOD_END' THEN cycle.closed_at ELSE %(start)s END
  FROM generate_series(%(first)s, %(last)s) n
  JOIN enrollments_participation participation ON participation.id = %(participation)s + n
  JOIN targets_target target ON target.id = participation.target_id
  JOIN targets_cycle cycle ON cycle.target_group_id = target.target_group_id AND cycle.number = 1
  JOIN targets_targetvalue target_value ON target_value.target_id = target.id AND target_value.cycle_id = cycle.id
  JOIN rewards_reward reward ON reward.target_id = target.id
  LEFT JOIN targets_streaklevel level ON level.id = reward.level_id
 WHERE n %% %(achieved_every)s = 0 AND coalesce(level.target_count, 1) = 1
"""
BY_STAYS = (PARTICIPATIONS, RUNS, STAYS, PROGRESS, RECEIPTS, ACTIVITIES, OUTCOMES, GRANTS)

# Which number each table goes on from.
NUMBERED = {
    "customer": "targets_customer",
    "participation": "enrollments_participation",
    "stay": "enrollments_stay",
    "receipt": "enrollments_receipt",
    "activity": "enrollments_activity",
}


@dataclass(frozen=True)
class Sizes:
    """`cycles_reached`: rows of progress of each stay, the last of them in the running cycle."""

    stays: int
    customers: int
    programmes: int
    cycles_reached: int = 3
    activities: int = 0
    achieved_every: int = 10

    def __post_init__(self) -> None:
        if self.stays % self.customers or self.stays > self.customers * self.programmes:
            raise ValueError("Each customer has the same number of stays, each in another programme.")
        if not 2 <= self.cycles_reached <= CYCLES or self.activities > self.stays:
            raise ValueError(f"Each stay has progress in 2 to {CYCLES} cycles, and at most one activity.")

    @property
    def progress(self) -> int:
        return self.stays * self.cycles_reached


def load(brand: Any, sizes: Sizes, *, workers: int = 1, checked: bool = True, say: Callable[[str], None]) -> list[Any]:
    """Fill a new sandbox brand; its targets. The clock of the brand stands in the running cycle.

    `checked`: with every trigger and foreign key in force; otherwise as a restore of a dump does, for superusers only.
    Afterwards the tables are vacuumed and analyzed, as autovacuum does in a database that has grown by itself; but not
    inside a transaction, where they are only analyzed.
    """
    from tests.factories import START

    targets = make_programmes(brand, sizes)
    values = {
        **sizes.__dict__,
        "brand": brand.pk,
        "targets": [target.pk for target in targets],
        "step": sizes.programmes // (sizes.stays // sizes.customers),
        "running": sizes.cycles_reached,
        "cycles": CYCLES,
        "start": START,
        "counted_at": brand.clock_at - timedelta(days=1),
        "left_at": brand.clock_at - timedelta(hours=1),
        **take_numbers(sizes),
    }
    inserted((CUSTOMERS,), sizes.customers, values, workers, checked, say)
    inserted(BY_STAYS, sizes.stays, values, workers, checked, say)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE" if connection.in_atomic_block else "VACUUM (ANALYZE, PARALLEL 0)")
    return targets


def make_programmes(brand: Any, sizes: Sizes) -> list[Any]:
    """Of four one is a streak and one pays at the end of a period. Cycles that are over are closed."""
    from enrollments.operations.closing import close_cycles
    from targets.enums import Allocation, TrackingType
    from tests.factories import START, make_programme

    kinds: tuple[dict[str, Any], ...] = (
        {"tracking_type": TrackingType.STREAKS, "levels": (1, 4, 8)},
        {"allocation": Allocation.PERIOD_END},
        {},
        {},
    )
    brand.clock_at = START + (sizes.cycles_reached - 1) * CYCLE + timedelta(days=2)
    brand.save()
    targets = [
        make_programme(
            brand=brand,
            name=f"{brand.name}, programme {number + 1}",
            cycles=CYCLES,
            event_name=f"purchase-{number + 1}",
            **kinds[number % len(kinds)],
        )
        for number in range(sizes.programmes)
    ]
    list(close_cycles(brand=brand, at=brand.clock_at))
    return targets


def take_numbers(sizes: Sizes) -> dict[str, int]:
    """The last number before those that the new rows get, by table; the sequences go on after them."""
    wanted = max(sizes.customers, 2 * sizes.stays)
    taken = {}
    with connection.cursor() as cursor:
        for name, table in NUMBERED.items():
            cursor.execute(f"SELECT nextval('{table}_id_seq'), setval('{table}_id_seq', lastval() + {wanted})")
            taken[name] = cursor.fetchone()[0]
    return taken


def inserted(
    statements: tuple[str, ...],
    rows: int,
    values: dict[str, Any],
    workers: int,
    checked: bool,
    say: Callable[[str], None],
) -> None:
    """Carry out the statements for rows 1 to `rows`, a transaction for each piece."""
    began = perf_counter()

    def one(piece: tuple[int, int]) -> int:
        with transaction.atomic(), connection.cursor() as cursor:
            if not checked:
                cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("SET LOCAL synchronous_commit = off")
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL join_collapse_limit = 1")  # as written, whatever is known of tables that grow
            for statement in statements:
                cursor.execute(statement, values | {"first": piece[0], "last": piece[1]})
        return piece[1]

    def told(done: Iterator[int]) -> None:
        for last in done:
            say(f"{last:,} of {rows:,} after {perf_counter() - began:,.0f} s")

    if workers == 1:
        told(map(one, pieces(rows)))
        return
    with ThreadPoolExecutor(workers) as pool:
        told(pool.map(one, pieces(rows)))
        for _ in range(workers):
            pool.submit(connection.close)


def pieces(rows: int) -> Iterator[tuple[int, int]]:
    for first in range(1, rows + 1, ONE_TRANSACTION):
        yield first, min(first + ONE_TRANSACTION - 1, rows)


TABLE_SIZES = """
SELECT relname, reltuples::bigint, pg_relation_size(oid), pg_indexes_size(oid), pg_total_relation_size(oid)
  FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace = 'public'::regnamespace AND reltuples >= 1000
 ORDER BY 5 DESC
"""


def sizes_of_tables() -> list[tuple[str, int, int, int, int]]:
    """(table, rows, bytes of rows, of indexes, of all) as the last ANALYZE counted them, the largest first."""
    with connection.cursor() as cursor:
        cursor.execute(TABLE_SIZES)
        return cursor.fetchall()


def main() -> None:
    from targets.models import Brand
    from tests.factories import START

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.loading", description=__doc__)
    parser.add_argument("--brand", default="Large", help="name of the new brand")
    parser.add_argument("--stays", type=int, default=100_000)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--programmes", type=int, default=100)
    parser.add_argument("--cycles-reached", type=int, default=3, help="rows of progress of each stay")
    parser.add_argument("--activities", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--unchecked", action="store_true", help="as a restore does: no trigger, no foreign key")
    asked = parser.parse_args()
    sizes = Sizes(asked.stays, asked.customers, asked.programmes, asked.cycles_reached, asked.activities)
    brand = Brand.objects.create(name=asked.brand, sandbox=True, clock_at=START)
    began = perf_counter()
    load(brand, sizes, workers=asked.workers, checked=not asked.unchecked, say=lambda told: print(told, flush=True))
    print(f"{perf_counter() - began:,.0f} s in all")
    for table, rows, heap, indexes, total in sizes_of_tables():
        print(f"{table:32} {rows:>12,} rows {total / 2**20:>9,.0f} MB {heap / rows:>6,.0f} + {indexes / rows:>4,.0f} B")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    main()
