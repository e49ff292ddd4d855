"""How many joined and left, day by day: counted behind the changes, so that no change pays for it.

Receipts are read like a feed (docs/architecture.md, "Feeds"): each once, whatever the order of commits, by its index.
A page adds what has not been counted yet, as long as it is little: enrollments/tally.py.
"""

from django.db import connection, transaction

from enrollments.models import TallyPosition
from targets.models import Brand

AT_ONCE = 10_000

# Each target is looked up: a join might read all enrolments.
# `opened`: the open stays of the enrolment after the change less those before it. A customer whose leave is scheduled
# has left, so that leaving at once instead counts no second time.
CHANGES = """
SELECT next.id, next.transaction_id, next.kind, next.recorded_at,
       (SELECT target_id FROM enrollments_participation WHERE id = next.participation_id) AS target_id,
       (next.end_cycle IS NULL)::int
         - (next.end_cycle_before IS NULL AND next.kind NOT IN ('ENROLLED', 'REENROLLED'))::int AS opened,
       next.kind = 'UNENROLLED' AND next.running_verdict = 'left_reward_forfeited' AS forfeits
  FROM (SELECT id, transaction_id, participation_id, kind, recorded_at, end_cycle, end_cycle_before, running_verdict
          FROM enrollments_receipt
         WHERE brand_id = %(brand)s AND transaction_id >= {transaction}
           AND (transaction_id > {transaction} OR id > {receipt}) AND {condition}
         ORDER BY transaction_id, id
         LIMIT %(at_once)s) next
"""
PER_DAY = """
SELECT target_id, (recorded_at AT TIME ZONE %(zone)s)::date AS day,
       count(*) FILTER (WHERE opened > 0 AND kind IN ('ENROLLED', 'REENROLLED')) AS joined,
       count(*) FILTER (WHERE opened < 0) AS departed,
       count(*) FILTER (WHERE opened > 0 AND kind NOT IN ('ENROLLED', 'REENROLLED')) AS taken_back,
       count(*) FILTER (WHERE forfeits) AS forfeited
  FROM changes
 GROUP BY 1, 2
"""
# What no transaction that is still running can add to.
FINISHED = "transaction_id < (pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"
TALLY = f"""
WITH changes AS MATERIALIZED (
       {CHANGES.format(transaction="%(transaction)s", receipt="%(receipt)s", condition=FINISHED)}),
     days AS (
       INSERT INTO enrollments_dailychanges AS known (target_id, day, joined, departed, taken_back, forfeited) {PER_DAY}
           ON CONFLICT (target_id, day) DO UPDATE
          SET joined = known.joined + EXCLUDED.joined, departed = known.departed + EXCLUDED.departed,
              taken_back = known.taken_back + EXCLUDED.taken_back, forfeited = known.forfeited + EXCLUDED.forfeited)
UPDATE enrollments_tallyposition
   SET transaction_id = last.transaction_id, receipt_id = last.id
  FROM (SELECT transaction_id, id FROM changes ORDER BY transaction_id DESC, id DESC LIMIT 1) last
 WHERE brand_id = %(brand)s
RETURNING (SELECT count(*) FROM changes)
"""  # noqa: S608 - put together from what stands above


def tally_changes(*, brand: Brand, at_once: int = AT_ONCE) -> int:
    """Count the next receipts of the brand into their days, on its calendar; answers how many.

    Fewer than `at_once`: that is all for now. 0 too where somebody else is at it. In one transaction, so that what was
    counted is counted once, wherever a process stops.
    """
    with transaction.atomic():
        TallyPosition.objects.bulk_create([TallyPosition(brand=brand)], ignore_conflicts=True)
        position = TallyPosition.objects.select_for_update(skip_locked=True, no_key=True).filter(brand=brand).first()
        if position is None:
            return 0
        wanted: dict[str, int | str] = {
            "brand": brand.pk,
            "zone": brand.time_zone,
            "transaction": position.transaction_id,
            "receipt": position.receipt_id,
            "at_once": at_once,
        }
        with connection.cursor() as cursor:
            cursor.execute(TALLY, wanted)
            found = cursor.fetchone()
        return found[0] if found else 0
