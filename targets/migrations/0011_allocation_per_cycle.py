"""When a reward is given is a fact of target and cycle, and each cycle has late days of its own: both may be edited for
cycles not begun (domain.md 7)."""

from django.db import migrations, models

ALLOCATION = models.CharField(
    choices=[("IMMEDIATE", "As soon as the target is reached"), ("PERIOD_END", "When the cycle closes")],
    default="IMMEDIATE",
    max_length=12,
)

TAKE_OVER = """
UPDATE targets_targetvalue target_value SET allocation = target.allocation
  FROM targets_target target WHERE target.id = target_value.target_id AND target.allocation <> 'IMMEDIATE';
UPDATE targets_cycle cycle SET late_days = target_group.late_days
  FROM targets_targetgroup target_group
 WHERE target_group.id = cycle.target_group_id AND target_group.late_days <> 0;
"""
# Where the cycles of a target differ, the last one decides.
GIVE_BACK = """
UPDATE targets_target target SET allocation = (
  SELECT target_value.allocation FROM targets_targetvalue target_value
    JOIN targets_cycle cycle ON cycle.id = target_value.cycle_id
   WHERE target_value.target_id = target.id ORDER BY cycle.number DESC LIMIT 1)
"""

CHECK_EACH_CYCLE = """
DROP TRIGGER check_target ON targets_target;
CREATE OR REPLACE FUNCTION check_target() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    NEW.target_group_id = OLD.target_group_id
    OR NOT EXISTS (SELECT FROM targets_targetvalue WHERE target_id = NEW.id),
    'target_stays_in_group', 'A target with values stays in its group: they are of its calendar.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_target BEFORE UPDATE OF target_group_id ON targets_target
  FOR EACH ROW EXECUTE FUNCTION check_target();

CREATE OR REPLACE FUNCTION check_target_group() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    NEW.tracking_type = 'DEFAULT' OR NOT EXISTS (
      SELECT FROM targets_targetvalue target_value JOIN targets_target target ON target.id = target_value.target_id
       WHERE target.target_group_id = NEW.id AND target_value.allocation = 'PERIOD_END'),
    'streak_is_immediate', 'A streak gives its rewards at once: PERIOD_END is for milestones.');
  PERFORM refuse_unless(
    NEW.cycle_count >= OLD.cycle_count,
    'target_group_keeps_cycles', 'Periods are appended, never taken away.');
  RETURN NEW;
END $$;

DROP TRIGGER check_target_value ON targets_targetvalue;
CREATE OR REPLACE FUNCTION check_target_value() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    (SELECT target_group_id FROM targets_target WHERE id = NEW.target_id)
    = (SELECT target_group_id FROM targets_cycle WHERE id = NEW.cycle_id),
    'target_value_of_own_calendar', 'A target has values in the periods of its own group only.');
  PERFORM refuse_unless(
    NEW.allocation = 'IMMEDIATE'
    OR (SELECT target_group.tracking_type FROM targets_targetgroup target_group
          JOIN targets_target target ON target.target_group_id = target_group.id
         WHERE target.id = NEW.target_id FOR KEY SHARE OF target_group) = 'DEFAULT',
    'streak_is_immediate', 'A streak gives its rewards at once: PERIOD_END is for milestones.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_target_value BEFORE INSERT OR UPDATE OF target_id, cycle_id, allocation ON targets_targetvalue
  FOR EACH ROW EXECUTE FUNCTION check_target_value();
"""
CHECK_TARGET = """
DROP TRIGGER check_target_value ON targets_targetvalue;
CREATE OR REPLACE FUNCTION check_target_value() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    (SELECT target_group_id FROM targets_target WHERE id = NEW.target_id)
    = (SELECT target_group_id FROM targets_cycle WHERE id = NEW.cycle_id),
    'target_value_of_own_calendar', 'A target has values in the periods of its own group only.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_target_value BEFORE INSERT OR UPDATE OF target_id, cycle_id ON targets_targetvalue
  FOR EACH ROW EXECUTE FUNCTION check_target_value();

CREATE OR REPLACE FUNCTION check_target_group() RETURNS trigger LANGUAGE plpgsql AS $$
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

DROP TRIGGER check_target ON targets_target;
CREATE OR REPLACE FUNCTION check_target() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    NEW.allocation = 'IMMEDIATE'
    OR (SELECT tracking_type FROM targets_targetgroup WHERE id = NEW.target_group_id FOR KEY SHARE) = 'DEFAULT',
    'streak_is_immediate', 'A streak gives its rewards at once: PERIOD_END is for milestones.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_target BEFORE INSERT OR UPDATE OF allocation, target_group_id ON targets_target
  FOR EACH ROW EXECUTE FUNCTION check_target();
"""


class Migration(migrations.Migration):
    dependencies = [("targets", "0010_wording")]
    operations = [
        migrations.AddField("targetvalue", "allocation", ALLOCATION),
        migrations.AddField(
            "cycle",
            "late_days",
            models.PositiveSmallIntegerField(
                default=0, help_text="Days after its end in which this cycle still accepts late activity."
            ),
        ),
        migrations.AlterField(
            "cycle",
            "closes_at",
            models.DateTimeField(help_text="End plus late days: from then on no activity counts."),
        ),
        migrations.AlterField(
            "targetgroup",
            "late_days",
            models.PositiveSmallIntegerField(
                default=0, help_text="Days after its end in which a new cycle is to accept late activity."
            ),
        ),
        migrations.RunSQL(TAKE_OVER, GIVE_BACK),
        migrations.RunSQL(CHECK_EACH_CYCLE, CHECK_TARGET),
        migrations.RemoveField("target", "allocation"),
    ]
