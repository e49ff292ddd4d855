"""What decides for many is compared so well that each of these faults in it is noticed."""

import pytest
from django.db import IntegrityError

from enrollments.operations import leaving_statements
from tests.properties.test_leaving_together import SITUATIONS, compare

# What is written in the statements, and what a fault would make of it.
FAULTS = (
    ("AND participation.target_id = %(target)s\n", "\n"),
    ("each.run_number = stay.run_number\n     AND each.achieved_at", "true\n     AND each.achieved_at"),
    ("AND each.achieved_at IS NOT NULL AND", "AND"),
    ("max(number) FROM", "min(number) FROM"),
    ("AND his.run_number = stay.run_number\n", "\n"),
    ("his.first_cycle <= number", "his.first_cycle < number"),
    ("his.end_cycle > number", "his.end_cycle >= number"),
    ("(his.end_cycle IS NULL OR his.end_cycle > number)", "his.end_cycle > number"),
    ("AND reached.run_number = stay.run_number\n", "\n"),
    ("AND reached.cycle_number = number ", ""),
    ("AND reached.achieved_at IS NOT NULL", ""),
    ("coalesce(stay.left_at, leave_ends.ends_at)", "stay.left_at"),
    ("%(at)s < leave_ends.ends_at", "%(at)s <= leave_ends.ends_at"),
    ("stay.end_cycle IS NULL OR coalesce(", "stay.end_cycle IS NULL AND coalesce("),
    ("ORDER BY each.id DESC LIMIT 1", "ORDER BY each.id LIMIT 1"),
    ("AND leave_ends.number = stay.leaves_after", "AND leave_ends.number = stay.end_cycle"),
    ("AND progress.run_number = stay.run_number\n", "AND progress.run_number = 1\n"),
    ("given.target_id = %(target)s", "given.target_id > 0 AND given.target_id <> %(target)s"),
    ("AND given.cycle_number = %(running)s", "AND given.cycle_number = %(running)s + 1"),
    (" AND given.level_id IS NULL", ""),
    ("greatest(%(leaving)s::integer, stay.first_cycle)", "%(leaving)s::integer"),
    ("WHEN first_cycle > %(running)s", "WHEN first_cycle >= %(running)s"),
    ("WHEN end_cycle > %(running)s", "WHEN end_cycle >= %(running)s"),
    ("WHEN is_granted THEN 'left_reward_kept'", ""),
    ("WHEN %(pays_at_end)s AND running_value", "WHEN running_value"),
    ("running_value >= %(target_value)s", "running_value > %(target_value)s"),
    ("WHEN changed_at > %(at)s", "WHEN changed_at >= %(at)s"),
    ("WHEN NOT is_current THEN 'already_left'", "WHEN NOT is_current THEN 'never_enrolled'"),
    ("WHEN running_cycle IS NULL THEN 'period_over'", ""),
    ("coalesce(progress.value, 0)", "coalesce(progress.value, 1)"),
    ("progress.achieved_at AS running", "NULL::timestamptz AS running"),
)


@pytest.mark.soak
@pytest.mark.django_db
@pytest.mark.parametrize(("written", "fault"), FAULTS)
def test_fault_in_what_decides_for_many_is_noticed(written, fault, monkeypatch):
    statements = {name: getattr(leaving_statements, name) for name in ("LOCK", "STREAK_COUNT", "DECIDE", "TELL")}
    assert sum(written in each for each in statements.values()) == 1
    for name, statement in statements.items():
        monkeypatch.setattr(leaving_statements, name, statement.replace(written, fault))

    with pytest.raises((AssertionError, IntegrityError)):
        set().union(*map(compare, range(SITUATIONS)))
