"""That stays never overlap is asked where one begins or is made longer: leaving makes it shorter, and pays nothing."""

from django.db import migrations

# With nothing indexed that a leave changes, its new version of the stay goes beside the old one, into no index.
# Who makes a stay longer has the row of the participation until he commits, so that there is one at a time, and looks
# after that: under READ COMMITTED, with the eyes of a new statement. An older snapshot could overlook the one before.
# Plans are kept: one made while the table was a page must not read all of it once it is large.
ADD = """
CREATE FUNCTION check_stays_apart() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'Stays are added and made longer under READ COMMITTED only.' USING ERRCODE = 'feature_not_supported';
  END IF;
  PERFORM FROM enrollments_participation WHERE id = NEW.participation_id FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'There is no such participation any more.' USING ERRCODE = 'foreign_key_violation';
  END IF;
  PERFORM refuse_unless(
    NOT EXISTS (
      SELECT FROM enrollments_stay other
       WHERE other.participation_id = NEW.participation_id AND other.id <> NEW.id
         AND greatest(NEW.first_cycle, other.first_cycle)
             < least(coalesce(NEW.end_cycle, 32767), coalesce(other.end_cycle, 32767))),
    'stays_never_overlap', 'Two stays of a customer in a target never cover the same period.');
  RETURN NULL;
END $$;
CREATE TRIGGER check_stays_apart_when_added AFTER INSERT ON enrollments_stay
  FOR EACH ROW EXECUTE FUNCTION check_stays_apart();
CREATE TRIGGER check_stays_apart_when_longer AFTER UPDATE ON enrollments_stay
  FOR EACH ROW WHEN (
    NEW.first_cycle < OLD.first_cycle OR coalesce(NEW.end_cycle, 32767) > coalesce(OLD.end_cycle, 32767)
    OR NEW.participation_id <> OLD.participation_id OR NEW.id <> OLD.id)
  EXECUTE FUNCTION check_stays_apart();
"""
DROP = """
DROP TRIGGER check_stays_apart_when_longer ON enrollments_stay;
DROP TRIGGER check_stays_apart_when_added ON enrollments_stay;
DROP FUNCTION check_stays_apart();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('enrollments', '0029_store_numbered_leave'),
    ]

    operations = [
        # First what needs the strongest lock: to ask for it after a weaker one could end in a deadlock with who writes.
        migrations.RemoveConstraint(model_name='stay', name='stays_never_overlap'),
        migrations.RemoveConstraint(model_name='stay', name='stay_one_open'),
        migrations.RunSQL(ADD, DROP),
    ]
