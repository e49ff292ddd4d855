"""Figures of a target: who is counted where, and that customers add up to them."""

import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollments import figures as counting
from enrollments.enums import Verdict
from enrollments.figures import figures
from enrollments.models import CountedTarget
from enrollments.operations import close_cycles, count_figures, enroll, undo_leave, unenroll
from enrollments.queries import find_receipt
from enrollments.standing import standings
from targets.enums import Allocation, TrackingType
from targets.models import Cycle
from tests.enrollments.admin_scene import ACT, NOW, buy, enrolled, programme
from tests.factories import START, CustomerFactory

pytestmark = pytest.mark.django_db

LATER = START + timedelta(days=40)  # in c2


def counted(target, at=NOW):
    """Members, achieved, granted, owed and forfeited of each cycle."""
    return [
        (each.members, each.achieved, each.granted, each.owed, each.forfeited) for each in figures(target, at).cycles
    ]


def leave(participation, at=NOW):
    return unenroll(customer=participation.customer, target=participation.target, at=at, **ACT)


def test_immediate_rewards_are_given_and_never_owed():
    target = programme(cycles=3)
    enrolled(target)
    enrolled(target, achieved=True)
    leave(enrolled(target, achieved=True))

    assert counted(target) == [(2, 1, 2, 0, 0), (2, 0, 0, 0, 0), (2, 0, 0, 0, 0)]


def test_rewards_of_a_cycles_end_are_owed_until_it_has_paid():
    target = programme(cycles=2, allocation=Allocation.PERIOD_END)
    enrolled(target)
    enrolled(target, achieved=True)
    owed = counted(target)
    worth = [each.owed_value for each in figures(target, NOW).cycles]

    list(close_cycles(brand=target.brand, at=LATER))

    assert owed == [(2, 1, 0, 1, 0), (2, 0, 0, 0, 0)]
    assert worth == [Decimal(100), Decimal(0)]
    assert counted(target, LATER) == [(2, 1, 1, 0, 0), (2, 0, 0, 0, 0)]


def test_nothing_is_owed_where_nothing_was_promised():
    target = programme(cycles=1, allocation=Allocation.PERIOD_END, rewarded=False)
    enrolled(target, achieved=True)

    found = figures(target, NOW)

    assert [(each.achieved, each.owed, each.owed_value) for each in found.cycles] == [(1, 0, None)]


def test_reward_forfeited_by_leaving_counts_until_he_is_back_or_it_is_taken_back():
    target = programme(cycles=2, allocation=Allocation.PERIOD_END)
    gone, back, undone = (enrolled(target, achieved=True) for _ in range(3))
    receipts = [leave(each) for each in (gone, back, undone)]
    all_left = counted(target)

    enroll(customer=back.customer, target=target, at=NOW, **ACT)
    undo_leave(receipt=find_receipt(target.brand, receipts[2].pk), at=NOW, **ACT)

    assert all_left == [(0, 0, 0, 0, 3), (0, 0, 0, 0, 0)]
    assert counted(target) == [(2, 2, 0, 2, 1), (2, 0, 0, 0, 0)]
    (first, _) = figures(target, NOW).cycles
    assert (first.achieved_share, first.forfeited_share) == (Decimal("100.0"), Decimal("33.3"))


def test_whoever_forfeits_comes_back_to_start_anew_and_leaves_again_has_forfeited_nothing():
    target = programme(cycles=2, allocation=Allocation.PERIOD_END)
    participation = enrolled(target, achieved=True)
    leave(participation)
    enroll(customer=participation.customer, target=target, at=NOW, initial_balance=Decimal(0), **ACT)
    leave(participation)
    (standing,) = standings([participation], NOW)

    assert [each.verdict for each in standing.cycles] == [Verdict.LEFT, Verdict.LEFT]
    assert counted(target) == [(0, 0, 0, 0, 0), (0, 0, 0, 0, 0)]


