"""Stays lie within the calendar of their own group; receipts and outcomes are of their own participation's brand."""

from django.db import migrations

ADD = """
ALTER TABLE enrollments_activity ADD CONSTRAINT activity_customer_in_brand
  FOREIGN KEY (brand_id, customer_id) REFERENCES targets_customer (brand_id, id);
ALTER TABLE enrollments_receipt ADD CONSTRAINT receipt_participation_in_brand
  FOREIGN KEY (brand_id, participation_id) REFERENCES enrollments_participation (brand_id, id);
ALTER TABLE enrollments_receipt ADD CONSTRAINT receipt_of_own_stay
  FOREIGN KEY (participation_id, stay_id) REFERENCES enrollments_stay (participation_id, id);

CREATE FUNCTION check_stay() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  n integer;
BEGIN
  SELECT cycle_count INTO n FROM enrollments_participation participation
    JOIN targets_target target ON target.id = participation.target_id
    JOIN targets_targetgroup target_group ON target_group.id = target.target_group_id
   WHERE participation.id = NEW.participation_id;
  PERFORM refuse_unless(
    NEW.first_cycle <= n AND coalesce(NEW.end_cycle, 1) <= n + 1 AND coalesce(NEW.leaves_after, 1) <= n,
    'stay_within_calendar', 'A stay lies within the periods of its target group.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_stay BEFORE INSERT OR UPDATE OF first_cycle, end_cycle, leaves_after, participation_id
  ON enrollments_stay FOR EACH ROW EXECUTE FUNCTION check_stay();

CREATE FUNCTION check_outcome() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    (SELECT customer_id FROM enrollments_activity WHERE id = NEW.activity_id)
    = (SELECT customer_id FROM enrollments_participation WHERE id = NEW.participation_id),
    'outcome_of_own_customer', 'An activity counts in participations of its own customer only.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_outcome BEFORE INSERT OR UPDATE ON enrollments_activityoutcome
  FOR EACH ROW EXECUTE FUNCTION check_outcome();

CREATE FUNCTION check_period_end_grant() RETURNS trigger LANGUAGE plpgsql AS $$
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
DROP = """
DROP TRIGGER check_period_end_grant ON rewards_grant;
DROP FUNCTION check_period_end_grant();
DROP TRIGGER check_outcome ON enrollments_activityoutcome;
DROP FUNCTION check_outcome();
DROP TRIGGER check_stay ON enrollments_stay;
DROP FUNCTION check_stay();
ALTER TABLE enrollments_receipt DROP CONSTRAINT receipt_of_own_stay;
ALTER TABLE enrollments_receipt DROP CONSTRAINT receipt_participation_in_brand;
ALTER TABLE enrollments_activity DROP CONSTRAINT activity_customer_in_brand;
"""


class Migration(migrations.Migration):
    dependencies = [("enrollments", "0003_brand_keys"), ("rewards", "0003_own_programme")]
    operations = [migrations.RunSQL(ADD, DROP)]
