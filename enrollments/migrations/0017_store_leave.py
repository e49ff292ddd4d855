"""What a leave writes, by one statement, whose plans the session keeps."""

from django.db import migrations

# It decides nothing: enrollments/operations/leaving.py says what to write, the receipt by the names of its columns.
FUNCTION = """
CREATE FUNCTION store_leave(
    account json, new_end integer, new_left_at timestamptz, new_leaves_after integer,
    new_leaves_at timestamptz, OUT id bigint, OUT transaction_id bigint, OUT snapshot text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  receipt enrollments_receipt := json_populate_record(NULL::enrollments_receipt, account);
BEGIN
  id := nextval('enrollments_receipt_id_seq');
  transaction_id := pg_current_xact_id()::text::bigint;
  snapshot := pg_current_snapshot()::text;
  receipt.id := id;
  receipt.transaction_id := transaction_id;
  receipt.snapshot := snapshot;
  INSERT INTO enrollments_receipt VALUES (receipt.*);
  UPDATE enrollments_stay stay
     SET end_cycle = new_end, left_at = new_left_at, leaves_after = new_leaves_after, leaves_at = new_leaves_at,
         leave_receipt_id = receipt.id
   WHERE stay.id = receipt.stay_id;
  UPDATE enrollments_participation participation
     SET changed_at = receipt.effective_at WHERE participation.id = receipt.participation_id;
END $$;
"""
DROP = "DROP FUNCTION store_leave(json, integer, timestamptz, integer, timestamptz);"


class Migration(migrations.Migration):
    dependencies = [("enrollments", "0016_no_doubled_indexes")]

    operations = [migrations.RunSQL(FUNCTION, DROP)]
