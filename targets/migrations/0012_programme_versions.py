import django.db.models.deletion
import targets.exact_json
from django.db import migrations, models

# What SQL holds of versions: a former state is written down by whatever changes it, every version has its change on
# record, and a closed period stays as it is. Existing programmes get their first line of history.
ADD = """
INSERT INTO targets_programmechange (target_group_id, version, at, by, source, request_id, changes)
  SELECT id, 1, created_at, created_by, '', '', '[{"what": "programme defined", "before": null, "after": null}]'
    FROM targets_targetgroup;
SET CONSTRAINTS ALL IMMEDIATE;

CREATE FUNCTION refuse_change_of_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% rows are history: they are only ever added', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON targets_programmechange
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_history();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON targets_formercycle
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_history();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON targets_formervalue
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_history();

-- The first of several states within one version is the one that counts.
CREATE FUNCTION keep_former_cycle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO targets_formercycle (cycle_id, until_version, starts_at, ends_at, closes_at)
    SELECT OLD.id, version, OLD.starts_at, OLD.ends_at, OLD.closes_at
      FROM targets_targetgroup WHERE id = OLD.target_group_id
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER keep_former AFTER UPDATE OF starts_at, ends_at, closes_at ON targets_cycle FOR EACH ROW
  WHEN ((OLD.starts_at, OLD.ends_at, OLD.closes_at) IS DISTINCT FROM (NEW.starts_at, NEW.ends_at, NEW.closes_at))
  EXECUTE FUNCTION keep_former_cycle();

CREATE FUNCTION keep_former_value() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO targets_formervalue (target_value_id, until_version, value)
    SELECT OLD.id, version, OLD.value FROM targets_targetgroup
     WHERE id = (SELECT target_group_id FROM targets_cycle WHERE id = OLD.cycle_id)
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER keep_former AFTER UPDATE OF value ON targets_targetvalue FOR EACH ROW
  WHEN (OLD.value IS DISTINCT FROM NEW.value) EXECUTE FUNCTION keep_former_value();

CREATE FUNCTION check_former() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  cycle bigint := CASE WHEN TG_TABLE_NAME = 'targets_formercycle' THEN (to_jsonb(NEW) ->> 'cycle_id')::bigint
    ELSE (SELECT cycle_id FROM targets_targetvalue WHERE id = (to_jsonb(NEW) ->> 'target_value_id')::bigint) END;
BEGIN
  PERFORM refuse_unless(
    (SELECT version > NEW.until_version FROM targets_targetgroup
      WHERE id = (SELECT target_group_id FROM targets_cycle WHERE id = cycle)),
    'programme_changes_by_version', 'Dates and values of a programme change with its version.');
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER check_former AFTER INSERT ON targets_formercycle
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_former();
CREATE CONSTRAINT TRIGGER check_former AFTER INSERT ON targets_formervalue
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_former();

CREATE FUNCTION check_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    NEW.version >= OLD.version
    AND (NEW.version = OLD.version OR NEW.version = OLD.version + 1 AND EXISTS (
      SELECT FROM targets_programmechange change
       WHERE change.target_group_id = NEW.id AND change.version = NEW.version)),
    'programme_version_on_record', 'Each version of a programme follows the one before, with its change on record.');
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER check_version AFTER UPDATE OF version ON targets_targetgroup
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_version();

CREATE FUNCTION check_closed_cycle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    (OLD.starts_at, OLD.ends_at, OLD.closes_at) IS NOT DISTINCT FROM (NEW.starts_at, NEW.ends_at, NEW.closes_at),
    'closed_cycle_keeps_dates', 'The dates of a closed period never change.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_closed_cycle BEFORE UPDATE OF starts_at, ends_at, closes_at ON targets_cycle
  FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL) EXECUTE FUNCTION check_closed_cycle();

CREATE FUNCTION check_value_of_closed_cycle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    (SELECT closed_at IS NULL FROM targets_cycle WHERE id = OLD.cycle_id),
    'closed_cycle_keeps_values', 'The value to reach in a closed period never changes.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_value_of_closed_cycle BEFORE UPDATE OF value ON targets_targetvalue
  FOR EACH ROW WHEN (NEW.value <> OLD.value) EXECUTE FUNCTION check_value_of_closed_cycle();
"""
DROP = """
DROP TRIGGER check_value_of_closed_cycle ON targets_targetvalue;
DROP FUNCTION check_value_of_closed_cycle();
DROP TRIGGER check_closed_cycle ON targets_cycle;
DROP FUNCTION check_closed_cycle();
DROP TRIGGER check_version ON targets_targetgroup;
DROP FUNCTION check_version();
DROP TRIGGER check_former ON targets_formervalue;
DROP TRIGGER check_former ON targets_formercycle;
DROP FUNCTION check_former();
DROP TRIGGER keep_former ON targets_targetvalue;
DROP FUNCTION keep_former_value();
DROP TRIGGER keep_former ON targets_cycle;
DROP FUNCTION keep_former_cycle();
DROP TRIGGER append_only ON targets_formervalue;
DROP TRIGGER append_only ON targets_formercycle;
DROP TRIGGER append_only ON targets_programmechange;
DROP FUNCTION refuse_change_of_history();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("targets", "0011_allocation_per_cycle"),
    ]

    operations = [
        migrations.AddField(
            model_name="targetgroup",
            name="version",
            field=models.PositiveIntegerField(
                db_default=1,
                default=1,
                editable=False,
                help_text="Each change makes the next one; receipts are read at the version they were written at.",
            ),
        ),
        migrations.CreateModel(
            name="FormerCycle",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("until_version", models.PositiveIntegerField()),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("closes_at", models.DateTimeField()),
                (
                    "cycle",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="former", to="targets.cycle"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("cycle", "until_version"), name="former_cycle_unique")],
            },
        ),
        migrations.CreateModel(
            name="FormerValue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("until_version", models.PositiveIntegerField()),
                ("value", models.DecimalField(decimal_places=3, max_digits=18)),
                (
                    "target_value",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="former", to="targets.targetvalue"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("target_value", "until_version"), name="former_value_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="ProgrammeChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.PositiveIntegerField(help_text="The version of the programme that it made.")),
                ("at", models.DateTimeField()),
                ("by", models.CharField(blank=True, max_length=150)),
                (
                    "source",
                    models.CharField(
                        blank=True, help_text="Through which door it came; empty: not said.", max_length=8
                    ),
                ),
                ("request_id", models.CharField(blank=True, max_length=64)),
                (
                    "changes",
                    targets.exact_json.ExactJSONField(
                        default=list, help_text="What was changed, each with before and after, in plain words."
                    ),
                ),
                (
                    "target_group",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="changes", to="targets.targetgroup"
                    ),
                ),
            ],
            options={
                "ordering": ["target_group", "version"],
                "constraints": [
                    models.UniqueConstraint(fields=("target_group", "version"), name="change_unique_per_version"),
                    models.CheckConstraint(condition=models.Q(("version__gte", 1)), name="change_version_positive"),
                ],
            },
        ),
        migrations.RunSQL(ADD, DROP),
    ]
