"""The archive: activities with which nothing can happen any more, in tables of their own (docs/scaling.md).

Django cannot say that a table is partitioned, so they are made here. They have no foreign keys: their rows come out of
the tables that are written, where all references were checked, and a key's check would write into the row it refers to.
The views are for all who only read; a migration that changes a column of these tables has to make them anew.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import targets.exact_json

PARTITIONS = 8

# Columns of fixed width first, so that nothing is lost to alignment; no array where nothing was granted.
TABLES = """
CREATE TABLE enrollments_archivedactivity (
  id bigint NOT NULL,
  brand_id bigint NOT NULL,
  customer_id bigint NOT NULL,
  occurred_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  event_id varchar(200) NOT NULL,
  event_name varchar(100) NOT NULL,
  not_counted varchar(20) NOT NULL,
  amount numeric(18, 3),
  quantity numeric(18, 3),
  attributes jsonb NOT NULL
) PARTITION BY HASH (event_id);

CREATE TABLE enrollments_archivedoutcome (
  id bigint NOT NULL,
  activity_id bigint NOT NULL,
  participation_id bigint NOT NULL,
  left_by_id bigint,
  visit_on date,
  run_number smallint,
  cycle_number smallint,
  achieved boolean NOT NULL,
  reason varchar(20) NOT NULL,
  delta numeric(18, 3) NOT NULL,
  value numeric(30, 3) NOT NULL,
  grant_ids bigint[]
) PARTITION BY HASH (activity_id);
"""

# Made before the indexes, which each partition then gets too.
EACH_PARTITION = """
CREATE TABLE {table}_{number:02} PARTITION OF {table} FOR VALUES WITH (MODULUS {partitions}, REMAINDER {number});
"""

# A repeated event is looked up in one partition: by its id, and what it did by the activity. A customer's log, the
# admin and `check_integrity` look in all of them.
INDEXES = """
CREATE UNIQUE INDEX archived_event_once ON enrollments_archivedactivity (brand_id, event_id);
CREATE INDEX archived_activity_by_id ON enrollments_archivedactivity (id);
CREATE INDEX archived_activity_by_customer ON enrollments_archivedactivity (customer_id);
CREATE UNIQUE INDEX archived_outcome_once ON enrollments_archivedoutcome (activity_id, participation_id);
CREATE INDEX archived_outcome_by_id ON enrollments_archivedoutcome (id);
CREATE INDEX archived_outcome_of ON enrollments_archivedoutcome (participation_id);
"""

VIEWS = """
CREATE VIEW enrollments_everyactivity AS
SELECT id, brand_id, customer_id, event_id, event_name, occurred_at, amount, quantity, attributes, recorded_at,
       not_counted
  FROM enrollments_activity
UNION ALL
SELECT id, brand_id, customer_id, event_id, event_name, occurred_at, amount, quantity, attributes, recorded_at,
       not_counted
  FROM enrollments_archivedactivity;

CREATE VIEW enrollments_everyoutcome AS
SELECT id, activity_id, participation_id, run_number, cycle_number, reason, delta, visit_on, value, achieved, grant_ids,
       left_by_id
  FROM enrollments_activityoutcome
UNION ALL
SELECT id, activity_id, participation_id, run_number, cycle_number, reason, delta, visit_on, value, achieved,
       coalesce(grant_ids, '{}'), left_by_id
  FROM enrollments_archivedoutcome;
"""

# An event is remembered for ever, wherever it lies. After the row: whoever stores an event that is being archived waits
# for the end of that, at the unique index, and only a statement begun later sees it archived. What is looked up for
# each is a subquery, so that it is by its index, in one partition.
TRIGGER = """
CREATE FUNCTION check_event_not_archived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    NOT EXISTS (
      SELECT FROM new_activity WHERE (
        SELECT archived.id FROM enrollments_archivedactivity archived
         WHERE archived.brand_id = new_activity.brand_id AND archived.event_id = new_activity.event_id) IS NOT NULL),
    'activity_event_not_archived', 'This event was recorded already, and is in the archive.');
  RETURN NULL;
END $$;
CREATE TRIGGER check_event AFTER INSERT ON enrollments_activity REFERENCING NEW TABLE AS new_activity
  FOR EACH STATEMENT EXECUTE FUNCTION check_event_not_archived();
