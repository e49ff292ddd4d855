"""What happened to one customer in one target, as a log: activities that counted, coming and leaving (api.md 3)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.db import connections, router

from enrollments.models import Participation
from targets.models import Cycle

# Two tables give the ids: even ones are of activities, odd ones of receipts. A scheduled leave is in the log from the
# instant at which it takes effect. Of what happened at one instant (the clock of a sandbox stands still) a stay's
# beginning is told first, then what was done, then its end; of several stays the earlier first.
LOG = """
WITH stay AS (
  SELECT * FROM enrollments_stay WHERE participation_id = %(participation)s
), log AS (
  SELECT outcome.id * 2 AS id, CASE WHEN least(activity.amount, activity.quantity) < 0 THEN 'RETURN' ELSE 'ACTIVITY' END
           AS kind, activity.event_id AS unique_id, activity.event_name AS name, activity.occurred_at AS happened_at,
         activity.recorded_at, outcome.cycle_number, outcome.delta AS value,
         (SELECT max(stay.id) FROM stay WHERE stay.enrolled_at <= activity.occurred_at) AS stay_id, 1 AS step
    FROM enrollments_everyoutcome outcome
    JOIN enrollments_everyactivity activity
      ON activity.id = outcome.activity_id AND activity.customer_id = %(customer)s
   WHERE outcome.participation_id = %(participation)s AND outcome.reason = ''
  UNION ALL
  SELECT receipt.id * 2 + 1, 'ENROL', receipt.id::text, '', stay.enrolled_at, receipt.recorded_at, stay.first_cycle,
         NULL, stay.id, 0
    FROM stay
    JOIN enrollments_receipt receipt ON receipt.stay_id = stay.id AND receipt.kind IN ('ENROLLED', 'REENROLLED')
     AND receipt.participation_id = %(participation)s
  UNION ALL
  SELECT receipt.id * 2 + 1, 'UNENROL', receipt.id::text, '', coalesce(stay.left_at, stay.leaves_at, last.ends_at),
         receipt.recorded_at, stay.end_cycle, NULL, stay.id, 2
    FROM stay
    JOIN enrollments_receipt receipt ON receipt.id = stay.leave_receipt_id
    LEFT JOIN targets_cycle last ON last.target_group_id = %(group)s AND last.number = stay.leaves_after
   WHERE coalesce(stay.left_at, stay.leaves_at, last.ends_at) <= %(at)s
)
"""
WANTED = "FROM log WHERE %(cycle)s IS NULL OR log.cycle_number = %(cycle)s"
COUNT = f"{LOG} SELECT count(*) {WANTED}"
PAGE = f"""{LOG}
SELECT id, kind, unique_id, name, happened_at, recorded_at, value,
       (SELECT cycle.id FROM targets_cycle cycle
         WHERE cycle.target_group_id = %(group)s AND cycle.number = log.cycle_number) AS period_id
  {WANTED} ORDER BY happened_at, coalesce(stay_id, 0), step, id LIMIT %(limit)s OFFSET %(skipped)s
"""  # noqa: S608 - made of the constants above, nothing comes from outside


class TrackedKind(StrEnum):
    ACTIVITY = "ACTIVITY"
    RETURN = "RETURN"
    ENROL = "ENROL"
    UNENROL = "UNENROL"


@dataclass(frozen=True)
class TrackedEvent:
    """One line of the log. `unique_id` is the brand's id of the event, or the id of the receipt.

    `name` and `value`, what it added, are of activities. `period_id` is the cycle in which it counted, that was joined,
    or the first that was left, if there is one.
    """

    id: int
    kind: TrackedKind
    unique_id: str
    name: str
    happened_at: datetime
    recorded_at: datetime
    value: Decimal | None
    period_id: int | None


def tracked_events(
    participation: Participation, at: datetime, *, cycle: Cycle | None, limit: int, skipped: int
) -> tuple[list[TrackedEvent], int]:
    """One page of the log as it stands at `at`, oldest first, and how long the log is. Two statements."""
    parameters = {
        "participation": participation.pk,
        "customer": participation.customer_id,
        "group": participation.target.target_group_id,
        "cycle": cycle.number if cycle else None,
        "at": at,
        "limit": limit,
        "skipped": skipped,
    }
    with connections[router.db_for_read(Participation)].cursor() as cursor:
        cursor.execute(COUNT, parameters)
        [total] = cursor.fetchone()
        cursor.execute(PAGE, parameters)
        events = [TrackedEvent(id_, TrackedKind(kind), *others) for id_, kind, *others in cursor.fetchall()]
    return events, total
