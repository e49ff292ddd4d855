"""Rewards and grants are of the levels and cycles of their own target's group; period-end ones come at the close."""

from django.db import migrations

ADD = """
CREATE FUNCTION check_reward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    NEW.level_id IS NULL OR (SELECT target_group_id FROM targets_streaklevel WHERE id = NEW.level_id)
    = (SELECT target_group_id FROM targets_target WHERE id = NEW.target_id),
    'reward_level_of_own_group', 'A reward is for a level of the group of its own target.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_reward BEFORE INSERT OR UPDATE OF target_id, level_id ON rewards_reward
  FOR EACH ROW EXECUTE FUNCTION check_reward();

CREATE FUNCTION check_grant() RETURNS trigger LANGUAGE plpgsql AS $$
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
DROP = """
DROP TRIGGER check_grant ON rewards_grant;
DROP FUNCTION check_grant();
DROP TRIGGER check_reward ON rewards_reward;
DROP FUNCTION check_reward();
"""


class Migration(migrations.Migration):
    dependencies = [("rewards", "0002_ledger"), ("targets", "0003_calendar")]
    operations = [migrations.RunSQL(ADD, DROP)]
