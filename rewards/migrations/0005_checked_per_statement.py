"""The checks of grants run once per statement, and the keys that composite keys imply go: closing pays many at once."""

import django.db.models.deletion
from django.db import migrations, models

# Grants of one statement that agree in what is checked are checked once: paying a chunk of a cycle is one look-up.
PER_STATEMENT = """
DROP TRIGGER check_grant ON rewards_grant;
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
         FROM rewards_reward reward WHERE reward.id = given.reward_id),
      'grant_of_own_reward', 'A grant gives the reward of its own target and level.');
    PERFORM refuse_unless(
      given.allocation = 'IMMEDIATE' OR (paid.closed_at IS NOT NULL AND given.first_granted_at >= paid.closes_at),
      'grant_of_period_end_when_closed', 'A period-end reward is given when its period has closed.');
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER check_grant AFTER INSERT ON rewards_grant REFERENCING NEW TABLE AS new_grant
  FOR EACH STATEMENT EXECUTE FUNCTION check_grant();
"""
PER_ROW = """
DROP TRIGGER check_grant ON rewards_grant;
CREATE OR REPLACE FUNCTION check_grant() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  paid targets_cycle;
BEGIN
  SELECT cycle.* INTO paid FROM targets_cycle cycle
    JOIN targets_target target ON target.target_group_id = cycle.target_group_id
   WHERE target.id = NEW.target_id AND cycle.number = NEW.cycle_number;
  PERFORM refuse_unless(paid.id IS NOT NULL, 'grant_cycle_of_own_group', 'A grant is for a period of its own group.');
  PERFORM refuse_unless(
    (SELECT reward.target_id = NEW.target_id AND reward.level_id IS NOT DISTINCT FROM NEW.level_id
       FROM rewards_reward reward WHERE reward.id = NEW.reward_id),
    'grant_of_own_reward', 'A grant gives the reward of its own target and level.');
  PERFORM refuse_unless(
    NEW.allocation = 'IMMEDIATE' OR (paid.closed_at IS NOT NULL AND NEW.granted_at >= paid.closes_at),
    'grant_of_period_end_when_closed', 'A period-end reward is given when its period has closed.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_grant BEFORE INSERT ON rewards_grant FOR EACH ROW EXECUTE FUNCTION check_grant();
"""


class Migration(migrations.Migration):
    dependencies = [("rewards", "0004_exact_payloads")]
    operations = [
        migrations.RunSQL(PER_STATEMENT, PER_ROW),
        migrations.AlterField(
            model_name="grant",
            name="brand",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="targets.brand",
            ),
        ),
        migrations.AlterField(
            model_name="grant",
            name="customer",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="grants",
                to="targets.customer",
            ),
        ),
        migrations.AlterField(
            model_name="grant",
            name="target",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="grants",
                to="targets.target",
            ),
        ),
    ]
