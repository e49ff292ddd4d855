"""A period-end reward of a customer's own calendar: whether it has closed is a matter of the participation."""

from django.db import migrations

CHECK = """
CREATE OR REPLACE FUNCTION check_grant() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  given record;
  paid targets_cycle;
BEGIN
  FOR given IN
    SELECT target_id, cycle_number, level_id, reward_id, allocation, min(granted_at) AS first_granted_at
      FROM new_grant GROUP BY target_id, cycle_number, level_id, reward_id, allocation
  LOOP
    SELECT cycle.* INTO paid FROM targets_cycle cycle
      JOIN targets_target target ON target.target_group_id = cycle.target_group_id
     WHERE target.id = given.target_id AND cycle.number = given.cycle_number;
    PERFORM refuse_unless(
      paid.id IS NOT NULL, 'grant_cycle_of_own_group', 'A grant is for a period of its own group.');
    PERFORM refuse_unless(
      (SELECT reward.target_id = given.target_id AND reward.level_id IS NOT DISTINCT FROM given.level_id
          AND coalesce(reward.cycle_id, paid.id) = paid.id
         FROM rewards_reward reward WHERE reward.id = given.reward_id),
      'grant_of_own_reward', 'A grant gives the reward of its own target, period and level.');
    PERFORM refuse_unless(
      given.allocation = 'IMMEDIATE' OR {own_calendar}
      (paid.closed_at IS NOT NULL AND given.first_granted_at >= paid.closes_at),
      'grant_of_period_end_when_closed', 'A period-end reward is given when its period has closed.');
  END LOOP;
  RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("rewards", "0006_reward_per_cycle"), ("targets", "0012_own_calendars")]
    operations = [
        migrations.RunSQL(
            CHECK.replace("{own_calendar}", "paid.closes_at IS NULL OR"), CHECK.replace("{own_calendar}", "")
        )
    ]