def test_shares_of_nobody_are_unknown():
    target = programme(cycles=1)

    (only,) = figures(target, NOW).cycles

    assert (only.members, only.achieved_share, only.forfeited_share) == (0, None, None)


def test_cycle_of_its_own_reward_owes_that():
    target = programme(cycles=2, allocation=Allocation.PERIOD_END)
    first = Cycle.objects.get(target_group=target.target_group_id, number=1)
    target.rewards.create(name="Gala", kind="BADGE", cycle=first, created_at=START, is_from_start=True)
    enrolled(target, achieved=True)

    assert [each.reward.name for each in figures(target, NOW).cycles] == ["Gala", "100 points"]
    assert [each.owed_value for each in figures(target, NOW).cycles] == [None, Decimal(0)]


def test_levels_of_a_streak_say_how_often_they_were_given():
    target = programme(cycles=4, tracking_type=TrackingType.STREAKS, levels=(1, 2))
    long, short = enrolled(target, achieved=True), enrolled(target, achieved=True)
    buy(target, long.customer, LATER)

    found = figures(target, LATER)

    assert [(each.level.target_count, each.granted) for each in found.levels] == [(1, 2), (2, 1)]
    assert (found.granted, found.owed, found.forfeited) == (3, 0, 0)
    assert short.pk != long.pk


@pytest.mark.parametrize("customers", [1, 3])
def test_statements_do_not_grow_with_customers_or_cycles(customers):
    target = programme(cycles=4 * customers, allocation=Allocation.PERIOD_END)
    for _ in range(customers):
        enrolled(target, achieved=True)

    with CaptureQueriesContext(connection) as queries:
        figures(target, NOW)

    assert [each["sql"].split()[0] for each in queries].count("SELECT") == 4  # is it large, values, rewards, levels
    assert len(queries) == 8


def test_another_targets_customers_are_not_counted():
    target = programme(cycles=1)
    enrolled(programme(cycles=1, brand=target.brand), achieved=True)
    CustomerFactory(brand=target.brand)

    assert counted(target) == [(0, 0, 0, 0, 0)]


def test_large_target_is_told_as_it_was_counted_last(monkeypatch):
    monkeypatch.setattr(counting, "MOST_COUNTED_AT_ONCE", 1)
    target = programme(cycles=1, allocation=Allocation.PERIOD_END)
    enrolled(target, achieved=True)
    of_one = figures(target, NOW)
    enrolled(target)
    not_counted = figures(target, NOW)

    count_figures(target=target, at=NOW)
    enrolled(target)
    told = figures(target, LATER)

    assert of_one.cycles[0].members == 1
    assert not_counted is None
    assert (told.at, told.cycles[0].members, told.owed) == (NOW, 2, 1)


def test_command_counts_large_targets_of_the_brand_only(monkeypatch):
    monkeypatch.setattr(counting, "MOST_COUNTED_AT_ONCE", 1)
    ours, small, others = programme(cycles=1), programme(cycles=1), programme(cycles=1)
    for target in (ours, ours, small, others, others):
        enrolled(target)
    output = io.StringIO()

    call_command("count_figures", brand=ours.brand.name, stdout=output)

    assert list(CountedTarget.objects.values_list("target_id", "counted_at")) == [(ours.pk, NOW)]
    assert output.getvalue().splitlines() == [
        f"{ours.brand}: {ours} ({ours.pk}) counted.",
        "Targets counted: 1. Of all others the page counts while it is made.",
    ]
    call_command("count_figures", stdout=output)
    assert set(CountedTarget.objects.values_list("target_id", flat=True)) == {ours.pk, others.pk}


def test_command_says_how_far_it_came_when_the_database_fails(monkeypatch):
    monkeypatch.setattr(counting, "MOST_COUNTED_AT_ONCE", 0)
    enrolled(programme(cycles=1))
    monkeypatch.setattr(counting, "COUNT", "SELECT 1 / 0")

    with pytest.raises(CommandError, match=r"Targets counted: 0\. Then the database failed: .*Run it again\."):
        call_command("count_figures")

    assert not CountedTarget.objects.exists()