"""
DROP = """
DO $$ BEGIN
  IF EXISTS (SELECT FROM enrollments_archivedactivity) THEN
    RAISE EXCEPTION 'There are archived activities: run archive_activities --restore first';
  END IF;
END $$;
DROP TRIGGER check_event ON enrollments_activity;
DROP FUNCTION check_event_not_archived();
DROP VIEW enrollments_everyoutcome;
DROP VIEW enrollments_everyactivity;
DROP TABLE enrollments_archivedoutcome;
DROP TABLE enrollments_archivedactivity;
"""


def partitions_of(table: str) -> str:
    return "".join(
        EACH_PARTITION.format(table=table, number=number, partitions=PARTITIONS) for number in range(PARTITIONS)
    )


ADD = (
    TABLES
    + partitions_of("enrollments_archivedactivity")
    + partitions_of("enrollments_archivedoutcome")
    + INDEXES
    + VIEWS
    + TRIGGER
)


class Migration(migrations.Migration):

    dependencies = [
        ('enrollments', '0020_receipts_by_participation'),
        ('targets', '0030_closed_cycles'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(ADD, DROP)],
            [
                migrations.CreateModel(
                    name='EveryActivity',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('event_id', models.CharField(max_length=200)),
                        ('event_name', models.CharField(max_length=100)),
                        ('occurred_at', models.DateTimeField()),
                        ('amount', models.DecimalField(blank=True, decimal_places=3, max_digits=18, null=True)),
                        ('quantity', models.DecimalField(blank=True, decimal_places=3, max_digits=18, null=True)),
                        ('attributes', targets.exact_json.ExactJSONField(blank=True, default=dict)),
                        ('recorded_at', models.DateTimeField()),
                        ('not_counted', models.CharField(blank=True, choices=[('no_target', 'No target of the brand matches it'), ('no_cycle', 'No cycle contains the instant it occurred'), ('target_inactive', 'The target or its group is inactive'), ('not_enrolled', 'The customer is not a member of that cycle'), ('cycle_not_begun', 'The cycle has not begun'), ('cycle_closed', 'The cycle is closed'), ('in_future', 'It lies more than 5 minutes ahead'), ('while_away', 'It lies between a leave and the next enrolment'), ('before_enrolment', 'It lies before the enrolment'), ('no_number', 'The attribute to add up is missing or no number'), ('duplicate', 'The same event was sent before'), ('event_id_conflict', 'The event id was used for another content'), ('unknown_customer', 'The brand has no such customer')], help_text='Why it counted for no target at all.', max_length=20)),
                    ],
                    options={
                        'verbose_name': 'activity',
                        'verbose_name_plural': 'activities',
                        'db_table': 'enrollments_everyactivity',
                        'managed': False,
                        'default_permissions': (),
                    },
                ),
                migrations.CreateModel(
                    name='EveryOutcome',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('run_number', models.PositiveSmallIntegerField(blank=True, null=True)),
                        ('cycle_number', models.PositiveSmallIntegerField(blank=True, null=True)),
                        ('reason', models.CharField(blank=True, choices=[('no_target', 'No target of the brand matches it'), ('no_cycle', 'No cycle contains the instant it occurred'), ('target_inactive', 'The target or its group is inactive'), ('not_enrolled', 'The customer is not a member of that cycle'), ('cycle_not_begun', 'The cycle has not begun'), ('cycle_closed', 'The cycle is closed'), ('in_future', 'It lies more than 5 minutes ahead'), ('while_away', 'It lies between a leave and the next enrolment'), ('before_enrolment', 'It lies before the enrolment'), ('no_number', 'The attribute to add up is missing or no number'), ('duplicate', 'The same event was sent before'), ('event_id_conflict', 'The event id was used for another content'), ('unknown_customer', 'The brand has no such customer')], max_length=20)),
                        ('delta', models.DecimalField(decimal_places=3, default=0, max_digits=18)),
                        ('visit_on', models.DateField(blank=True, help_text="The day in the group's zone that this activity made a day with a visit.", null=True)),
                        ('value', models.DecimalField(decimal_places=3, default=0, help_text="The cycle's value afterwards.", max_digits=30)),
                        ('achieved', models.BooleanField(default=False, help_text='Whether the cycle stands achieved afterwards.')),
                        ('grant_ids', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), blank=True, default=list, size=None)),
                    ],
                    options={
                        'verbose_name': 'activity outcome',
                        'db_table': 'enrollments_everyoutcome',
                        'managed': False,
                        'default_permissions': (),
                    },
                ),
                migrations.AlterField(
                    model_name='activity',
                    name='customer',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='targets.customer'),
                ),
                migrations.AlterField(
                    model_name='activityoutcome',
                    name='participation',
                    field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='enrollments.participation'),
                ),
                migrations.CreateModel(
                    name='ArchivedActivity',
                    fields=[
                        ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                        ('event_id', models.CharField(max_length=200)),
                        ('event_name', models.CharField(max_length=100)),
                        ('occurred_at', models.DateTimeField()),
                        ('amount', models.DecimalField(blank=True, decimal_places=3, max_digits=18, null=True)),
                        ('quantity', models.DecimalField(blank=True, decimal_places=3, max_digits=18, null=True)),
                        ('attributes', targets.exact_json.ExactJSONField(blank=True, default=dict)),
                        ('recorded_at', models.DateTimeField()),
                        ('not_counted', models.CharField(blank=True, choices=[('no_target', 'No target of the brand matches it'), ('no_cycle', 'No cycle contains the instant it occurred'), ('target_inactive', 'The target or its group is inactive'), ('not_enrolled', 'The customer is not a member of that cycle'), ('cycle_not_begun', 'The cycle has not begun'), ('cycle_closed', 'The cycle is closed'), ('in_future', 'It lies more than 5 minutes ahead'), ('while_away', 'It lies between a leave and the next enrolment'), ('before_enrolment', 'It lies before the enrolment'), ('no_number', 'The attribute to add up is missing or no number'), ('duplicate', 'The same event was sent before'), ('event_id_conflict', 'The event id was used for another content'), ('unknown_customer', 'The brand has no such customer')], help_text='Why it counted for no target at all.', max_length=20)),
                        ('brand', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='targets.brand')),
                        ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='targets.customer')),
                    ],
                    options={
                        'default_permissions': (),
                    },
                ),
                migrations.CreateModel(
                    name='ArchivedOutcome',
                    fields=[
                        ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                        ('run_number', models.PositiveSmallIntegerField(blank=True, null=True)),
                        ('cycle_number', models.PositiveSmallIntegerField(blank=True, null=True)),
                        ('reason', models.CharField(blank=True, choices=[('no_target', 'No target of the brand matches it'), ('no_cycle', 'No cycle contains the instant it occurred'), ('target_inactive', 'The target or its group is inactive'), ('not_enrolled', 'The customer is not a member of that cycle'), ('cycle_not_begun', 'The cycle has not begun'), ('cycle_closed', 'The cycle is closed'), ('in_future', 'It lies more than 5 minutes ahead'), ('while_away', 'It lies between a leave and the next enrolment'), ('before_enrolment', 'It lies before the enrolment'), ('no_number', 'The attribute to add up is missing or no number'), ('duplicate', 'The same event was sent before'), ('event_id_conflict', 'The event id was used for another content'), ('unknown_customer', 'The brand has no such customer')], max_length=20)),
                        ('delta', models.DecimalField(decimal_places=3, default=0, max_digits=18)),
                        ('visit_on', models.DateField(blank=True, help_text="The day in the group's zone that this activity made a day with a visit.", null=True)),
                        ('value', models.DecimalField(decimal_places=3, default=0, help_text="The cycle's value afterwards.", max_digits=30)),
                        ('achieved', models.BooleanField(default=False, help_text='Whether the cycle stands achieved afterwards.')),
                        ('grant_ids', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), blank=True, default=list, size=None)),
                        ('activity', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='outcomes', to='enrollments.archivedactivity')),
                        ('left_by', models.ForeignKey(blank=True, db_index=False, help_text='The leave but for which he had been a member: undoing it counts the activity.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='enrollments.receipt')),
                        ('participation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='enrollments.participation')),
                    ],
                    options={
                        'default_permissions': (),
                    },
                ),
            ],
        ),
    ]
