"""Customers with calendars of their own: the cycles of such a group have names, and no instants."""

import django.contrib.postgres.constraints
from django.db import migrations, models

CHECK_WINDOWS = """
CREATE OR REPLACE FUNCTION check_cycle() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  calendar targets_targetgroup;
BEGIN
  SELECT * INTO calendar FROM targets_targetgroup WHERE id = NEW.target_group_id;
  PERFORM refuse_unless(
    NEW.number <= calendar.cycle_count,
    'cycle_number_within_group', 'The number of a period is at most the number of periods of its group.');
  PERFORM refuse_unless(
    (NEW.starts_at IS NOT NULL) = (calendar.evaluation_type = 'FIXED_CALENDAR_WINDOW'),
    'cycle_instants_of_fixed_calendar', 'A period has dates where the calendar is everybody''s, and only there.');
  PERFORM refuse_unless(
    NOT EXISTS (
      SELECT FROM targets_cycle other WHERE other.target_group_id = NEW.target_group_id AND other.id <> NEW.id
       AND ((other.number < NEW.number AND other.starts_at > NEW.starts_at)
         OR (other.number > NEW.number AND other.starts_at < NEW.starts_at))),
    'cycles_in_order', 'Periods are numbered in the order in which they start.');
  RETURN NEW;
END $$;

CREATE FUNCTION check_target_of_window() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  window_type text;
BEGIN
  SELECT evaluation_type INTO window_type FROM targets_targetgroup WHERE id = NEW.target_group_id FOR NO KEY UPDATE;
  PERFORM refuse_unless(
    window_type = 'FIXED_CALENDAR_WINDOW'
    OR NOT EXISTS (SELECT FROM targets_target WHERE target_group_id = NEW.target_group_id AND id <> NEW.id),
    'own_calendar_has_one_target', 'Where each customer has a calendar of his own, a group has one target.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_target_of_window BEFORE INSERT ON targets_target
  FOR EACH ROW EXECUTE FUNCTION check_target_of_window();

CREATE FUNCTION check_value_of_window() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    (SELECT target_group.evaluation_type FROM targets_targetgroup target_group
       JOIN targets_target target ON target.target_group_id = target_group.id WHERE target.id = NEW.target_id)
    <> 'PERIOD_AGNOSTIC_WINDOW',
    'period_agnostic_window_is_immediate', 'Where a cycle ends when it is achieved, rewards are given at once.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_value_of_window BEFORE INSERT OR UPDATE OF target_id, allocation ON targets_targetvalue
  FOR EACH ROW WHEN (NEW.allocation = 'PERIOD_END') EXECUTE FUNCTION check_value_of_window();
"""
CHECK_FIXED_ONLY = """
DROP TRIGGER check_value_of_window ON targets_targetvalue;
DROP FUNCTION check_value_of_window();
DROP TRIGGER check_target_of_window ON targets_target;
DROP FUNCTION check_target_of_window();
CREATE OR REPLACE FUNCTION check_cycle() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""


class Migration(migrations.Migration):
    dependencies = [
        ("targets", "0012_programme_versions"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="cycle",
            name="cycles_never_overlap",
        ),
        migrations.AlterField(
            model_name="cycle",
            name="closes_at",
            field=models.DateTimeField(
                blank=True, help_text="End plus late days: from then on no activity counts.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="cycle",
            name="ends_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="cycle",
            name="starts_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="targetgroup",
            name="evaluation_type",
            field=models.CharField(
                choices=[
                    ("FIXED_CALENDAR_WINDOW", "The same calendar for everybody"),
                    ("CYCLIC_WINDOW", "Each customer's own calendar, from his first activity"),
                    ("PERIOD_AGNOSTIC_WINDOW", "A cycle ends when it is achieved"),
                ],
                default="FIXED_CALENDAR_WINDOW",
                max_length=24,
            ),
        ),
        migrations.AddConstraint(
            model_name="cycle",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closes_at__isnull", False), ("ends_at__isnull", False), ("starts_at__isnull", False)),
                    models.Q(
                        ("closed_at", None),
                        ("closes_at", None),
                        ("ends_at", None),
                        ("paid_at", None),
                        ("starts_at", None),
                    ),
                    _connector="OR",
                ),
                name="cycle_instants_all_or_none",
            ),
        ),
        migrations.AddConstraint(
            model_name="cycle",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(("starts_at__isnull", False)),
                expressions=[
                    (
                        models.Func(
                            models.F("target_group"), models.F("target_group"), models.Value("[]"), function="int8range"
                        ),
                        "&&",
                    ),
                    (models.Func(models.F("starts_at"), models.F("ends_at"), function="tstzrange"), "&&"),
                ],
                name="cycles_never_overlap",
                violation_error_message="Two periods overlap.",
            ),
        ),
        migrations.AddConstraint(
            model_name="targetgroup",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("tracking_type", "DEFAULT"), ("evaluation_type", "FIXED_CALENDAR_WINDOW"), _connector="OR"
                ),
                name="streak_has_fixed_calendar",
                violation_error_message="A streak runs in a calendar that is the same for everybody.",
            ),
        ),
        migrations.AddConstraint(
            model_name="targetgroup",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("evaluation_type", "CYCLIC_WINDOW"), _negated=True),
                    ("frequency__gte", 1),
                    _connector="OR",
                ),
                name="cyclic_window_has_length",
                violation_error_message="The cycles of CYCLIC_WINDOW have a length: frequencyType and frequency.",
            ),
        ),
        migrations.AddConstraint(
            model_name="targetgroup",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("evaluation_type", "PERIOD_AGNOSTIC_WINDOW"), _negated=True),
                    ("late_days", 0),
                    _connector="OR",
                ),
                name="period_agnostic_window_is_never_late",
                violation_error_message="In PERIOD_AGNOSTIC_WINDOW a cycle ends when it is achieved: late days are 0.",
            ),
        ),
        migrations.RunSQL(CHECK_WINDOWS, CHECK_FIXED_ONLY),
    ]
