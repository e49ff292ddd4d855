"""What a leave is decided on, locked and loaded by one statement, whose plans the session keeps."""

from django.db import migrations

# It decides nothing: enrollments/situation.py reads the rows. Always one row; what there is not is NULL.
FUNCTION = """
CREATE FUNCTION lock_leaving(
    of_customer bigint, of_target bigint, of_group bigint, calendar integer[], asked_at timestamptz,
    OUT participation enrollments_participation, OUT stay enrollments_stay, OUT cycle targets_cycle,
    OUT target_group targets_targetgroup, OUT progress enrollments_progress,
    OUT is_target_active boolean, OUT is_past boolean, OUT leave_ends_at timestamptz,
    OUT target_value numeric, OUT allocation text, OUT is_granted boolean, OUT is_rewarded boolean,
    OUT achieved integer[], OUT missed integer[]
) LANGUAGE plpgsql AS $$
BEGIN
  SELECT * INTO participation FROM enrollments_participation each
   WHERE each.customer_id = of_customer AND each.target_id = of_target FOR NO KEY UPDATE;
  PERFORM pg_advisory_xact_lock_shared(calendar[1], calendar[2]);

  -- Statements of their own from here on: only they see what was committed while the locks were waited for.
  SELECT * INTO cycle FROM targets_cycle each
   WHERE each.target_group_id = of_group AND each.ends_at > asked_at ORDER BY each.ends_at LIMIT 1;
  SELECT * INTO target_group FROM targets_targetgroup each WHERE each.id = of_group;
  SELECT * INTO stay FROM enrollments_stay each
   WHERE each.participation_id = participation.id ORDER BY each.id DESC LIMIT 1;
  SELECT * INTO progress FROM enrollments_progress each
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
  SELECT each.value, each.allocation INTO target_value, allocation FROM targets_targetvalue each
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

  achieved := ARRAY[]::integer[];
  missed := ARRAY[]::integer[];
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
END $$;
"""
DROP = "DROP FUNCTION lock_leaving(bigint, bigint, bigint, integer[], timestamptz);"


class Migration(migrations.Migration):
    dependencies = [
        ("enrollments", "0014_permission_per_operation"),
        ("rewards", "0007_own_calendars"),
        ("targets", "0019_staff_brands"),
    ]

    operations = [migrations.RunSQL(FUNCTION, DROP)]
