"""A leave is written without an answer, so that COMMIT can go with it: its receipt had its number from `lock_enrolment`."""

from django.db import migrations

# `store_leave`, which answered the number, stays for processes that run the former version until they are replaced.
FUNCTION = """
CREATE FUNCTION write_leave(
    account json, new_end integer, new_left_at timestamptz, new_leaves_after integer, new_leaves_at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  receipt enrollments_receipt := json_populate_record(NULL::enrollments_receipt, account);
BEGIN
  receipt.transaction_id := pg_current_xact_id()::text::bigint;
  receipt.snapshot := pg_current_snapshot()::text;
  INSERT INTO enrollments_receipt VALUES (receipt.*);
  UPDATE enrollments_stay stay
     SET end_cycle = new_end, left_at = new_left_at, leaves_after = new_leaves_after, leaves_at = new_leaves_at,
         leave_receipt_id = receipt.id
   WHERE stay.id = receipt.stay_id;
  UPDATE enrollments_participation participation
     SET changed_at = receipt.effective_at WHERE participation.id = receipt.participation_id;
END $$;
"""

DROP = "DROP FUNCTION write_leave(json, integer, timestamptz, integer, timestamptz);"


class Migration(migrations.Migration):
    dependencies = [("enrollments", "0028_foreign_keys_once")]

    operations = [migrations.RunSQL(FUNCTION, DROP)]
