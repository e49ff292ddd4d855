"""One SELECT for each promise of domain.md 9 that returns the rows which break it: customer_id, target_id, detail.

Whatever is not about a participation is reported with the customer and the target it names. All are set-based, and
joined by what is equal, in the order in which they are written: each table is read once, not once for each customer.
So what a promise is about is joined and looked for as missing; a NOT EXISTS inside an OR would be asked row by row.
"""

# The unbroken chains of each run of a streak. A chain is broken by a missed cycle: he was a member of it in this run,
# it was not achieved, and it lies before an achieved one, so that it has ended; ended while the group was inactive,
# it breaks nothing. A non-continuous streak is never broken. Only used where a statement names it.
CHAINS = """
achieved AS (
  SELECT participation.id AS participation_id, participation.customer_id, participation.target_id, progress.run_number,
         progress.cycle_number, progress.achieved_at, target_group.id AS target_group_id, target_group.tracking_type
    FROM enrollments_progress progress
    JOIN enrollments_participation participation ON participation.id = progress.participation_id
    JOIN targets_target target ON target.id = participation.target_id
    JOIN targets_targetgroup target_group ON target_group.id = target.target_group_id
   WHERE progress.achieved_at IS NOT NULL AND target_group.tracking_type <> 'DEFAULT'
),
breakable AS (
  SELECT participation_id, run_number, target_group_id, max(cycle_number) AS last_cycle
    FROM achieved WHERE tracking_type = 'STREAKS' GROUP BY participation_id, run_number, target_group_id
),
passed AS (
  SELECT participation_id, run_number, cycle_number, achieved_at, customer_id, target_id FROM achieved
  UNION ALL
  SELECT breakable.participation_id, breakable.run_number, cycle.number, NULL, NULL, NULL
    FROM breakable
    JOIN enrollments_stay stay
      ON stay.participation_id = breakable.participation_id AND stay.run_number = breakable.run_number
    JOIN targets_cycle cycle
      ON cycle.target_group_id = breakable.target_group_id AND cycle.number < breakable.last_cycle
     AND stay.first_cycle <= cycle.number AND coalesce(stay.end_cycle, 32767) > cycle.number
    LEFT JOIN achieved
      ON achieved.participation_id = breakable.participation_id AND achieved.run_number = breakable.run_number
     AND achieved.cycle_number = cycle.number
   WHERE achieved.participation_id IS NULL
     AND NOT EXISTS (
       SELECT FROM targets_inactivity inactivity
        WHERE inactivity.target_group_id = cycle.target_group_id AND inactivity.began_at < cycle.ends_at
          AND coalesce(inactivity.ended_at, 'infinity') >= cycle.ends_at)
),
broken AS (
  SELECT *, count(*) FILTER (WHERE achieved_at IS NULL) OVER (
           PARTITION BY participation_id, run_number ORDER BY cycle_number) AS times
    FROM passed
),
chain AS (
  SELECT participation_id, customer_id, target_id, run_number, count(*) AS length, max(achieved_at) AS last_achieved_at
    FROM broken WHERE achieved_at IS NOT NULL GROUP BY participation_id, customer_id, target_id, run_number, times
)
"""

