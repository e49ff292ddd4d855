"""A grant stays within one brand, and is never changed or deleted; feeds know its transaction."""

from django.db import migrations

ADD = """
ALTER TABLE rewards_grant ADD CONSTRAINT grant_customer_in_brand
  FOREIGN KEY (brand_id, customer_id) REFERENCES targets_customer (brand_id, id);
ALTER TABLE rewards_grant ADD CONSTRAINT grant_target_in_brand
  FOREIGN KEY (brand_id, target_id) REFERENCES targets_target (brand_id, id);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% rows are history: they are only ever added', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON rewards_grant
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
DROP = """
DROP TRIGGER append_only ON rewards_grant;
DROP FUNCTION refuse_change();
ALTER TABLE rewards_grant DROP CONSTRAINT grant_target_in_brand;
ALTER TABLE rewards_grant DROP CONSTRAINT grant_customer_in_brand;
"""


class Migration(migrations.Migration):
    dependencies = [("rewards", "0001_initial")]
    operations = [migrations.RunSQL(ADD, DROP)]
