from django.db import migrations, models


# Once somebody has enrolled, days, counts and windows have been judged by these.
ADD = """
CREATE FUNCTION check_kind_of_group() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    NOT EXISTS (
      SELECT FROM targets_target target JOIN enrollments_participation participation
        ON participation.target_id = target.id WHERE target.target_group_id = NEW.id),
    'target_group_keeps_kind', 'Time zone, kind and window never change once somebody has enrolled.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_kind_of_group BEFORE UPDATE OF time_zone, tracking_type, evaluation_type ON targets_targetgroup
  FOR EACH ROW WHEN ((OLD.time_zone, OLD.tracking_type, OLD.evaluation_type)
    IS DISTINCT FROM (NEW.time_zone, NEW.tracking_type, NEW.evaluation_type))
  EXECUTE FUNCTION check_kind_of_group();
"""
DROP = """
DROP TRIGGER check_kind_of_group ON targets_targetgroup;
DROP FUNCTION check_kind_of_group();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("enrollments", "0010_erased_customers"),
        ("targets", "0012_programme_versions"),
    ]

    operations = [
        migrations.AddField(
            model_name="receipt",
            name="programme_version",
            field=models.PositiveIntegerField(
                db_default=1, default=1, help_text="Which version of the programme it speaks of."
            ),
        ),
        migrations.RunSQL(ADD, DROP),
    ]
