"""What needs more than one table: a streak is immediate, cycles are in order, values are of the own calendar."""

from django.db import migrations

ADD = """
CREATE FUNCTION refuse_unless(holds boolean, name text, sentence text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF NOT coalesce(holds, false) THEN
    RAISE EXCEPTION '%', sentence USING ERRCODE = 'check_violation', CONSTRAINT = name;
  END IF;
END $$;

CREATE FUNCTION check_target() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    NEW.allocation = 'IMMEDIATE'
    OR (SELECT tracking_type FROM targets_targetgroup WHERE id = NEW.target_group_id FOR KEY SHARE) = 'DEFAULT',
    'streak_is_immediate', 'A streak gives its rewards at once: PERIOD_END is for milestones.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_target BEFORE INSERT OR UPDATE OF allocation, target_group_id ON targets_target
  FOR EACH ROW EXECUTE FUNCTION check_target();

CREATE FUNCTION check_target_group() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    NEW.tracking_type = 'DEFAULT' OR NOT EXISTS (
      SELECT FROM targets_target WHERE target_group_id = NEW.id AND allocation = 'PERIOD_END'),
    'streak_is_immediate', 'A streak gives its rewards at once: PERIOD_END is for milestones.');
  PERFORM refuse_unless(
    NEW.cycle_count >= OLD.cycle_count,
    'target_group_keeps_cycles', 'Periods are appended, never taken away.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_target_group BEFORE UPDATE OF tracking_type, cycle_count ON targets_targetgroup
  FOR EACH ROW EXECUTE FUNCTION check_target_group();

CREATE FUNCTION check_cycle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    NEW.number <= (SELECT cycle_count FROM targets_targetgroup WHERE id = NEW.target_group_id),
    'cycle_number_within_group', 'The number of a period is at most the number of periods of its group.');
  PERFORM refuse_unless(
    NOT EXISTS (
      SELECT FROM targets_cycle other WHERE other.target_group_id = NEW.target_group_id AND other.id <> NEW.id
       AND ((other.number < NEW.number AND other.starts_at > NEW.starts_at)
         OR (other.number > NEW.number AND other.starts_at < NEW.starts_at))),
    'cycles_in_order', 'Periods are numbered in the order in which they start.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_cycle BEFORE INSERT OR UPDATE OF number, target_group_id, starts_at ON targets_cycle
  FOR EACH ROW EXECUTE FUNCTION check_cycle();

CREATE FUNCTION check_target_value() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    (SELECT target_group_id FROM targets_target WHERE id = NEW.target_id)
    = (SELECT target_group_id FROM targets_cycle WHERE id = NEW.cycle_id),
    'target_value_of_own_calendar', 'A target has values in the periods of its own group only.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_target_value BEFORE INSERT OR UPDATE OF target_id, cycle_id ON targets_targetvalue
  FOR EACH ROW EXECUTE FUNCTION check_target_value();
"""
DROP = """
DROP TRIGGER check_target_value ON targets_targetvalue;
DROP FUNCTION check_target_value();
DROP TRIGGER check_cycle ON targets_cycle;
DROP FUNCTION check_cycle();
DROP TRIGGER check_target_group ON targets_targetgroup;
DROP FUNCTION check_target_group();
DROP TRIGGER check_target ON targets_target;
DROP FUNCTION check_target();
DROP FUNCTION refuse_unless(boolean, text, text);
"""


class Migration(migrations.Migration):
    dependencies = [("targets", "0002_same_brand")]
    operations = [migrations.RunSQL(ADD, DROP)]
