"""The statements of `unenroll_together`, in the order in which they are carried out."""

from enrollments.operations.accounting import WRITTEN

# Each row by an index, so that a chunk costs the same however large the tables are and whatever is known of them.
BY_INDEX = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off"
AS_EVER = "SET LOCAL enable_hashjoin TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT; SET LOCAL jit TO DEFAULT"
STAGE = "CREATE TEMPORARY TABLE leaving_asked (number bigint, foreseen text) ON COMMIT DROP"
COPY = "COPY leaving_asked FROM STDIN"

# Of a brand or target that the statistics do not know yet the planner expects a handful of rows, and would compare all
# of them with everybody asked for. So each is looked up for himself (OFFSET keeps that apart), and which brand and
# target it is is not said before the plan is made (SELECT).
LOCK = """
CREATE TEMPORARY TABLE leaving_locked ON COMMIT DROP AS
SELECT found.number, found.foreseen, participation.id
  FROM (SELECT asked.number, asked.foreseen, (
               SELECT his.id FROM enrollments_participation his
                WHERE his.target_id = (SELECT %(target)s::bigint) AND his.customer_id = (
                      SELECT customer.id FROM targets_customer customer
                       WHERE customer.brand_id = (SELECT %(brand)s::bigint)
                         AND customer.customer_id = asked.number)) AS id
          FROM leaving_asked asked OFFSET 0) found
  JOIN enrollments_participation participation ON participation.id = found.id
 ORDER BY participation.id FOR NO KEY UPDATE OF participation{waiting}
"""

# The twin of enrollments.decisions.shown_count.
STREAK_COUNT = """(
  SELECT count(*) FROM enrollments_progress each
   WHERE each.participation_id = stay.participation_id AND each.run_number = stay.run_number
     AND each.achieved_at IS NOT NULL AND each.cycle_number > coalesce((
       SELECT max(number) FROM unnest(%(ended)s::integer[]) number
        WHERE EXISTS (
          SELECT FROM enrollments_stay his
           WHERE his.participation_id = stay.participation_id AND his.run_number = stay.run_number
             AND his.first_cycle <= number AND (his.end_cycle IS NULL OR his.end_cycle > number))
          AND NOT EXISTS (
          SELECT FROM enrollments_progress reached
           WHERE reached.participation_id = stay.participation_id AND reached.run_number = stay.run_number
             AND reached.cycle_number = number AND reached.achieved_at IS NOT NULL)), 0))"""

# The twin of enrollments.decisions.decide_leave, and of what `unenroll` refuses, in the same order.
DECIDE = """
CREATE TEMPORARY TABLE leaving_decided ON COMMIT DROP AS
WITH found AS (
  SELECT locked.number, locked.foreseen, participation.id AS participation_id, participation.changed_at,
         stay.id AS stay_id, stay.run_number, stay.first_cycle, stay.end_cycle AS end_cycle_before,
         stay.leave_receipt_id, coalesce(stay.left_at, leave_ends.ends_at) AS out_at,
         stay.end_cycle IS NULL OR coalesce(%(at)s < leave_ends.ends_at, false) AS is_current,
         coalesce(progress.value, 0) AS running_value, progress.achieved_at AS running_achieved_at,
         given.id IS NOT NULL AS is_granted, greatest(%(leaving)s::integer, stay.first_cycle) AS end_cycle,
         done.kind AS done_kind, done.id AS done_id,
         {streak_count} AS streak_count
    FROM leaving_locked locked
    JOIN enrollments_participation participation ON participation.id = locked.id
    LEFT JOIN LATERAL (
      SELECT * FROM enrollments_stay each WHERE each.participation_id = locked.id ORDER BY each.id DESC LIMIT 1
    ) stay ON true
    LEFT JOIN targets_cycle leave_ends
      ON leave_ends.target_group_id = %(group)s AND leave_ends.number = stay.leaves_after
    LEFT JOIN enrollments_progress progress
      ON progress.participation_id = locked.id AND progress.run_number = stay.run_number
     AND progress.cycle_number = %(running)s
    LEFT JOIN rewards_grant given
      ON given.customer_id = participation.customer_id AND given.target_id = (SELECT %(target)s::bigint)
     AND given.cycle_number = %(running)s AND given.level_id IS NULL
    -- Not by the index of the batch, which grows while the batch is carried out: hence no "=".
    LEFT JOIN LATERAL (
      SELECT each.id, each.kind FROM enrollments_receipt each
       WHERE %(is_resumed)s AND each.participation_id = locked.id
         AND each.batch_id IS NOT DISTINCT FROM %(batch)s AND each.kind IN ('UNENROLLED', 'LEAVE_SCHEDULED')
       ORDER BY each.id LIMIT 1
    ) done ON true
), judged AS (
  SELECT *, %(kind)s AS kind, %(running)s::integer AS running_cycle, %(cycle_count)s::integer AS cycle_count,
         CASE WHEN first_cycle > %(running)s THEN 'not_member'
              WHEN end_cycle > %(running)s THEN 'kept'
              WHEN is_granted THEN 'left_reward_kept'
              WHEN %(pays_at_end)s AND running_value >= %(target_value)s THEN 'left_reward_forfeited'
              ELSE 'left' END AS running_verdict
    FROM found
), told AS (
  SELECT *, {facts} AS facts FROM judged
), answered AS (
  SELECT *,
         CASE WHEN done_id IS NOT NULL THEN CASE done_kind WHEN 'UNENROLLED' THEN 'unenrolled' ELSE 'scheduled' END
              WHEN changed_at > %(at)s THEN 'try_again'
              WHEN stay_id IS NULL THEN 'never_enrolled'
              WHEN NOT is_current THEN 'already_left'
              WHEN %(is_scheduled)s AND leave_receipt_id IS NOT NULL THEN 'scheduled'
              WHEN running_cycle IS NULL THEN 'period_over'
              WHEN foreseen <> facts THEN 'changed'
              ELSE %(done)s END AS outcome
    FROM told
)
SELECT *, outcome = 'scheduled' AND leave_receipt_id IS NOT NULL AS is_repeated,
       CASE WHEN outcome = %(done)s AND done_id IS NULL AND (outcome = 'unenrolled' OR leave_receipt_id IS NULL)
             AND NOT %(dry_run)s
            THEN nextval(pg_get_serial_sequence('enrollments_receipt', 'id')) END AS receipt_id
  FROM answered
"""

