"""Erasing is final: what is left of a customer is never changed or deleted."""

from django.db import migrations

ADD = """
CREATE FUNCTION check_erased_customer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    OLD.erased_at IS NULL,
    'erased_customer_stays_erased', 'An erased customer stays as he is.');
  RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER check_erased_customer BEFORE UPDATE OR DELETE ON targets_customer
  FOR EACH ROW EXECUTE FUNCTION check_erased_customer();
"""
DROP = """
DROP TRIGGER check_erased_customer ON targets_customer;
DROP FUNCTION check_erased_customer();
"""


class Migration(migrations.Migration):
    dependencies = [("targets", "0008_erased_customers")]
    operations = [migrations.RunSQL(ADD, DROP)]
