"""`make bench`: what 1,000 activities in one call cost, beside hand-written SQL that writes the same rows.

BATCH_ROUNDS sets how often each contender is timed (7). The floor keeps every constraint, takes the same locks in the
same order and is one transaction too; it knows beforehand that nobody is in his second run, that no leave is
scheduled and that no event was sent before, and it answers nothing.
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from io import StringIO
from itertools import count
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from enrollments.integrity import all_violations
from enrollments.locks import CALENDAR
from enrollments.models import ActivityOutcome, Progress
from rewards.models import Grant
from targets.models import Brand, Target
from tests.benchmarks import processor_time
from tests.benchmarks.enrolled import execute
from tests.benchmarks.test_benchmarks import NOW, publish
from tests.conftest import SECRET
from tests.factories import START, ApiUserFactory, BrandFactory, make_programme

ROUNDS = int(os.environ.get("BATCH_ROUNDS", "7"))
ACTIVITIES = 1_000

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]

# Of ten customers five have no progress yet, four have 1 of 3, and the tenth reaches the value with his next activity.
CROWD = (
    """
INSERT INTO targets_customer (brand_id, customer_id, external_id, email, mobile, first_name, last_name, created_at)
SELECT %(brand)s, number, '', '', '', '', '', %(at)s FROM generate_series(%(first)s, %(last)s) number
""",
    """
INSERT INTO enrollments_participation (brand_id, customer_id, target_id, run_number, first_enrolled_at, changed_at,
                                       closed_through)
SELECT %(brand)s, id, %(target)s, 1, %(at)s, %(at)s, 0
  FROM targets_customer WHERE brand_id = %(brand)s AND customer_id BETWEEN %(first)s AND %(last)s ORDER BY id
""",
    """
INSERT INTO enrollments_run (participation_id, number, started_at)
SELECT participation.id, 1, %(at)s
  FROM enrollments_participation participation JOIN targets_customer customer ON customer.id = participation.customer_id
 WHERE customer.brand_id = %(brand)s AND customer.customer_id BETWEEN %(first)s AND %(last)s
""",
    """
INSERT INTO enrollments_stay (participation_id, run_number, first_cycle, enrolled_at)
SELECT participation.id, 1, 1, %(at)s
  FROM enrollments_participation participation JOIN targets_customer customer ON customer.id = participation.customer_id
 WHERE customer.brand_id = %(brand)s AND customer.customer_id BETWEEN %(first)s AND %(last)s ORDER BY participation.id
""",
    """
INSERT INTO enrollments_progress (participation_id, run_number, cycle_number, value, adjustment, balance_at)
SELECT participation.id, 1, 1, reached, reached, %(at)s
  FROM enrollments_participation participation JOIN targets_customer customer ON customer.id = participation.customer_id
 CROSS JOIN LATERAL (SELECT CASE WHEN customer.customer_id %% 10 = 0 THEN 2 ELSE 1 END AS reached) one
 WHERE customer.brand_id = %(brand)s AND customer.customer_id BETWEEN %(first)s AND %(last)s
   AND customer.customer_id %% 10 NOT BETWEEN 1 AND 5
 ORDER BY participation.id
""",
    "ANALYZE",  # as autovacuum does in a database that has grown by itself
)

STAGE = """
CREATE TEMPORARY TABLE floor_asked (position integer, event_id text, event_name text, number bigint,
  occurred_at timestamptz, amount numeric, quantity numeric, attributes jsonb) ON COMMIT DROP
"""
STORE = """
INSERT INTO enrollments_activity (brand_id, customer_id, event_id, event_name, occurred_at, amount, quantity,
                                  attributes, recorded_at, not_counted)
SELECT %(brand)s, customer.id, asked.event_id, asked.event_name, asked.occurred_at, asked.amount, asked.quantity,
       asked.attributes, %(at)s, ''
  FROM floor_asked asked
  JOIN targets_customer customer ON customer.brand_id = %(brand)s AND customer.customer_id = asked.number
 ORDER BY asked.event_id