# What differs from receipt to receipt of a chunk; all else is the same on each.
OF_EACH = (
    "participation_id",
    "stay_id",
    "run_number",
    "streak_count",
    "from_cycle",
    "first_cycle",
    "end_cycle_before",
    "end_cycle",
    "running_value",
    "running_verdict",
    "running_achieved_at",
)
COLUMNS = [str(field.column) for field in WRITTEN]
DECIDED_AS = {"from_cycle": "end_cycle"}
ACCOUNT = f"""
INSERT INTO enrollments_receipt (id, {", ".join(COLUMNS)})
SELECT receipt_id, {", ".join(DECIDED_AS.get(name, name) if name in OF_EACH else f"%({name})s" for name in COLUMNS)}
  FROM leaving_decided WHERE receipt_id IS NOT NULL
"""  # noqa: S608 - names of our own columns
END = """
UPDATE enrollments_stay stay
   SET end_cycle = decided.end_cycle, left_at = %(left_at)s, leaves_after = %(leaves_after)s, leaves_at = NULL,
       leave_receipt_id = decided.receipt_id
  FROM leaving_decided decided WHERE stay.id = decided.stay_id AND decided.receipt_id IS NOT NULL
"""
TOUCH = """
UPDATE enrollments_participation participation SET changed_at = %(at)s
  FROM leaving_decided decided WHERE participation.id = decided.participation_id AND decided.receipt_id IS NOT NULL
"""
TELL = """
SELECT number, outcome, coalesce(receipt_id, CASE WHEN is_repeated THEN leave_receipt_id END), is_repeated,
       CASE WHEN outcome = 'already_left' THEN out_at END,
       outcome = 'unenrolled' AND running_verdict = 'left_reward_forfeited',
       CASE WHEN outcome = 'changed' OR outcome = %(done)s AND NOT is_repeated THEN facts ELSE '' END
  FROM leaving_decided WHERE done_id IS NULL
"""
# Of whom the same batch has unenrolled before, the receipt of that, and whether it was taken back.
TELL_DONE = """
SELECT decided.number, decided.outcome, receipt.id,
       CASE WHEN receipt.running_verdict = 'left_reward_forfeited' THEN cycle.ref_code END,
       EXISTS (SELECT FROM enrollments_receipt taking_back WHERE taking_back.undoes_id = receipt.id)
  FROM leaving_decided decided
  JOIN enrollments_receipt receipt ON receipt.id = decided.done_id
  LEFT JOIN targets_cycle cycle ON cycle.target_group_id = %(group)s AND cycle.number = receipt.running_cycle
"""
# Locked by somebody else, or enrolled since the lock: to be tried again. Else there is nothing of him to lock.
TELL_OTHERS = """
SELECT number,
       CASE WHEN customer.id IS NULL THEN 'unknown_customer'
            WHEN (SELECT participation.id FROM enrollments_participation participation
                   WHERE participation.customer_id = customer.id
                     AND participation.target_id = (SELECT %(target)s::bigint)) IS NOT NULL
            THEN 'try_again' ELSE 'never_enrolled' END
  FROM unnest(%(others)s::bigint[]) number
  LEFT JOIN LATERAL (
    SELECT each.id FROM targets_customer each
     WHERE each.brand_id = (SELECT %(brand)s::bigint) AND each.customer_id = number OFFSET 0) customer ON true
"""
DROP = "DROP TABLE leaving_asked, leaving_locked, leaving_decided"  # an outer transaction may have more chunks to come
