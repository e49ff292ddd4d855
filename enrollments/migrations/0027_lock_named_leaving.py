"""What a leave is decided on, locked and loaded by one statement, and what the call names looked up by the same one;
as one JSON array, since each column of its own costs the driver and the server more than all of this one.
"""

from django.db import migrations

# It decides nothing: enrollments/situation.py reads the array, which is in its order. What there is not is null.
# `lock_leaving`, which answered columns, stays for processes that run the former version until they are replaced.
# Without `of_customer`, the key, all of it is looked up by what the call names; the first element is what
# `find_names` answers then. `is_for_receipt`: with the number that a receipt of this transaction will have, given
# while the row is locked, so that they are in the order of the changes.
FUNCTION = """
CREATE FUNCTION lock_enrolment(
    of_brand bigint, of_group bigint, of_target bigint, of_number bigint, of_customer bigint, calendar integer[],
    asked_at timestamptz, is_for_receipt boolean
) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  enrolment record;
  names json;
  participation record;
  stay record;
  cycle record;
  target_group record;
  progress record;
  target_value record;
  is_target_active boolean;
  is_past boolean;
  leave_ends_at timestamptz;
  is_granted boolean;
  is_rewarded boolean;
  achieved integer[] := ARRAY[]::integer[];
  missed integer[] := ARRAY[]::integer[];
BEGIN
  IF of_customer IS NULL THEN
    enrolment := find_names(of_brand, of_group, of_target, of_number);
    names := enrolment.names;
    of_customer := enrolment.to_lock;
    IF of_customer IS NULL THEN
      RETURN json_build_array(names);
    END IF;
  END IF;

  SELECT each.id, each.brand_id, each.run_number, each.changed_at, each.anchored_at
    INTO participation FROM enrollments_participation each
   WHERE each.customer_id = of_customer AND each.target_id = of_target FOR NO KEY UPDATE;
  PERFORM pg_advisory_xact_lock_shared(calendar[1], calendar[2]);

  -- Statements of their own from here on: only they see what was committed while the locks were waited for.
  SELECT each.id, each.number, each.ref_code, each.starts_at, each.ends_at
    INTO cycle FROM targets_cycle each
   WHERE each.target_group_id = of_group AND each.ends_at > asked_at ORDER BY each.ends_at LIMIT 1;
  SELECT each.id, each.is_active, each.cycle_count, each.version, each.tracking_type
    INTO target_group FROM targets_targetgroup each WHERE each.id = of_group;
  SELECT each.id, each.run_number, each.first_cycle, each.end_cycle, each.enrolled_at, each.left_at, each.leaves_after,
         each.leaves_at, each.leave_receipt_id
    INTO stay FROM enrollments_stay each
   WHERE each.participation_id = participation.id ORDER BY each.id DESC LIMIT 1;
  SELECT each.id, each.value, each.achieved_at
    INTO progress FROM enrollments_progress each
   WHERE each.participation_id = participation.id AND each.run_number = stay.run_number
     AND each.cycle_number = cycle.number;
  SELECT each.is_active INTO is_target_active FROM targets_target each WHERE each.id = of_target;
  is_past := EXISTS (
    SELECT FROM targets_cycle each
     WHERE each.target_group_id = of_group AND each.number >= cycle.number AND each.closed_at IS NOT NULL);
  IF stay.leaves_after IS NOT NULL THEN
    SELECT each.ends_at INTO leave_ends_at FROM targets_cycle each
     WHERE each.target_group_id = of_group AND each.number = stay.leaves_after;
  END IF;
  SELECT each.value, each.allocation INTO target_value FROM targets_targetvalue each
   WHERE each.target_id = of_target AND each.cycle_id = cycle.id;
  is_granted := EXISTS (
    SELECT FROM rewards_grant each
     WHERE each.customer_id = of_customer AND each.target_id = of_target
       AND each.cycle_number = cycle.number AND each.level_id IS NULL);
  is_rewarded := EXISTS (
    SELECT FROM rewards_reward each
     WHERE each.target_id = of_target AND each.level_id IS NULL
       AND (each.cycle_id = cycle.id OR each.cycle_id IS NULL)
       AND (each.is_from_start OR each.created_at <= asked_at)
       AND (each.retired_at IS NULL OR each.retired_at > asked_at));

  IF target_group.tracking_type <> 'DEFAULT' THEN
    achieved := ARRAY(
      SELECT each.cycle_number FROM enrollments_progress each
       WHERE each.participation_id = participation.id AND each.run_number = stay.run_number
         AND each.achieved_at IS NOT NULL);
  END IF;
  IF target_group.tracking_type = 'STREAKS' THEN
    missed := ARRAY(
      SELECT each.number FROM targets_cycle each
       WHERE each.target_group_id = of_group AND each.ends_at <= asked_at AND each.number <> ALL (achieved)
         AND EXISTS (
           SELECT FROM enrollments_stay his
            WHERE his.participation_id = participation.id AND his.run_number = stay.run_number
              AND his.first_cycle <= each.number AND (his.end_cycle IS NULL OR his.end_cycle > each.number))
         AND NOT EXISTS (
           SELECT FROM targets_inactivity frozen
            WHERE frozen.target_group_id = of_group AND frozen.began_at < each.ends_at
              AND (frozen.ended_at IS NULL OR frozen.ended_at >= each.ends_at)));
  END IF;

  RETURN json_build_array(
    names,
    participation.id, participation.brand_id, participation.run_number, participation.changed_at,
    participation.anchored_at,
    stay.id, stay.run_number, stay.first_cycle, stay.end_cycle, stay.enrolled_at, stay.left_at, stay.leaves_after,
    stay.leaves_at, stay.leave_receipt_id,
    target_group.id, target_group.is_active, target_group.cycle_count, target_group.version,
    cycle.id, cycle.number, cycle.ref_code, cycle.starts_at, cycle.ends_at,
    progress.id, progress.value, progress.achieved_at,
    is_target_active, is_past, leave_ends_at, target_value.value, target_value.allocation, is_granted, is_rewarded,
    achieved, missed,
    CASE WHEN is_for_receipt AND stay.id IS NOT NULL THEN nextval('enrollments_receipt_id_seq') END,
    CASE WHEN is_for_receipt AND stay.id IS NOT NULL THEN pg_current_xact_id()::text::bigint END);
END $$;
"""
DROP = "DROP FUNCTION lock_enrolment(bigint, bigint, bigint, bigint, bigint, integer[], timestamptz, boolean);"


class Migration(migrations.Migration):
    dependencies = [("enrollments", "0026_analyze_sooner"), ("targets", "0034_enrolment_as_json")]

    operations = [migrations.RunSQL(FUNCTION, DROP)]
