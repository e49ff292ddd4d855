"""A cycle may have a reward of its own, and at each instant at most one reward is promised for each thing."""

import django.contrib.postgres.constraints
import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Coalesce

ADD = """
CREATE OR REPLACE FUNCTION check_reward() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  own targets_targetgroup;
BEGIN
  SELECT target_group.* INTO own FROM targets_targetgroup target_group
    JOIN targets_target target ON target.target_group_id = target_group.id
   WHERE target.id = NEW.target_id;
  PERFORM refuse_unless(
    NEW.level_id IS NULL OR (SELECT target_group_id FROM targets_streaklevel WHERE id = NEW.level_id) = own.id,
    'reward_level_of_own_group', 'A reward is for a level of the group of its own target.');
  PERFORM refuse_unless(
    NEW.cycle_id IS NULL OR (SELECT target_group_id FROM targets_cycle WHERE id = NEW.cycle_id) = own.id,
    'reward_cycle_of_own_group', 'A reward is for a period of the group of its own target.');
  PERFORM refuse_unless(
    NEW.level_id IS NOT NULL OR own.tracking_type = 'DEFAULT',
    'reward_of_streak_has_level', 'A streak rewards its levels, not its periods.');
  RETURN NEW;
END $$;
DROP TRIGGER check_reward ON rewards_reward;
CREATE TRIGGER check_reward BEFORE INSERT OR UPDATE OF target_id, level_id, cycle_id ON rewards_reward
  FOR EACH ROW EXECUTE FUNCTION check_reward();

CREATE OR REPLACE FUNCTION check_grant() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  given record;
  paid targets_cycle;
BEGIN
  FOR given IN
    SELECT target_id, cycle_number, level_id, reward_id, allocation, min(granted_at) AS first_granted_at
      FROM new_grant GROUP BY target_id, cycle_number, level_id, reward_id, allocation
  LOOP
    SELECT cycle.* INTO paid FROM targets_cycle cycle
      JOIN targets_target target ON target.target_group_id = cycle.target_group_id
     WHERE target.id = given.target_id AND cycle.number = given.cycle_number;
    PERFORM refuse_unless(
      paid.id IS NOT NULL, 'grant_cycle_of_own_group', 'A grant is for a period of its own group.');
    PERFORM refuse_unless(
      (SELECT reward.target_id = given.target_id AND reward.level_id IS NOT DISTINCT FROM given.level_id
          AND coalesce(reward.cycle_id, paid.id) = paid.id
         FROM rewards_reward reward WHERE reward.id = given.reward_id),
      'grant_of_own_reward', 'A grant gives the reward of its own target, period and level.');
    PERFORM refuse_unless(
      given.allocation = 'IMMEDIATE' OR (paid.closed_at IS NOT NULL AND given.first_granted_at >= paid.closes_at),
      'grant_of_period_end_when_closed', 'A period-end reward is given when its period has closed.');
  END LOOP;
  RETURN NULL;
END $$;
"""
REMOVE = """
CREATE OR REPLACE FUNCTION check_grant() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  given record;
  paid targets_cycle;
BEGIN
  FOR given IN
    SELECT target_id, cycle_number, level_id, reward_id, allocation, min(granted_at) AS first_granted_at
      FROM new_grant GROUP BY target_id, cycle_number, level_id, reward_id, allocation
  LOOP
    SELECT cycle.* INTO paid FROM targets_cycle cycle
      JOIN targets_target target ON target.target_group_id = cycle.target_group_id
     WHERE target.id = given.target_id AND cycle.number = given.cycle_number;
    PERFORM refuse_unless(
      paid.id IS NOT NULL, 'grant_cycle_of_own_group', 'A grant is for a period of its own group.');
    PERFORM refuse_unless(
      (SELECT reward.target_id = given.target_id AND reward.level_id IS NOT DISTINCT FROM given.level_id
         FROM rewards_reward reward WHERE reward.id = given.reward_id),
      'grant_of_own_reward', 'A grant gives the reward of its own target and level.');
    PERFORM refuse_unless(
      given.allocation = 'IMMEDIATE' OR (paid.closed_at IS NOT NULL AND given.first_granted_at >= paid.closes_at),
      'grant_of_period_end_when_closed', 'A period-end reward is given when its period has closed.');
  END LOOP;
  RETURN NULL;
END $$;

DROP TRIGGER check_reward ON rewards_reward;
CREATE OR REPLACE FUNCTION check_reward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM refuse_unless(
    NEW.level_id IS NULL OR (SELECT target_group_id FROM targets_streaklevel WHERE id = NEW.level_id)
    = (SELECT target_group_id FROM targets_target WHERE id = NEW.target_id),
    'reward_level_of_own_group', 'A reward is for a level of the group of its own target.');
  RETURN NEW;
END $$;
CREATE TRIGGER check_reward BEFORE INSERT OR UPDATE OF target_id, level_id ON rewards_reward
  FOR EACH ROW EXECUTE FUNCTION check_reward();
"""


def one_number(expression: object) -> models.Func:
    """Core GiST has range types only: a number becomes the range of just it."""
    return models.Func(expression, expression, models.Value("[]"), function="int8range")


class Migration(migrations.Migration):
    dependencies = [("rewards", "0005_checked_per_statement"), ("targets", "0011_allocation_per_cycle")]
    operations = [
        migrations.AddField(
            "reward",
            "cycle",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rewards",
                to="targets.cycle",
            ),
        ),
        migrations.AddField(
            "reward",
            "is_from_start",
            models.BooleanField(
                default=True,
                help_text="Promised before anybody was enrolled, so before anything could be achieved.",
                verbose_name="from the start",
            ),
        ),
        migrations.AddField("reward", "created_by", models.CharField(blank=True, default="", max_length=150), False),
        migrations.AddField("reward", "retired_by", models.CharField(blank=True, default="", max_length=150), False),
        migrations.RemoveConstraint("reward", "reward_one_at_a_time"),
        migrations.AddConstraint(
            "reward",
            models.UniqueConstraint(
                condition=models.Q(("retired_at", None)),
                fields=("target", "level", "cycle"),
                name="reward_one_at_a_time",
                nulls_distinct=False,
                violation_error_message="There is a reward already: retire it first.",
            ),
        ),
        migrations.AddConstraint(
            "reward",
            models.CheckConstraint(
                condition=models.Q(("level", None), ("cycle", None), _connector="OR"),
                name="reward_of_level_or_cycle",
                violation_error_message="A reward is for a level or for a period, not for both.",
            ),
        ),
        migrations.AddConstraint(
            "reward",
            django.contrib.postgres.constraints.ExclusionConstraint(
                name="rewards_never_overlap",
                expressions=[
                    (one_number(models.F("target")), "&&"),
                    (one_number(Coalesce(models.F("level"), 0)), "&&"),
                    (one_number(Coalesce(models.F("cycle"), 0)), "&&"),
                    (models.Func(models.F("created_at"), models.F("retired_at"), function="tstzrange"), "&&"),
                ],
                violation_error_message="At each instant one reward is promised.",
            ),
        ),
        migrations.RunSQL(ADD, REMOVE),
    ]
