"""Moving activities with which nothing can happen any more into the archive, and back (docs/scaling.md)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Model

from enrollments.models import Activity, ActivityOutcome
from enrollments.pace import in_chunks
from targets.models import Brand

READ_AT_ONCE = 10_000
MOVED_AT_ONCE = 10_000  # at most; else as many as take less than half a second


def _columns(model: type[Model]) -> str:
    return ", ".join(str(field.column) for field in model._meta.concrete_fields)


OF_ACTIVITY, OF_OUTCOME = _columns(Activity), _columns(ActivityOutcome)
# Most granted nothing: the archive has no array for them.
TO_ARCHIVE = OF_OUTCOME.replace("grant_ids", "nullif(grant_ids, '{}')")
FROM_ARCHIVE = OF_OUTCOME.replace("grant_ids", "coalesce(grant_ids, '{}')")

# By key, not by cursor: those of the server do not live behind a connection pool.
OLD = """
SELECT id FROM enrollments_activity
 WHERE id > %(after)s AND recorded_at < %(before)s AND (%(brand)s IS NULL OR brand_id = %(brand)s)
 ORDER BY id LIMIT %(limit)s
"""
ARCHIVED = """
SELECT id FROM enrollments_archivedactivity
 WHERE id > %(after)s AND (%(brand)s IS NULL OR brand_id = %(brand)s) ORDER BY id LIMIT %(limit)s
"""

# What became of an activity can change only while the period is open in which it counted or did not: once that has
# closed nothing counts in it, no balance is set in it, and no leave from it is undone (undoing._refuse_if_late).
# Without a period it is final at once. Closing waits for everybody who writes in the period, so what is seen closed
# here is closed for all. Where periods end when they are achieved none ever closes, and whether a day has counted is
# looked for in all of them: there everything stays. What is looked up for each is a subquery, so that it is by index.
FINAL = """
SELECT activity.id FROM enrollments_activity activity
 WHERE activity.id = ANY(%(ids)s)
   AND (
     SELECT outcome.id FROM enrollments_activityoutcome outcome
       JOIN enrollments_participation participation ON participation.id = outcome.participation_id
       JOIN targets_target target ON target.id = participation.target_id
       JOIN targets_targetgroup target_group ON target_group.id = target.target_group_id
       LEFT JOIN targets_cycle cycle
         ON cycle.target_group_id = target_group.id AND cycle.number = outcome.cycle_number
      WHERE outcome.activity_id = activity.id AND outcome.cycle_number IS NOT NULL
        AND NOT CASE target_group.evaluation_type
                WHEN 'FIXED_CALENDAR_WINDOW' THEN cycle.paid_at IS NOT NULL
                WHEN 'CYCLIC_WINDOW' THEN outcome.cycle_number <= participation.closed_through
                ELSE false END
      LIMIT 1) IS NULL
"""

# Nobody is waited for: whom somebody else has locked - who erases the customer - the next run takes. The rows are those
# that are locked, as they have become.
ARCHIVE = f"""
WITH locked AS MATERIALIZED (
  SELECT {OF_ACTIVITY} FROM enrollments_activity WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE SKIP LOCKED
), outcomes AS (
  DELETE FROM enrollments_activityoutcome WHERE activity_id = ANY(ARRAY(SELECT id FROM locked)) RETURNING {OF_OUTCOME}
), archived_outcomes AS (
  INSERT INTO enrollments_archivedoutcome ({OF_OUTCOME}) SELECT {TO_ARCHIVE} FROM outcomes ORDER BY activity_id
), activities AS (
  DELETE FROM enrollments_activity WHERE id = ANY(ARRAY(SELECT id FROM locked))
)
INSERT INTO enrollments_archivedactivity ({OF_ACTIVITY}) SELECT {OF_ACTIVITY} FROM locked ORDER BY id
"""  # noqa: S608 - names of our own columns

# An erased customer has no new activity: his stay in the archive. He who erases comes first, as everywhere.
NOT_ERASED = """
SELECT id FROM targets_customer
 WHERE id = ANY(ARRAY(SELECT customer_id FROM enrollments_archivedactivity WHERE id = ANY(%(ids)s)))
   AND erased_at IS NULL
 ORDER BY id FOR KEY SHARE SKIP LOCKED
