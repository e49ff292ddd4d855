"""What Django's constraints cannot say: one brand, one run, and a leave set by just its receipt."""

from django.db import migrations

ADD = """
ALTER TABLE enrollments_participation ADD CONSTRAINT participation_customer_in_brand
  FOREIGN KEY (brand_id, customer_id) REFERENCES targets_customer (brand_id, id);
ALTER TABLE enrollments_participation ADD CONSTRAINT participation_target_in_brand
  FOREIGN KEY (brand_id, target_id) REFERENCES targets_target (brand_id, id);
ALTER TABLE enrollments_stay ADD CONSTRAINT stay_of_a_run
  FOREIGN KEY (participation_id, run_number) REFERENCES enrollments_run (participation_id, number)
  DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE enrollments_progress ADD CONSTRAINT progress_of_a_run
  FOREIGN KEY (participation_id, run_number) REFERENCES enrollments_run (participation_id, number)
  DEFERRABLE INITIALLY DEFERRED;
-- Every stay that ends has exactly one receipt in force, and it is the one that set just this end.
ALTER TABLE enrollments_stay ADD CONSTRAINT stay_ended_by_its_receipt
  FOREIGN KEY (leave_receipt_id, id, end_cycle) REFERENCES enrollments_receipt (id, stay_id, end_cycle)
  DEFERRABLE INITIALLY DEFERRED;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON enrollments_receipt
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
DROP = """
DROP TRIGGER append_only ON enrollments_receipt;
ALTER TABLE enrollments_stay DROP CONSTRAINT stay_ended_by_its_receipt;
ALTER TABLE enrollments_progress DROP CONSTRAINT progress_of_a_run;
ALTER TABLE enrollments_stay DROP CONSTRAINT stay_of_a_run;
ALTER TABLE enrollments_participation DROP CONSTRAINT participation_target_in_brand;
ALTER TABLE enrollments_participation DROP CONSTRAINT participation_customer_in_brand;
"""


class Migration(migrations.Migration):
    dependencies = [("enrollments", "0001_initial"), ("rewards", "0002_ledger")]
    operations = [migrations.RunSQL(ADD, DROP)]
