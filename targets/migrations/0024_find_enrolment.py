"""What the calls about one enrolment name, looked up by one statement, whose plans the session keeps."""

from django.db import migrations

# It decides nothing: targets/queries.py reads the rows. Always one row; what there is not is NULL.
FUNCTION = """
CREATE FUNCTION find_enrolment(
    of_brand bigint, of_group bigint, of_target bigint, of_number bigint,
    OUT target_group targets_targetgroup, OUT target targets_target, OUT customer targets_customer
) STABLE LANGUAGE plpgsql AS $$
BEGIN
  SELECT * INTO target_group FROM targets_targetgroup each WHERE each.id = of_group AND each.brand_id = of_brand;
  SELECT * INTO target FROM targets_target each WHERE each.id = of_target AND each.target_group_id = target_group.id;
  SELECT * INTO customer FROM targets_customer each
   WHERE each.brand_id = of_brand AND each.customer_id = of_number;
END $$;
"""
DROP = "DROP FUNCTION find_enrolment(bigint, bigint, bigint, bigint);"


class Migration(migrations.Migration):
    dependencies = [("targets", "0023_find_caller")]

    operations = [migrations.RunSQL(FUNCTION, DROP)]