"""
RESTORE = f"""
WITH gone AS (
  DELETE FROM enrollments_archivedactivity WHERE id = ANY(%(ids)s) AND customer_id = ANY(%(customers)s)
  RETURNING {OF_ACTIVITY}
)
INSERT INTO enrollments_activity ({OF_ACTIVITY}) SELECT {OF_ACTIVITY} FROM gone ORDER BY id RETURNING id
"""  # noqa: S608 - names of our own columns
RESTORE_OUTCOMES = f"""
WITH gone AS (
  DELETE FROM enrollments_archivedoutcome WHERE activity_id = ANY(%(ids)s) RETURNING {OF_OUTCOME}
)
INSERT INTO enrollments_activityoutcome ({OF_OUTCOME}) SELECT {FROM_ARCHIVE} FROM gone ORDER BY id
"""  # noqa: S608 - names of our own columns


@dataclass(frozen=True)
class Moved:
    """Of one chunk: how many activities there were, and how many of them were moved, with their outcomes.

    `through`: the id up to which all has been looked at.
    """

    looked_at: int
    moved: int
    through: int


def archive_activities(
    *,
    before: datetime,
    brand: Brand | None = None,
    at_once: int = MOVED_AT_ONCE,
    is_paced: bool = True,
    dry_run: bool = False,
) -> Iterator[Moved]:
    """Move what was recorded before that instant and can no longer change into the archive: a transaction each time.

    What is not consumed is not moved. Runs beside everybody else, and several may do it at once. Whoever asks is
    answered as before. With `dry_run` nothing is moved.
    """
    move = _final if dry_run else _archive
    yield from _each(OLD, move, brand, before, at_once, is_paced)


def restore_activities(*, brand: Brand | None = None, at_once: int = MOVED_AT_ONCE) -> Iterator[Moved]:
    """Move everything back out of the archive, but for erased customers; likewise."""
    yield from _each(ARCHIVED, _restore, brand, None, at_once, is_paced=True)


def _each(
    which: str,
    move: Callable[[list[int]], int],
    brand: Brand | None,
    before: datetime | None,
    at_once: int,
    is_paced: bool,
) -> Iterator[Moved]:
    for chunk in in_chunks(_ids(which, brand, before), at_once, is_paced=is_paced):
        with transaction.atomic():
            moved = move(chunk)
        yield Moved(len(chunk), moved, chunk[-1])


def _ids(which: str, brand: Brand | None, before: datetime | None) -> Iterator[int]:
    names: dict[str, Any] = {"after": 0, "before": before, "brand": brand.pk if brand else None, "limit": READ_AT_ONCE}
    while found := [pk for (pk,) in _selected(which, names)]:
        yield from found
        names["after"] = found[-1]


def _final(ids: list[int]) -> int:
    return len(_selected(FINAL, {"ids": ids}))


def _archive(ids: list[int]) -> int:
    final = [pk for (pk,) in _selected(FINAL, {"ids": ids})]
    with connection.cursor() as cursor:
        cursor.execute(ARCHIVE, {"ids": final})
        return int(cursor.rowcount)


def _restore(ids: list[int]) -> int:
    customers = [pk for (pk,) in _selected(NOT_ERASED, {"ids": ids})]
    restored = [pk for (pk,) in _selected(RESTORE, {"ids": ids, "customers": customers})]
    with connection.cursor() as cursor:
        cursor.execute(RESTORE_OUTCOMES, {"ids": restored})
    return len(restored)


def _selected(statement: str, names: dict[str, Any]) -> list[tuple[int]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, names)
        found: list[tuple[int]] = cursor.fetchall()
    return found
