"""What an enrolment knows of the customer's own calendar, and how far that is closed and paid."""

from django.db import migrations, models

CHECK_CALENDARS = """
CREATE FUNCTION check_own_calendar() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  calendar targets_targetgroup;
BEGIN
  SELECT target_group.* INTO calendar FROM targets_targetgroup target_group
    JOIN targets_target target ON target.target_group_id = target_group.id WHERE target.id = NEW.target_id;
  PERFORM refuse_unless(
    NEW.anchored_at IS NULL OR calendar.evaluation_type = 'CYCLIC_WINDOW',
    'own_calendar_of_cyclic_window', 'A calendar begins with an activity in CYCLIC_WINDOW only.');
  PERFORM refuse_unless(
    TG_OP = 'INSERT' OR OLD.anchored_at IS NULL OR NEW.anchored_at IS NOT DISTINCT FROM OLD.anchored_at,
    'own_calendar_never_moves', 'The beginning of a calendar never moves.');
  PERFORM refuse_unless(
    NEW.closed_through <= calendar.cycle_count
    AND (TG_OP = 'INSERT' OR NEW.closed_through >= OLD.closed_through),
    'own_calendar_closes_forward', 'The cycles of a calendar are closed one after the other, up to the last.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_new_own_calendar BEFORE INSERT ON enrollments_participation FOR EACH ROW
  WHEN (NEW.anchored_at IS NOT NULL OR NEW.closed_through <> 0) EXECUTE FUNCTION check_own_calendar();
CREATE TRIGGER check_own_calendar BEFORE UPDATE OF anchored_at, closed_through ON enrollments_participation FOR EACH ROW
  WHEN (NEW.anchored_at IS DISTINCT FROM OLD.anchored_at OR NEW.closed_through <> OLD.closed_through)
  EXECUTE FUNCTION check_own_calendar();

CREATE FUNCTION check_own_period_end_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    NOT EXISTS (
      SELECT FROM new_grant
        JOIN targets_target target ON target.id = new_grant.target_id
        JOIN targets_cycle cycle ON cycle.target_group_id = target.target_group_id
         AND cycle.number = new_grant.cycle_number AND cycle.closes_at IS NULL
        JOIN enrollments_participation participation
          ON participation.customer_id = new_grant.customer_id AND participation.target_id = new_grant.target_id
       WHERE new_grant.allocation = 'PERIOD_END' AND participation.closed_through < new_grant.cycle_number),
    'grant_of_period_end_when_closed', 'A period-end reward is given when its period has closed.');
  RETURN NULL;
END $$;
CREATE TRIGGER check_own_period_end_grant AFTER INSERT ON rewards_grant REFERENCING NEW TABLE AS new_grant
  FOR EACH STATEMENT EXECUTE FUNCTION check_own_period_end_grant();
"""
UNCHECK = """
DROP TRIGGER check_own_period_end_grant ON rewards_grant;
DROP FUNCTION check_own_period_end_grant();
DROP TRIGGER check_own_calendar ON enrollments_participation;
DROP TRIGGER check_new_own_calendar ON enrollments_participation;
DROP FUNCTION check_own_calendar();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("enrollments", "0010_erased_customers"),
        ("targets", "0012_own_calendars"),
        ("rewards", "0007_own_calendars"),
    ]

    operations = [
        migrations.AddField(
            model_name="participation",
            name="anchored_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Where the customer's own calendar begins: his first activity. Never moves.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="participation",
            name="closed_through",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="The cycles of his own calendar up to this one are closed and paid."
            ),
        ),
        migrations.AddField(
            model_name="participation",
            name="closes_next_at",
            field=models.DateTimeField(
                blank=True, help_text="When the next cycle of his own calendar closes.", null=True
            ),
        ),
        migrations.AddField(
            model_name="receipt",
            name="anchored_at",
            field=models.DateTimeField(blank=True, help_text="Where his own calendar began, if it had.", null=True),
        ),
        migrations.AddField(
            model_name="stay",
            name="leaves_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="participation",
            index=models.Index(
                condition=models.Q(("closes_next_at__isnull", False)),
                fields=["brand", "closes_next_at"],
                name="participation_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="participation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("anchored_at__isnull", False),
                    models.Q(("closed_through", 0), ("closes_next_at", None)),
                    _connector="OR",
                ),
                name="participation_closes_what_has_begun",
            ),
        ),
        migrations.AddConstraint(
            model_name="stay",
            constraint=models.CheckConstraint(
                condition=models.Q(("leaves_at", None), ("leaves_after__isnull", False), _connector="OR"),
                name="stay_leaves_as_scheduled",
            ),
        ),
        migrations.RunSQL(CHECK_CALENDARS, UNCHECK),
    ]