ON CONFLICT DO NOTHING
"""
LOCK = """
CREATE TEMPORARY TABLE floor_locked ON COMMIT DROP AS
SELECT participation.id, participation.customer_id, participation.target_id, target.target_group_id
  FROM enrollments_participation participation
  JOIN targets_target target ON target.id = participation.target_id
  JOIN targets_customer customer ON customer.id = participation.customer_id
 WHERE customer.brand_id = %(brand)s AND customer.customer_id IN (SELECT number FROM floor_asked)
   AND target.event_name IN (SELECT event_name FROM floor_asked)
 ORDER BY participation.id FOR NO KEY UPDATE OF participation
"""
SHARE = """
SELECT pg_advisory_xact_lock_shared(%(calendar)s, id::integer)
  FROM (SELECT DISTINCT target_group_id AS id FROM floor_locked ORDER BY 1) groups
"""
COUNTED = """
CREATE TEMPORARY TABLE floor_counted ON COMMIT DROP AS
SELECT activity.id AS activity_id, locked.id AS participation_id, locked.customer_id, locked.target_id,
       stay.run_number, cycle.number AS cycle_number, cycle.id AS cycle_id, target_value.value AS target_value,
       target_value.allocation,
       coalesce(progress.value, 0)
         + count(*) OVER (PARTITION BY locked.id, cycle.number ORDER BY asked.position) AS value, progress.achieved_at
  FROM floor_asked asked
  JOIN enrollments_activity activity ON activity.brand_id = %(brand)s AND activity.event_id = asked.event_id
  JOIN floor_locked locked ON locked.customer_id = activity.customer_id
  JOIN targets_target target ON target.id = locked.target_id AND target.event_name = activity.event_name
   AND target.is_active
  JOIN targets_targetgroup target_group ON target_group.id = target.target_group_id AND target_group.is_active
  JOIN targets_cycle cycle ON cycle.target_group_id = locked.target_group_id
   AND cycle.starts_at <= activity.occurred_at AND cycle.ends_at > activity.occurred_at
   AND cycle.starts_at <= %(at)s AND cycle.closes_at > %(at)s AND cycle.closed_at IS NULL
  JOIN targets_targetvalue target_value
    ON target_value.target_id = locked.target_id AND target_value.cycle_id = cycle.id
  JOIN enrollments_stay stay ON stay.participation_id = locked.id
   AND stay.first_cycle <= cycle.number AND (stay.end_cycle IS NULL OR stay.end_cycle > cycle.number)
  LEFT JOIN enrollments_progress progress ON progress.participation_id = locked.id
   AND progress.run_number = stay.run_number AND progress.cycle_number = cycle.number
 WHERE progress.balance_at IS NULL OR progress.balance_at <= activity.occurred_at
"""
GRANT = """
INSERT INTO rewards_grant (brand_id, customer_id, target_id, cycle_number, run_number, allocation, reward_id,
                           reward_name, reward_kind, reward_value, reward_payload, achieved_at, granted_at)
SELECT %(brand)s, counted.customer_id, counted.target_id, counted.cycle_number, counted.run_number, 'IMMEDIATE',
       reward.id, reward.name, reward.kind, reward.value, reward.payload, %(at)s, %(at)s
  FROM (SELECT DISTINCT ON (participation_id, cycle_number) * FROM floor_counted
         WHERE value >= target_value AND achieved_at IS NULL AND allocation = 'IMMEDIATE'
         ORDER BY participation_id, cycle_number, value) counted
  JOIN rewards_reward reward ON reward.target_id = counted.target_id AND reward.level_id IS NULL
   AND reward.cycle_id IS NULL AND reward.retired_at IS NULL
ON CONFLICT DO NOTHING
"""
REACH = """
INSERT INTO enrollments_progress (participation_id, run_number, cycle_number, value, adjustment, achieved_at)
SELECT DISTINCT ON (participation_id, cycle_number) participation_id, run_number, cycle_number, value, 0,
       coalesce(achieved_at, CASE WHEN value >= target_value THEN %(at)s::timestamptz END)
  FROM floor_counted ORDER BY participation_id, cycle_number, value DESC
ON CONFLICT (participation_id, run_number, cycle_number)
DO UPDATE SET value = excluded.value, achieved_at = excluded.achieved_at
"""
FILE = """
INSERT INTO enrollments_activityoutcome (activity_id, participation_id, run_number, cycle_number, reason, delta, value,
                                         achieved, grant_ids)
