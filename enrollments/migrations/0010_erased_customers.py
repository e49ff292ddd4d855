"""Nothing new happens to an erased customer, and the texts on his receipts may be emptied: the one change they take."""

from django.db import migrations

# FOR KEY SHARE: a row that is being erased is waited for, and then read as it has become.
ADD = """
CREATE FUNCTION check_customer_of_activity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    (SELECT erased_at IS NULL FROM targets_customer WHERE id = NEW.customer_id FOR KEY SHARE),
    'activity_of_known_customer', 'An erased customer has no new activity.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_customer BEFORE INSERT ON enrollments_activity
  FOR EACH ROW EXECUTE FUNCTION check_customer_of_activity();

CREATE FUNCTION check_customer_of_participation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    (SELECT erased_at IS NULL FROM targets_customer WHERE id = NEW.customer_id FOR KEY SHARE),
    'participation_of_known_customer', 'An erased customer is not enrolled again.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_customer BEFORE INSERT ON enrollments_participation
  FOR EACH ROW EXECUTE FUNCTION check_customer_of_participation();

CREATE FUNCTION check_customer_of_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    (SELECT erased_at IS NULL FROM targets_customer WHERE id = (
       SELECT customer_id FROM enrollments_participation WHERE id = NEW.participation_id) FOR KEY SHARE),
    'stay_of_known_customer', 'An erased customer is not enrolled again.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_customer_who_joins BEFORE INSERT ON enrollments_stay
  FOR EACH ROW EXECUTE FUNCTION check_customer_of_stay();
CREATE TRIGGER check_customer_who_stays BEFORE UPDATE OF end_cycle ON enrollments_stay
  FOR EACH ROW WHEN (NEW.end_cycle IS NULL AND OLD.end_cycle IS NOT NULL) EXECUTE FUNCTION check_customer_of_stay();

CREATE FUNCTION refuse_change_of_receipt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  emptied enrollments_receipt%ROWTYPE := OLD;
BEGIN
  emptied.reason := '';
  emptied.request_id := '';
  IF TG_OP = 'UPDATE' THEN
    IF NEW IS NOT DISTINCT FROM emptied AND EXISTS (
      SELECT FROM enrollments_participation participation
        JOIN targets_customer customer ON customer.id = participation.customer_id
       WHERE participation.id = OLD.participation_id AND customer.erased_at IS NOT NULL)
    THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION '% rows are history: they are only ever added', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
END $$;
DROP TRIGGER append_only ON enrollments_receipt;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON enrollments_receipt
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_receipt();
"""
DROP = """
DROP TRIGGER append_only ON enrollments_receipt;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON enrollments_receipt
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
DROP FUNCTION refuse_change_of_receipt();
DROP TRIGGER check_customer_who_stays ON enrollments_stay;
DROP TRIGGER check_customer_who_joins ON enrollments_stay;
DROP FUNCTION check_customer_of_stay();
DROP TRIGGER check_customer ON enrollments_participation;
DROP FUNCTION check_customer_of_participation();
DROP TRIGGER check_customer ON enrollments_activity;
DROP FUNCTION check_customer_of_activity();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("enrollments", "0009_checked_per_statement"),
        ("rewards", "0004_exact_payloads"),
        ("targets", "0009_erased_stay_erased"),
    ]
    operations = [migrations.RunSQL(ADD, DROP)]
