"""Counting what the API has refused: many calls by one statement, apart from whatever was refused."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple

from django.db import connection, transaction

PURGED_AT_ONCE = 1_000

# Nobody waits for a count, and a count waits for nobody. Counted in one order, so that no two processes wait for each
# other's rows in turn.
IMPATIENTLY = "SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '5s'"
COUNT = """
INSERT INTO targets_refusedcalls AS held (brand_id, day, operation, code, calls, last_at, last_by, last_request_id)
SELECT given.*
  FROM unnest(%s::bigint[], %s::date[], %s::text[], %s::int[], %s::bigint[], %s::timestamptz[], %s::text[], %s::text[])
       AS given (brand_id, day, operation, code, calls, last_at, last_by, last_request_id)
  JOIN targets_brand ON targets_brand.id = given.brand_id
 ORDER BY given.brand_id, given.day, given.operation, given.code
ON CONFLICT (brand_id, day, operation, code) DO UPDATE SET
  calls = held.calls + excluded.calls,
  (last_at, last_by, last_request_id) = (
    SELECT at, by, request_id
      FROM (VALUES (1, held.last_at, held.last_by, held.last_request_id),
                   (2, excluded.last_at, excluded.last_by, excluded.last_request_id))
           AS last (place, at, by, request_id)
     ORDER BY at DESC, place DESC LIMIT 1)
"""
# An array, found once: a query in its place the planner may join to, and ask for so many more with every row.
PURGE = """
DELETE FROM targets_refusedcalls WHERE id = ANY(ARRAY(
    SELECT id FROM targets_refusedcalls WHERE day < %s ORDER BY day LIMIT %s FOR UPDATE SKIP LOCKED
))
"""


class Refused(NamedTuple):
    """What is counted together. `day`: of the brand's calendar; `operation`: such as "POST /v3/activities"."""

    brand_id: int
    day: date
    operation: str
    code: int


@dataclass(frozen=True)
class Count:
    """How often, and the last of them."""

    calls: int
    last_at: datetime
    last_by: str
    last_request_id: str

    def __add__(self, other: "Count") -> "Count":
        last = max(other, self, key=lambda each: each.last_at)
        return replace(last, calls=self.calls + other.calls)


def count_refused_calls(counted: Mapping[Refused, Count]) -> None:
    """Add all of them to what is counted, by one statement. What is of no brand any more is left out.

    Raises `django.db.Error`, nothing counted, where the database is away or somebody else holds a lock for a second.
    """
    rows = [
        (*refused, count.calls, count.last_at, count.last_by, count.last_request_id)
        for refused, count in counted.items()
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(IMPATIENTLY)
        cursor.execute(COUNT, [list(column) for column in zip(*rows, strict=True)])


def purge_refused_calls(*, before: date, at_once: int = PURGED_AT_ONCE) -> Iterator[int]:
    """Remove the counts of the days before that one, oldest first; how many, a transaction each time.

    What is not consumed is not removed. Several may do it at once.
    """
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(PURGE, [before, at_once])
            removed = cursor.rowcount
        if not removed:
            return
        yield removed
