"""`make bench`: what closing a cycle costs, beside one INSERT ... SELECT that gives the same rewards.

CLOSE_CUSTOMERS sets how many have achieved it (100,000), CLOSE_ROUNDS how often each contender is timed (3). The floor
writes into the same table, with all its keys, indexes and triggers; it is one transaction, which nobody could stop.
"""

import os
import statistics
import time

import pytest
from django.db import connection

from enrollments.operations.closing import close_cycle
from rewards.models import Grant
from targets.enums import Allocation
from targets.models import Cycle, Target
from tests.benchmarks.enrolled import ENROL, REGISTER, execute
from tests.benchmarks.test_benchmarks import publish
from tests.factories import START, BrandFactory, make_programme

CUSTOMERS = int(os.environ.get("CLOSE_CUSTOMERS", "100000"))
ROUNDS = int(os.environ.get("CLOSE_ROUNDS", "3"))

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]

FLOOR = """
INSERT INTO rewards_grant (brand_id, customer_id, target_id, cycle_number, run_number, allocation, reward_id,
                           reward_name, reward_kind, reward_value, reward_payload, achieved_at, granted_at)
SELECT participation.brand_id, participation.customer_id, participation.target_id, 1, progress.run_number, 'PERIOD_END',
       reward.id, reward.name, reward.kind, reward.value, reward.payload, coalesce(progress.achieved_at, %(at)s), %(at)s
  FROM enrollments_participation participation
  JOIN rewards_reward reward ON reward.target_id = participation.target_id
  JOIN enrollments_stay stay ON stay.participation_id = participation.id
   AND stay.first_cycle <= 1 AND (stay.end_cycle IS NULL OR stay.end_cycle > 1)
  JOIN enrollments_progress progress ON progress.participation_id = participation.id
   AND progress.run_number = stay.run_number AND progress.cycle_number = 1
 WHERE participation.target_id = %(target)s AND progress.value >= 1
"""


def closed(target: Target, cycle: Cycle) -> None:
    close_cycle(cycle, cycle.closes_at)


def plain_sql(target: Target, cycle: Cycle) -> None:
    Cycle.objects.filter(pk=cycle.pk).update(closed_at=cycle.closes_at)
    execute(FLOOR, {"target": target.pk, "at": cycle.closes_at})


def test_close() -> None:
    brand = BrandFactory()
    execute(REGISTER, {"brand": brand.pk, "at": START, "count": CUSTOMERS})
    contenders = {
        "closed, in chunks that can be stopped": closed,
        "floor: one INSERT ... SELECT into the same table": plain_sql,
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            target = make_programme(brand=brand, allocation=Allocation.PERIOD_END, target_value=1)
            for statement in ENROL:
                execute(statement, {"brand": brand.pk, "target": target.pk, "at": START})
            cycle = target.target_group.cycles.get(number=1)

            start = time.perf_counter()
            run(target, cycle)
            seconds[name].append(time.perf_counter() - start)

            assert Grant.objects.filter(target=target).count() == CUSTOMERS
            with connection.cursor() as cursor:
                cursor.execute("CHECKPOINT")  # what one has left to be written is not for the next
    floor = statistics.median(list(seconds.values())[-1])
    rows = [["", "seconds", "rewards a second", "x floor"]]
    for name, each in seconds.items():
        median = statistics.median(each)
        rows.append([f"{CUSTOMERS:,} {name}", f"{median:.2f}", f"{CUSTOMERS / median:,.0f}", f"{median / floor:.2f}"])
    publish("Close", rows, f"Medians of {ROUNDS} rounds, in which contenders take turns.")
