"""The statements of `record_activities`, in the order in which they are carried out.

Values of many rows come as the text of an array: `ARRAY[...]` would be parsed value by value.
"""

from collections.abc import Iterable

from enrollments.models import Participation, Progress, Stay
from targets.rows import columns_of

FIND = "SELECT customer_id, id FROM targets_customer WHERE brand_id = %(brand)s AND customer_id = ANY(%(numbers)s)"

# Numbered as they were delivered; stored in the order of their ids, in which everybody waits for whoever sends the
# same ones at the same time.
STORE = """
INSERT INTO enrollments_activity (id, brand_id, customer_id, event_id, event_name, occurred_at, amount, quantity,
                                  attributes, recorded_at, not_counted)
SELECT id, %(brand)s, customer, event_id, event_name, occurred_at, amount, quantity, attributes, %(at)s, ''
  FROM (SELECT nextval('enrollments_activity_id_seq') AS id, delivered.*
          FROM json_to_recordset(%(activities)s) AS delivered (customer bigint, event_id text, event_name text,
               occurred_at timestamptz, amount numeric, quantity numeric, attributes jsonb)) numbered
 ORDER BY event_id COLLATE "C"
ON CONFLICT (brand_id, event_id) DO NOTHING
RETURNING event_id, id
"""

LOCK = f"""
SELECT {columns_of("participation", Participation)} FROM enrollments_participation participation
 WHERE participation.customer_id = ANY(%(customers)s) AND participation.target_id = ANY(%(targets)s)
 ORDER BY participation.id FOR NO KEY UPDATE OF participation
"""  # noqa: S608 - names of our own columns

STAYS = f"""
SELECT {columns_of("stay", Stay)} FROM enrollments_stay stay
 WHERE participation_id = ANY(%(participations)s) ORDER BY id
"""  # noqa: S608 - names of our own columns

PROGRESS = f"""
SELECT {columns_of("progress", Progress)} FROM enrollments_progress progress
 WHERE participation_id = ANY(%(participations)s) AND run_number = 1 AND cycle_number = ANY(%(cycles)s)
"""  # noqa: S608 - names of our own columns

PAID = """
SELECT customer_id, target_id, cycle_number FROM rewards_grant
 WHERE customer_id = ANY(%(customers)s) AND target_id = ANY(%(targets)s) AND level_id IS NULL
"""

GIVE = """
INSERT INTO rewards_grant (brand_id, customer_id, target_id, cycle_number, run_number, level_id, allocation, reward_id,
                           reward_name, reward_kind, reward_value, reward_payload, achieved_at, granted_at)
SELECT %(brand)s, due.customer_id, reward.target_id, due.cycle_number, due.run_number, reward.level_id, 'IMMEDIATE',
       reward.id, reward.name, reward.kind, reward.value, reward.payload, %(at)s, %(at)s
  FROM unnest(%(customers)s::bigint[], %(cycles)s::smallint[], %(runs)s::smallint[], %(rewards)s::bigint[])
       WITH ORDINALITY AS due (customer_id, cycle_number, run_number, reward_id, place)
  JOIN rewards_reward reward ON reward.id = due.reward_id
 ORDER BY due.place
RETURNING customer_id, cycle_number, reward_id, id
"""

# Progress, enrolments and outcomes.
SAVE = """
WITH reached AS (
  INSERT INTO enrollments_progress (participation_id, run_number, cycle_number, value, adjustment, achieved_at)
  SELECT participation_id, 1, cycle_number, value, 0, achieved_at
    FROM unnest(%(reached)s::bigint[], %(reached_cycles)s::smallint[], %(reached_values)s::numeric[],
                %(reached_at)s::timestamptz[]) AS each (participation_id, cycle_number, value, achieved_at)
  ON CONFLICT (participation_id, run_number, cycle_number)
  DO UPDATE SET value = excluded.value, achieved_at = excluded.achieved_at
), touched AS (
  UPDATE enrollments_participation SET changed_at = %(at)s WHERE id = ANY(%(reached)s::bigint[])
)
INSERT INTO enrollments_activityoutcome (activity_id, participation_id, run_number, cycle_number, reason, delta,
                                         visit_on, value, achieved, grant_ids, left_by_id)
SELECT activity_id, participation_id, run_number, cycle_number, reason, delta, visit_on, value, achieved,
       grant_ids::bigint[], left_by_id
  FROM unnest(%(activities)s::bigint[], %(participations)s::bigint[], %(runs)s::smallint[], %(cycles)s::smallint[],
              %(reasons)s::text[], %(deltas)s::numeric[], %(visits)s::date[], %(values)s::numeric[],
              %(achieved)s::boolean[], %(grants)s::text[], %(leaves)s::bigint[])
       AS each (activity_id, participation_id, run_number, cycle_number, reason, delta, visit_on, value, achieved,
                grant_ids, left_by_id)
"""

SAY_WHY_NOT = """
UPDATE enrollments_activity activity SET not_counted = passed.reason
  FROM unnest(%(activities)s::bigint[], %(reasons)s::text[]) AS passed (id, reason) WHERE activity.id = passed.id
"""


def array_of(values: Iterable[object]) -> str:
    """The text of a PostgreSQL array of numbers, dates, instants, truth values, or texts of our own."""
    return "{" + ",".join("NULL" if each is None else f'"{each}"' for each in values) + "}"
