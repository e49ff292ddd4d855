"""For receipts in parts (docs/scaling.md): what holds there that one unique index held, and one name for history.

`partition_receipts` makes the trigger: a unique index over all parts would have to begin with what they are divided by,
and a table of parts gets no foreign key that is checked later. So a trigger looks, and whoever takes the same receipt
back meanwhile waits at the row. Plans are kept: one made while a part was a page must not read all of it once it is
large.
"""

from django.db import migrations

HISTORY = """
CREATE OR REPLACE FUNCTION refuse_change_of_receipt() RETURNS trigger LANGUAGE plpgsql AS $$
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
  RAISE EXCEPTION '{table} rows are history: they are only ever added'
    USING ERRCODE = 'restrict_violation', CONSTRAINT = {name};
END $$;
"""

TAKEN_BACK = """
CREATE FUNCTION refuse_taking_back_twice() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'Receipts are taken back under READ COMMITTED only.' USING ERRCODE = 'feature_not_supported';
  END IF;
  PERFORM FROM enrollments_receipt WHERE id = NEW.undoes_id FOR NO KEY UPDATE;
  PERFORM refuse_unless(FOUND, 'receipt_taken_back_exists', 'There is no such receipt to take back.');
  PERFORM refuse_unless(
    NOT EXISTS (SELECT FROM enrollments_receipt WHERE undoes_id = NEW.undoes_id),
    'enrollments_receipt_undoes_id_key', 'This receipt was taken back already.');
  RETURN NEW;
END $$;
"""

# A trigger's table is the part.
OF_ALL_PARTS = HISTORY.replace("{table}", "enrollments_receipt").replace("{name}", "'enrollments_receipt_append_only'")
OF_ONE_TABLE = HISTORY.replace("only ever added'", "only ever added', TG_TABLE_NAME").replace("{table}", "%").replace(
    "{name}", "TG_TABLE_NAME || '_append_only'"
)


class Migration(migrations.Migration):
    dependencies = [("enrollments", "0030_stays_apart")]

    operations = [
        migrations.RunSQL(OF_ALL_PARTS, OF_ONE_TABLE),
        migrations.RunSQL(TAKEN_BACK, "DROP FUNCTION refuse_taking_back_twice();"),
    ]
