"""What the calls about one enrolment name, as one JSON array: each column of its own costs the driver and the server
more than all of this one.
"""

from django.db import migrations

# It decides nothing: targets/queries.py reads the array, which is in its order. What there is not is null. `to_lock`
# is the customer's key, where all is there, active, and in a calendar that is the same for everybody.
# `find_enrolment`, which answered columns, stays for processes that run the former version until they are replaced.
FUNCTION = """
CREATE FUNCTION find_names(
    of_brand bigint, of_group bigint, of_target bigint, of_number bigint, OUT names json, OUT to_lock bigint
) STABLE LANGUAGE plpgsql AS $$
BEGIN
  SELECT json_build_array(
           target_group.id, target_group.brand_id, target_group.name, target_group.is_active,
           target_group.tracking_type, target_group.evaluation_type, target_group.time_zone,
           target_group.frequency_type, target_group.frequency, target_group.cycle_count, target_group.late_days,
           target_group.counts_before_enrolment, target_group.version,
           target.id, target.brand_id, target.target_group_id, target.name, target.is_active,
           target.entity, target.kpi, target.event_name,
           person.id, person.brand_id, person.customer_id, person.erased_at),
         CASE WHEN target.is_active AND target_group.is_active AND target_group.evaluation_type = 'FIXED_CALENDAR_WINDOW'
              THEN person.id END
    INTO names, to_lock
    FROM (VALUES (of_brand)) asked (brand_id)
    LEFT JOIN targets_targetgroup target_group ON target_group.id = of_group AND target_group.brand_id = asked.brand_id
    LEFT JOIN targets_target target ON target.id = of_target AND target.target_group_id = target_group.id
    LEFT JOIN targets_customer person ON person.brand_id = asked.brand_id AND person.customer_id = of_number;
END $$;
"""
DROP = "DROP FUNCTION find_names(bigint, bigint, bigint, bigint);"


class Migration(migrations.Migration):
    dependencies = [("targets", "0033_refused_calls")]

    operations = [migrations.RunSQL(FUNCTION, DROP)]