SELECT counted.activity_id, counted.participation_id, counted.run_number, counted.cycle_number, '', 1, counted.value,
       counted.value >= counted.target_value, CASE WHEN given.id IS NULL THEN '{}' ELSE ARRAY[given.id] END
  FROM floor_counted counted
  LEFT JOIN rewards_grant given ON given.customer_id = counted.customer_id AND given.target_id = counted.target_id
   AND given.cycle_number = counted.cycle_number AND given.level_id IS NULL AND counted.value = counted.target_value
 ORDER BY counted.activity_id
"""
TOUCH = """
UPDATE enrollments_participation participation SET changed_at = %(at)s
  FROM floor_counted counted WHERE participation.id = counted.participation_id
"""
COUNT = (LOCK, SHARE, COUNTED, GRANT, REACH, FILE, TOUCH)


def plain_sql(brand: Brand, events: list[dict[str, Any]]) -> None:
    columns = ("eventId", "eventName", "customerId", "occurredAt", "amount", "quantity")
    lines = StringIO(
        "".join(
            "\t".join([str(position), *(str(event[name]) for name in columns), json.dumps(event["attributes"])]) + "\n"
            for position, event in enumerate(events)
        )
    )
    names = {"brand": brand.pk, "at": NOW, "calendar": CALENDAR}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STAGE)
        cursor.copy_expert("COPY floor_asked FROM STDIN", lines)
        cursor.execute(STORE, names)
        for statement in COUNT:
            cursor.execute(statement, names)


def over_http(client: APIClient, events: list[dict[str, Any]]) -> None:
    response = client.generic("POST", "/v3/activities", json.dumps(events), "application/json")
    assert response.status_code == 200, response.content


def test_a_thousand_activities(client_of: Callable[[str, str], APIClient]) -> None:
    brand = BrandFactory(sandbox=True, clock_at=NOW)
    target = make_programme(brand=brand)
    client = client_of(ApiUserFactory(brand=brand).user.username, SECRET)
    contenders = {
        f"{ACTIVITIES:,} activities in one call over HTTP": partial(over_http, client),
        "floor: the same rows by hand-written SQL, one transaction": partial(plain_sql, brand),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    firsts = count(1, ACTIVITIES)
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            events = a_thousand(brand, target, next(firsts))

            start, busy = time.perf_counter(), processor_seconds()
            run(events)
            seconds[name].append(time.perf_counter() - start)
            cpu[name].append(processor_seconds() - busy)

    floor, cpu_floor = (statistics.median(list(each.values())[-1]) for each in (seconds, cpu))
    rows = [["", "ms", "x floor", "CPU ms", "x floor's CPU"]]
    for name, each in seconds.items():
        median, busy = statistics.median(each), statistics.median(cpu[name])
        rows.append(
            [name, f"{1000 * median:.0f}", f"{median / floor:.2f}", f"{1000 * busy:.0f}", f"{busy / cpu_floor:.2f}"]
        )
    publish(
        "A thousand activities",
        rows,
        f"Medians of {ROUNDS} rounds, in which contenders take turns. CPU: client and database.",
    )

    rounds = ROUNDS * len(contenders)
    assert ActivityOutcome.objects.filter(reason="", delta=1).count() == rounds * ACTIVITIES
    assert Grant.objects.count() == Progress.objects.filter(achieved_at=NOW).count() == rounds * ACTIVITIES // 10
    assert list(all_violations(brand)) == []


def processor_seconds() -> float:
    """Of this process and the database: what does not depend on what else the machine is doing."""
    return time.process_time() + processor_time.of_database()


def a_thousand(brand: Brand, target: Target, first: int) -> list[dict[str, Any]]:
    """One activity of each of a thousand new members."""
    numbers = range(first, first + ACTIVITIES)
    for statement in CROWD:
        execute(statement, {"brand": brand.pk, "target": target.pk, "at": START, "first": first, "last": numbers[-1]})
    return [
        {
            "eventId": f"till-{number * 7919 % 10_007}-{number}",
            "eventName": "purchase",
            "customerId": number,
            "occurredAt": "2026-01-02T15:30:00+05:30",
            "amount": 49.95,
            "quantity": 3,
            "attributes": {"store": "Pune", "channel": "till"},
        }
        for number in numbers
    ]
