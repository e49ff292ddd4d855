"""What must hold of calendars that are each customer's own (domain.md 10): see `integrity_statements`."""


def closes_at(number: str) -> str:
    """The closing instant of a cycle, as SQL.

    Of a wall time that comes twice PostgreSQL takes the second and the product the first, and what the clocks skip may
    shift the late days: two hours are no violation.
    """
    return f"""(((participation.anchored_at AT TIME ZONE target_group.time_zone)
      + ({number}) * target_group.frequency * CASE target_group.frequency_type WHEN 'WEEKLY' THEN interval '7 days'
          WHEN 'MONTHLY' THEN interval '1 month' WHEN 'QUARTERLY' THEN interval '3 months'
          WHEN 'HALF_YEARLY' THEN interval '6 months' WHEN 'YEARLY' THEN interval '1 year' ELSE interval '1 day' END
      + target_group.late_days * interval '1 day') AT TIME ZONE target_group.time_zone)"""


STATEMENTS = {
    "own_period_end_grant_when_closed": (
        "A period-end grant of a customer's own calendar was given when its period had closed, not before.",
        f"""
        SELECT given.customer_id, given.target_id,
               format('grant %%s: period %%s, closed through %%s, given at %%s', given.id, given.cycle_number,
                      participation.closed_through, given.granted_at) AS detail
          FROM rewards_grant given
          JOIN targets_target target ON target.id = given.target_id
          JOIN targets_targetgroup target_group
            ON target_group.id = target.target_group_id AND target_group.evaluation_type <> 'FIXED_CALENDAR_WINDOW'
          JOIN enrollments_participation participation
            ON participation.customer_id = given.customer_id AND participation.target_id = given.target_id
         WHERE given.allocation = 'PERIOD_END'
           AND (participation.closed_through < given.cycle_number OR participation.anchored_at IS NULL
             OR given.granted_at < {closes_at("given.cycle_number")} - interval '2 hours')
        """,  # noqa: S608 - made of constants of this module, nothing comes from outside
    ),
    "own_calendar_is_due": (
        "A customer's own calendar is closed in its order, and the next period closes when it says.",
        f"""
        SELECT participation.customer_id, participation.target_id,
               format('begun at %%s, closed through %%s, next at %%s', participation.anchored_at,
                      participation.closed_through, participation.closes_next_at) AS detail
          FROM enrollments_participation participation
          JOIN targets_target target ON target.id = participation.target_id
          JOIN targets_targetgroup target_group ON target_group.id = target.target_group_id
         WHERE (participation.closes_next_at IS NULL)
               <> (participation.anchored_at IS NULL OR participation.closed_through >= target_group.cycle_count)
            OR participation.closes_next_at NOT BETWEEN
               {closes_at("participation.closed_through + 1")} - interval '2 hours'
               AND {closes_at("participation.closed_through + 1")} + interval '2 hours'
        """,  # noqa: S608 - made of constants of this module, nothing comes from outside
    ),
    # When it was paid is not on record: only a reward that was there all the time must have been given.
    "own_period_end_reward_is_paid": (
        "Of a customer's own calendar, a closed period whose value he had reached has its grant.",
        """
        SELECT participation.customer_id, participation.target_id,
               format('period %%s closed, value %%s, no grant', progress.cycle_number, progress.value) AS detail
          FROM enrollments_participation participation
          JOIN enrollments_progress progress ON progress.participation_id = participation.id
           AND progress.cycle_number <= participation.closed_through
          JOIN enrollments_stay stay ON stay.participation_id = participation.id
           AND stay.run_number = progress.run_number AND stay.first_cycle <= progress.cycle_number
           AND coalesce(stay.end_cycle, 32767) > progress.cycle_number
          JOIN targets_target target ON target.id = participation.target_id
          JOIN targets_cycle cycle
            ON cycle.target_group_id = target.target_group_id AND cycle.number = progress.cycle_number
          JOIN targets_targetvalue target_value
            ON target_value.target_id = target.id AND target_value.cycle_id = cycle.id
           AND target_value.allocation = 'PERIOD_END' AND progress.value >= target_value.value
          JOIN rewards_reward reward ON reward.target_id = target.id AND reward.level_id IS NULL
           AND (reward.cycle_id = cycle.id OR reward.cycle_id IS NULL) AND reward.retired_at IS NULL
           AND (reward.is_from_start OR reward.created_at <= participation.anchored_at)
         WHERE NOT EXISTS (
           SELECT FROM rewards_grant given
            WHERE given.customer_id = participation.customer_id AND given.target_id = participation.target_id
              AND given.cycle_number = progress.cycle_number AND given.level_id IS NULL)
        """,
    ),
    "own_cycle_ends_achieved": (
        "Where a period ends when it is achieved, the achieved ones come first and nothing counts beyond the next.",
        """
        SELECT customer_id, target_id,
               format('period %%s has progress, of those before %%s are achieved', cycle_number, achieved) AS detail
          FROM (
            SELECT participation.customer_id, participation.target_id, progress.cycle_number,
                   count(progress.achieved_at) OVER (PARTITION BY participation.id ORDER BY progress.cycle_number
                     RANGE UNBOUNDED PRECEDING EXCLUDE GROUP) AS achieved
              FROM enrollments_progress progress
              JOIN enrollments_participation participation ON participation.id = progress.participation_id
              JOIN targets_target target ON target.id = participation.target_id
              JOIN targets_targetgroup target_group
                ON target_group.id = target.target_group_id AND target_group.evaluation_type = 'PERIOD_AGNOSTIC_WINDOW'
          ) earlier
         WHERE achieved <> cycle_number - 1
        """,
    ),
}
