"""That period-end rewards go to members only is checked once per statement: closing pays many at once."""

from django.db import migrations

# A scalar subquery, and no join: it stays an index look-up per grant, in whichever plan a session has kept.
PER_STATEMENT = """
DROP TRIGGER check_period_end_grant ON rewards_grant;
CREATE OR REPLACE FUNCTION check_period_end_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    coalesce(bool_and(coalesce(
      (SELECT true FROM enrollments_participation participation
         JOIN enrollments_stay stay ON stay.participation_id = participation.id
        WHERE participation.customer_id = new_grant.customer_id AND participation.target_id = new_grant.target_id
          AND stay.first_cycle <= new_grant.cycle_number
          AND (stay.end_cycle IS NULL OR stay.end_cycle > new_grant.cycle_number) LIMIT 1), false)), true),
    'grant_of_period_end_to_member', 'A period-end reward is given to members of the period only.')
    FROM new_grant WHERE new_grant.allocation = 'PERIOD_END';
  RETURN NULL;
END $$;
CREATE TRIGGER check_period_end_grant AFTER INSERT ON rewards_grant REFERENCING NEW TABLE AS new_grant
  FOR EACH STATEMENT EXECUTE FUNCTION check_period_end_grant();
"""
PER_ROW = """
DROP TRIGGER check_period_end_grant ON rewards_grant;
CREATE OR REPLACE FUNCTION check_period_end_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    EXISTS (
      SELECT FROM enrollments_participation participation
        JOIN enrollments_stay stay ON stay.participation_id = participation.id
       WHERE participation.customer_id = NEW.customer_id AND participation.target_id = NEW.target_id
         AND stay.first_cycle <= NEW.cycle_number
         AND (stay.end_cycle IS NULL OR stay.end_cycle > NEW.cycle_number)),
    'grant_of_period_end_to_member', 'A period-end reward is given to members of the period only.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_period_end_grant BEFORE INSERT ON rewards_grant
  FOR EACH ROW WHEN (NEW.allocation = 'PERIOD_END') EXECUTE FUNCTION check_period_end_grant();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("enrollments", "0008_visits"),
        ("rewards", "0005_checked_per_statement"),
    ]
    operations = [migrations.RunSQL(PER_STATEMENT, PER_ROW)]