# A reward was promised then if it was made before and not retired until after. What was made or retired at the very
# instant (the clock of a sandbox stands still) may have come before or after: nothing is claimed of it, unless the
# reward was there before anybody was enrolled.
STATEMENTS = {
    # domain.md 9.1
    "stays_within_calendar": (
        "A stay lies within the periods of its programme and ends no earlier than it begins.",
        """
        SELECT participation.customer_id, participation.target_id,
               format('stay %%s: periods %%s to %%s of %%s', stay.id, stay.first_cycle, stay.end_cycle, cycle_count)
                 AS detail
          FROM enrollments_stay stay
          JOIN enrollments_participation participation ON participation.id = stay.participation_id
          JOIN targets_target target ON target.id = participation.target_id
          JOIN targets_targetgroup target_group ON target_group.id = target.target_group_id
         WHERE stay.first_cycle NOT BETWEEN 1 AND cycle_count
            OR stay.end_cycle NOT BETWEEN stay.first_cycle AND cycle_count + 1
        """,
    ),
    "one_open_stay": (
        "A customer is in a target once: at most one of his stays is open.",
        """
        SELECT participation.customer_id, participation.target_id, format('%%s open stays', count(*)) AS detail
          FROM enrollments_stay stay
          JOIN enrollments_participation participation ON participation.id = stay.participation_id
         WHERE stay.end_cycle IS NULL
         GROUP BY participation.id HAVING count(*) > 1
        """,
    ),
    "stays_apart": (
        "Two stays of a customer in a target never cover the same period.",
        """
        SELECT participation.customer_id, participation.target_id,
               format('stays %%s and %%s overlap', stay.id, other.id) AS detail
          FROM enrollments_stay stay
          JOIN enrollments_stay other ON other.participation_id = stay.participation_id AND other.id > stay.id
          JOIN enrollments_participation participation ON participation.id = stay.participation_id
         WHERE greatest(stay.first_cycle, other.first_cycle)
               < least(coalesce(stay.end_cycle, 32767), coalesce(other.end_cycle, 32767))
        """,
    ),
    # domain.md 9.2. In force: the last receipt of leaving that was neither cancelled nor undone.
    "leave_has_its_receipt": (
        "A stay that ends has just one receipt in force, which set that end; and such a receipt has its stay.",
        """
        SELECT participation.customer_id, participation.target_id,
               format('stay %%s ends with %%s by receipt %%s, in force is receipt %%s with %%s', stay.id,
                      coalesce(stay.end_cycle::text, 'nothing'), coalesce(stay.leave_receipt_id::text, 'none'),
                      coalesce(in_force.id::text, 'none'), coalesce(in_force.end_cycle::text, 'nothing')) AS detail
          FROM enrollments_stay stay
          JOIN enrollments_participation participation ON participation.id = stay.participation_id
          LEFT JOIN (
            SELECT DISTINCT ON (receipt.stay_id) receipt.stay_id, receipt.id, receipt.end_cycle
              FROM enrollments_receipt receipt
              LEFT JOIN enrollments_receipt undoing ON undoing.undoes_id = receipt.id
             WHERE receipt.kind IN ('UNENROLLED', 'LEAVE_SCHEDULED') AND undoing.id IS NULL
             ORDER BY receipt.stay_id, receipt.id DESC
          ) in_force ON in_force.stay_id = stay.id
         WHERE (stay.end_cycle, stay.leave_receipt_id) IS DISTINCT FROM (in_force.end_cycle, in_force.id::bigint)
        """,
    ),
    # What is taken back is a leave of the same stay, by the kind of receipt that does that, to the end it had before.
    "undoing_takes_a_leave_back": (
        "A receipt that takes another one back is the only such one, of the same stay, and puts back the end before.",
        """
        SELECT participation.customer_id, participation.target_id,
               format('receipt %%s (%%s) takes back receipt %%s (%%s)', undoing.id, undoing.kind, receipt.id,
                      receipt.kind) AS detail
          FROM enrollments_receipt undoing
          JOIN enrollments_receipt receipt ON receipt.id = undoing.undoes_id
          JOIN (
            SELECT undoes_id, min(id) AS first FROM enrollments_receipt WHERE undoes_id IS NOT NULL GROUP BY undoes_id
          ) taken_back ON taken_back.undoes_id = receipt.id
          JOIN enrollments_participation participation ON participation.id = undoing.participation_id
         WHERE receipt.stay_id <> undoing.stay_id OR receipt.id > undoing.id
            OR undoing.id <> taken_back.first
            OR (undoing.kind, receipt.kind) NOT IN
               (('LEAVE_CANCELLED', 'LEAVE_SCHEDULED'), ('UNENROLMENT_UNDONE', 'UNENROLLED'))
            OR (undoing.end_cycle_before, undoing.end_cycle)
               IS DISTINCT FROM (receipt.end_cycle, receipt.end_cycle_before)
        """,
    ),
    # domain.md 9.3
    "immediate_achievement_is_paid": (
        "An achieved period of an immediate milestone has its grant, if there was a reward then.",
        """
        SELECT participation.customer_id, participation.target_id,
               format('period %%s achieved, no grant', progress.cycle_number) AS detail
          FROM enrollments_progress progress
          JOIN enrollments_participation participation ON participation.id = progress.participation_id
          JOIN targets_target target ON target.id = participation.target_id
          JOIN targets_targetgroup target_group
            ON target_group.id = target.target_group_id AND target_group.tracking_type = 'DEFAULT'
          JOIN targets_cycle cycle
            ON cycle.target_group_id = target_group.id AND cycle.number = progress.cycle_number
          JOIN targets_targetvalue target_value
            ON target_value.target_id = target.id AND target_value.cycle_id = cycle.id
           AND target_value.allocation = 'IMMEDIATE'
         WHERE progress.achieved_at IS NOT NULL
           AND EXISTS (
             SELECT FROM rewards_reward reward
              WHERE reward.target_id = target.id AND reward.level_id IS NULL
                AND (reward.cycle_id IS NULL OR reward.cycle_id = cycle.id)
                AND (reward.is_from_start OR reward.created_at < progress.achieved_at)
                AND (reward.retired_at IS NULL OR reward.retired_at > progress.achieved_at))
           AND NOT EXISTS (
             SELECT FROM rewards_grant given
              WHERE given.customer_id = participation.customer_id AND given.target_id = participation.target_id
                AND given.cycle_number = progress.cycle_number AND given.level_id IS NULL)
        """,
    ),
    # With its last achievement a chain had its full length, and every level up to it was due.
    "reached_level_is_paid": (
        "A level that the longest chain of a run has reached has its grant, if there was a reward then.",
        """
        SELECT chain.customer_id, chain.target_id,
               format('run %%s: level %%s reached by a chain of %%s, no grant', chain.run_number, level.target_count,
                      chain.length) AS detail
          FROM chain
          JOIN rewards_reward reward ON reward.target_id = chain.target_id
           AND (reward.is_from_start OR reward.created_at < chain.last_achieved_at)
           AND (reward.retired_at IS NULL OR reward.retired_at > chain.last_achieved_at)
          JOIN targets_streaklevel level ON level.id = reward.level_id AND level.target_count <= chain.length
         WHERE NOT EXISTS (
           SELECT FROM rewards_grant given
            WHERE given.customer_id = chain.customer_id AND given.target_id = chain.target_id
              AND given.run_number = chain.run_number AND given.level_id = level.id)
        """,
    ),
    "immediate_grant_was_achieved": (
        "A grant given at once has its achievement: the period, or a chain as long as its level.",
        """
        SELECT given.customer_id, given.target_id,
               format('grant %%s: period %%s, run %%s%%s', given.id, given.cycle_number, given.run_number,
                      ', level ' || level.target_count) AS detail
          FROM rewards_grant given
          LEFT JOIN targets_streaklevel level ON level.id = given.level_id
          LEFT JOIN (
            SELECT customer_id, target_id, run_number, max(length) AS length
              FROM chain GROUP BY customer_id, target_id, run_number
          ) longest USING (customer_id, target_id, run_number)
          LEFT JOIN (
            SELECT participation.customer_id, participation.target_id, progress.run_number, progress.cycle_number
              FROM enrollments_progress progress
              JOIN enrollments_participation participation ON participation.id = progress.participation_id
             WHERE progress.achieved_at IS NOT NULL
          ) reached USING (customer_id, target_id, run_number, cycle_number)
         WHERE given.allocation = 'IMMEDIATE'
           AND (reached.customer_id IS NULL OR level.target_count > coalesce(longest.length, 0))
        """,
    ),
    # Promised then: when it was given, or its cycle was closed. At the very instant of a change either may be right.
    "grant_is_what_was_promised": (
        "A grant gives what was promised then, word for word: the period's own reward, else the target's.",
        """
        SELECT given.customer_id, given.target_id,
               format('grant %%s of %%s: %%s', given.id, promised_at, given.reward_name) AS detail
          FROM (
            SELECT given.*, cycle.id AS cycle_id,
                   CASE WHEN given.allocation = 'PERIOD_END' THEN coalesce(cycle.closed_at, given.granted_at)
                        ELSE given.granted_at END
                     AS promised_at
              FROM rewards_grant given
              JOIN targets_target target ON target.id = given.target_id
              JOIN targets_cycle cycle
                ON cycle.target_group_id = target.target_group_id AND cycle.number = given.cycle_number
          ) given
          JOIN rewards_reward reward ON reward.id = given.reward_id
         WHERE (given.reward_name, given.reward_kind, given.reward_value, given.reward_payload)
               IS DISTINCT FROM (reward.name, reward.kind, reward.value, reward.payload)
            OR reward.retired_at < promised_at
            OR reward.created_at > promised_at AND NOT reward.is_from_start
            OR reward.level_id IS NULL AND reward.cycle_id IS NULL AND EXISTS (
              SELECT FROM rewards_reward own
               WHERE own.target_id = given.target_id AND own.cycle_id = given.cycle_id
                 AND (own.created_at < promised_at OR own.is_from_start)
                 AND (own.retired_at IS NULL OR own.retired_at > promised_at))
        """,
    ),
    # domain.md 9.4. Nobody joins or leaves a closed period, so today's stays are those of the payment.
    "period_end_grant_to_member": (
        "A period-end grant went to a member of the period who had reached its value, and not before it closed.",
        """
        SELECT given.customer_id, given.target_id,
               format('grant %%s: period %%s, closes at %%s, given at %%s', given.id, given.cycle_number,
                      cycle.closes_at, given.granted_at) AS detail
          FROM rewards_grant given
          JOIN targets_target target ON target.id = given.target_id
          LEFT JOIN targets_cycle cycle
            ON cycle.target_group_id = target.target_group_id AND cycle.number = given.cycle_number
          LEFT JOIN (
            SELECT DISTINCT earned.id
              FROM rewards_grant earned
              JOIN enrollments_participation participation
                ON participation.customer_id = earned.customer_id AND participation.target_id = earned.target_id
              JOIN enrollments_stay stay ON stay.participation_id = participation.id
               AND stay.first_cycle <= earned.cycle_number AND coalesce(stay.end_cycle, 32767) > earned.cycle_number
              JOIN enrollments_progress progress ON progress.participation_id = participation.id
               AND progress.run_number = stay.run_number AND progress.cycle_number = earned.cycle_number
              JOIN targets_target target ON target.id = earned.target_id
              JOIN targets_cycle cycle
                ON cycle.target_group_id = target.target_group_id AND cycle.number = earned.cycle_number
              JOIN targets_targetvalue target_value
                ON target_value.target_id = target.id AND target_value.cycle_id = cycle.id
               AND progress.value >= target_value.value
             WHERE earned.allocation = 'PERIOD_END'
          ) earned ON earned.id = given.id
         WHERE given.allocation = 'PERIOD_END'
           AND (cycle.id IS NULL OR earned.id IS NULL
             OR cycle.closes_at IS NOT NULL AND (cycle.closed_at IS NULL OR given.granted_at < cycle.closes_at))
        """,
    ),
    "period_end_reward_is_paid": (
        "When the payment of a period has finished, every member who had reached its value has his grant.",
        """
        SELECT participation.customer_id, participation.target_id,
               format('period %%s paid at %%s, value %%s, no grant', cycle.number, cycle.paid_at, progress.value)
                 AS detail
          FROM enrollments_progress progress
          JOIN enrollments_participation participation ON participation.id = progress.participation_id
          JOIN targets_target target ON target.id = participation.target_id
          JOIN targets_cycle cycle
            ON cycle.target_group_id = target.target_group_id AND cycle.number = progress.cycle_number
          JOIN targets_targetvalue target_value
            ON target_value.target_id = target.id AND target_value.cycle_id = cycle.id
           AND target_value.allocation = 'PERIOD_END' AND progress.value >= target_value.value
          JOIN enrollments_stay stay
            ON stay.participation_id = participation.id AND stay.run_number = progress.run_number
           AND stay.first_cycle <= cycle.number AND coalesce(stay.end_cycle, 32767) > cycle.number
         WHERE cycle.paid_at IS NOT NULL
           AND EXISTS (
             SELECT FROM rewards_reward reward
              WHERE reward.target_id = target.id AND reward.level_id IS NULL
                AND (reward.cycle_id IS NULL OR reward.cycle_id = cycle.id)
                AND (reward.is_from_start OR reward.created_at < cycle.closed_at)
                AND (reward.retired_at IS NULL OR reward.retired_at > cycle.closed_at))
           AND NOT EXISTS (
             SELECT FROM rewards_grant given
              WHERE given.customer_id = participation.customer_id AND given.target_id = participation.target_id
                AND given.cycle_number = cycle.number AND given.level_id IS NULL)
        """,
    ),
    # domain.md 9.5
    "paid_once": (
        "A period pays once, and a level once in a run.",
        """
        SELECT customer_id, target_id,
               format('%%s grants for %%s', count(*), CASE WHEN level_id IS NULL THEN 'period ' || key
                      ELSE 'level id ' || level_id || ' in run ' || key END) AS detail
          FROM (SELECT customer_id, target_id, level_id,
                       CASE WHEN level_id IS NULL THEN cycle_number ELSE run_number END AS key
                  FROM rewards_grant) given
         GROUP BY customer_id, target_id, level_id, key HAVING count(*) > 1
        """,
    ),
    # domain.md 9.6
    "one_brand": (
        "Customer, target, receipts, activities and grants of a participation are of one brand.",
        """
        SELECT participation.customer_id, participation.target_id,
               format('participation %%s is of brand %%s, its customer of %%s, its target of %%s', participation.id,
                      participation.brand_id, customer.brand_id, target.brand_id) AS detail
          FROM enrollments_participation participation
          JOIN targets_customer customer ON customer.id = participation.customer_id
          JOIN targets_target target ON target.id = participation.target_id
          JOIN targets_targetgroup target_group ON target_group.id = target.target_group_id
         WHERE participation.brand_id <> customer.brand_id OR participation.brand_id <> target.brand_id
            OR participation.brand_id <> target_group.brand_id
        UNION ALL
        SELECT participation.customer_id, participation.target_id,
               format('receipt %%s is of brand %%s', receipt.id, receipt.brand_id)
          FROM enrollments_receipt receipt
          JOIN enrollments_participation participation ON participation.id = receipt.participation_id
          JOIN enrollments_stay stay ON stay.id = receipt.stay_id
         WHERE receipt.brand_id <> participation.brand_id OR stay.participation_id <> participation.id
        UNION ALL
        SELECT participation.customer_id, participation.target_id,
               format('activity %%s is of brand %%s', activity.id, activity.brand_id)
          FROM enrollments_everyoutcome outcome
          JOIN enrollments_everyactivity activity ON activity.id = outcome.activity_id
          JOIN enrollments_participation participation ON participation.id = outcome.participation_id
         WHERE activity.brand_id <> participation.brand_id OR activity.customer_id <> participation.customer_id
        UNION ALL
        SELECT given.customer_id, given.target_id, format('grant %%s is of brand %%s', given.id, given.brand_id)
          FROM rewards_grant given
          JOIN targets_customer customer ON customer.id = given.customer_id
          JOIN targets_target target ON target.id = given.target_id
          JOIN rewards_reward reward ON reward.id = given.reward_id
         WHERE given.brand_id <> customer.brand_id OR given.brand_id <> target.brand_id
            OR reward.target_id <> given.target_id
        """,
    ),
    # domain.md 9.7. `adjustment` is what the balance last set added to the activities counted before it.
    "progress_is_accounted_for": (
        "The value of a period is the balance last set plus the activities counted since.",
        """
        SELECT participation.customer_id, participation.target_id,
               format('run %%s, period %%s: value %%s, adjustment %%s, counted %%s',
                      coalesce(progress.run_number, counted.run_number),
                      coalesce(progress.cycle_number, counted.cycle_number), coalesce(progress.value, 0),
                      coalesce(progress.adjustment, 0), coalesce(counted.total, 0)) AS detail
          FROM enrollments_progress progress
          FULL JOIN (
            SELECT participation_id, run_number, cycle_number, sum(delta) AS total
              FROM enrollments_everyoutcome WHERE reason = ''
             GROUP BY participation_id, run_number, cycle_number
          ) counted USING (participation_id, run_number, cycle_number)
          JOIN enrollments_participation participation
            ON participation.id = coalesce(progress.participation_id, counted.participation_id)
         WHERE coalesce(progress.value, 0) <> coalesce(progress.adjustment, 0) + coalesce(counted.total, 0)
            OR progress.id IS NULL
            OR progress.balance_at IS NULL AND progress.adjustment <> 0
        """,
    ),
    "visits_are_days": (
        "Each day with an activity that counted and is no return is one visit in its period, any other day none; where "
        "a period ends when it is achieved, one in all periods.",
        """
        SELECT customer_id, target_id,
               format('run %%s, period %%s, %%s: %%s visits counted', run_number, cycle_number, day, visits) AS detail
          FROM (
            SELECT participation.customer_id, participation.target_id, outcome.run_number,
                   CASE target_group.evaluation_type WHEN 'PERIOD_AGNOSTIC_WINDOW' THEN NULL
                        ELSE outcome.cycle_number END AS cycle_number,
                   (activity.occurred_at AT TIME ZONE target_group.time_zone)::date AS day,
                   sum(outcome.delta)::bigint AS visits,
                   bool_or(coalesce(activity.amount, 0) >= 0 AND coalesce(activity.quantity, 0) >= 0) AS is_day,
                   bool_or(outcome.visit_on <> (activity.occurred_at AT TIME ZONE target_group.time_zone)::date)
                     AS is_wrong_day
              FROM targets_target target
              JOIN targets_targetgroup target_group ON target_group.id = target.target_group_id
              JOIN enrollments_participation participation ON participation.target_id = target.id
              JOIN enrollments_everyoutcome outcome
                ON outcome.participation_id = participation.id AND outcome.reason = ''
              JOIN enrollments_everyactivity activity ON activity.id = outcome.activity_id
             WHERE target.kpi = 'VISIT'
             GROUP BY participation.id, outcome.run_number, 4, day
          ) counted
         WHERE visits <> is_day::integer OR is_wrong_day
        """,
    ),
}
