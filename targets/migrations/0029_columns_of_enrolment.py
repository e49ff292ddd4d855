"""What the calls about one enrolment need of what they name, column by column: taking whole rows apart costs as much as
finding them.
"""

from importlib import import_module

from django.db import migrations

# It decides nothing: targets/queries.py reads the row, whose columns are in its order. Always one; what there is not
# is NULL.
FUNCTION = """
CREATE FUNCTION find_enrolment(
    of_brand bigint, of_group bigint, of_target bigint, of_number bigint
) RETURNS TABLE (
    group_id bigint, group_brand_id bigint, group_name varchar, is_group_active boolean, tracking_type varchar,
    evaluation_type varchar, time_zone varchar, frequency_type varchar, frequency integer, cycle_count smallint,
    late_days smallint, counts_before_enrolment boolean, version integer,
    target_id bigint, target_brand_id bigint, target_group_id bigint, target_name varchar, is_target_active boolean,
    entity varchar, kpi varchar, event_name varchar,
    customer_key bigint, customer_brand_id bigint, customer_number bigint, erased_at timestamptz
) STABLE ROWS 1 LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT target_group.id, target_group.brand_id, target_group.name, target_group.is_active, target_group.tracking_type,
         target_group.evaluation_type, target_group.time_zone, target_group.frequency_type, target_group.frequency,
         target_group.cycle_count, target_group.late_days, target_group.counts_before_enrolment, target_group.version,
         target.id, target.brand_id, target.target_group_id, target.name, target.is_active,
         target.entity, target.kpi, target.event_name,
         customer.id, customer.brand_id, customer.customer_id, customer.erased_at
    FROM (VALUES (of_brand)) asked (brand_id)
    LEFT JOIN targets_targetgroup target_group ON target_group.id = of_group AND target_group.brand_id = asked.brand_id
    LEFT JOIN targets_target target ON target.id = of_target AND target.target_group_id = target_group.id
    LEFT JOIN targets_customer customer ON customer.brand_id = asked.brand_id AND customer.customer_id = of_number;
END $$;
"""
DROP = "DROP FUNCTION find_enrolment(bigint, bigint, bigint, bigint);"

before = import_module("targets.migrations.0024_find_enrolment")


class Migration(migrations.Migration):
    dependencies = [("targets", "0028_caller_until")]

    operations = [migrations.RunSQL(DROP, before.FUNCTION), migrations.RunSQL(FUNCTION, DROP)]
