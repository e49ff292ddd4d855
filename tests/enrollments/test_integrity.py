"""`enrollments.integrity` and `manage.py check_integrity`: each broken promise is planted by SQL, and found."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from enrollments.enums import Effective, Source
from enrollments.integrity import CHECKS, ONE_PASS, all_violations, violations
from enrollments.models import Participation, Stay
from enrollments.operations import (
    ActivityData,
    cancel_leave,
    close_cycles,
    close_own_cycles,
    enroll,
    record_activity,
    unenroll,
)
from rewards.models import Grant
from targets.enums import Allocation, EvaluationType, Kpi, TrackingType
from tests.factories import START, BrandFactory, CustomerFactory, make_programme
from tests.plans.reading import GROWING

pytestmark = pytest.mark.django_db

ACT = {"by": "test", "source": Source.API}
GRANTS_MAY_CHANGE = "ALTER TABLE rewards_grant DISABLE TRIGGER USER"
GRANTS_OF_ANY_BRAND = (
    "ALTER TABLE rewards_grant DROP CONSTRAINT grant_customer_in_brand, DROP CONSTRAINT grant_target_in_brand"
)
A_STAY = "INSERT INTO enrollments_stay (participation_id, run_number, first_cycle, enrolled_at) VALUES "
A_COPY_OF_THE_GRANT = """INSERT INTO rewards_grant (brand_id, customer_id, target_id, cycle_number, run_number,
  level_id, allocation, reward_id, reward_name, reward_kind, reward_payload, achieved_at, granted_at)
  SELECT brand_id, customer_id, target_id, {cycle}, run_number, level_id, allocation, reward_id, reward_name,
  reward_kind, reward_payload, achieved_at, granted_at FROM rewards_grant WHERE target_id = {{at_end}}"""

# (name of the check, programme in which it is broken, statements that break it). Names in braces are ids of the rows
# that the fixture `history` makes. What is taken away to get there comes back when the test's transaction ends.
# As if it had been changed while customers were enrolled already.
CHANGED_BEFORE = ("UPDATE rewards_reward SET is_from_start = false, created_at = created_at - interval '1 s'",)
THE_CYCLE = (
    "(SELECT cycle_id FROM targets_targetvalue JOIN targets_cycle cycle ON cycle.id = cycle_id "
    "WHERE target_id = {at_once} AND number = 1) WHERE target_id = {at_once}"
)
BROKEN = [
    (
        "stays_within_calendar",
        "streak",
        ["ALTER TABLE enrollments_stay DISABLE TRIGGER check_stay"],
        "UPDATE enrollments_stay SET first_cycle = 6 WHERE id = {open_stay}",
    ),
    (
        "one_open_stay",
        "streak",
        ["ALTER TABLE enrollments_stay DISABLE TRIGGER check_stays_apart_when_added"],
        A_STAY + "({streak_participation}, 1, 4, now())",
    ),
    (
        "stays_apart",
        "at_end",
        ["ALTER TABLE enrollments_stay DISABLE TRIGGER check_stays_apart_when_added"],
        A_STAY + "({participation}, 1, 2, now())",
    ),
    (
        "leave_has_its_receipt",
        "at_end",
        [],
        "UPDATE enrollments_stay SET end_cycle = NULL, left_at = NULL, leave_receipt_id = NULL WHERE id = {stay}",
    ),
    (
        "leave_has_its_receipt",
        "at_end",
        ["ALTER TABLE enrollments_stay DROP CONSTRAINT stay_ended_by_its_receipt"],
        "UPDATE enrollments_stay SET end_cycle = 2 WHERE id = {stay}",
    ),
    (
        "undoing_takes_a_leave_back",
        "at_end",
        ["ALTER TABLE enrollments_receipt DISABLE TRIGGER append_only"],
        "UPDATE enrollments_receipt SET kind = 'UNENROLMENT_UNDONE' WHERE kind = 'LEAVE_CANCELLED'",
    ),
    (
        "immediate_achievement_is_paid",
        "at_once",
        [GRANTS_MAY_CHANGE],
        "DELETE FROM rewards_grant WHERE target_id = {at_once}",
    ),
    (
        "reached_level_is_paid",
        "streak",
        [GRANTS_MAY_CHANGE],
        "DELETE FROM rewards_grant WHERE target_id = {streak} AND cycle_number = 2",
    ),
    (
        "immediate_achievement_is_paid",
        "at_once",
        [GRANTS_MAY_CHANGE, *CHANGED_BEFORE],
        "DELETE FROM rewards_grant WHERE target_id = {at_once}",
    ),
    (
        "immediate_achievement_is_paid",
        "at_once",
        [GRANTS_MAY_CHANGE, "UPDATE rewards_reward SET cycle_id = " + THE_CYCLE],
        "DELETE FROM rewards_grant WHERE target_id = {at_once}",
    ),
    (
        "grant_is_what_was_promised",
        "at_once",
        [],
        "UPDATE rewards_reward SET value = 99 WHERE target_id = {at_once}",
    ),
    (
        "grant_is_what_was_promised",
        "at_once",
        [*CHANGED_BEFORE],
        "UPDATE rewards_reward SET retired_at = created_at WHERE target_id = {at_once}",
    ),
    (
        "grant_is_what_was_promised",
        "at_end",
        ["UPDATE rewards_reward SET is_from_start = false"],
        "UPDATE rewards_reward SET created_at = '2026-02-01T00:00:01Z' WHERE target_id = {at_end}",
    ),
    (
        "grant_is_what_was_promised",
        "at_end",
        [],
        "INSERT INTO rewards_reward (target_id, cycle_id, name, kind, payload, created_at, created_by, retired_by, "
        "is_from_start) SELECT target_id, cycle_id, 'own', 'BADGE', '{{}}', now(), '', '', true "
        "FROM targets_targetvalue WHERE target_id = {at_end} AND cycle_id = "
        "(SELECT id FROM targets_cycle WHERE id = cycle_id AND number = 1)",
    ),
    (
        "immediate_grant_was_achieved",
        "at_once",
        [],
        "UPDATE enrollments_progress SET achieved_at = NULL WHERE participation_id = {at_once_participation}",
    ),
    (
        "immediate_grant_was_achieved",
        "streak",
        [GRANTS_MAY_CHANGE],
        "UPDATE rewards_grant SET run_number = 2 WHERE target_id = {streak} AND cycle_number = 2",
    ),
    (
        "period_end_grant_to_member",
        "at_end",
        [GRANTS_MAY_CHANGE],
        A_COPY_OF_THE_GRANT.format(cycle=2),
    ),
    (
        "period_end_grant_to_member",
        "at_end",
        [],
        "UPDATE enrollments_stay SET first_cycle = 2 WHERE id = {stay}",
    ),
    (
        "period_end_grant_to_member",
        "at_end",
        [GRANTS_MAY_CHANGE],
        "UPDATE rewards_grant SET granted_at = achieved_at WHERE target_id = {at_end}",
    ),
    (
        "period_end_reward_is_paid",
        "at_end",
        [GRANTS_MAY_CHANGE],
        "DELETE FROM rewards_grant WHERE target_id = {at_end}",
    ),
    (
        "paid_once",
        "at_end",
        ["DROP INDEX grant_once_per_cycle"],
        A_COPY_OF_THE_GRANT.format(cycle=1),
    ),
    (
        "paid_once",
        "streak",
        [GRANTS_MAY_CHANGE, "DROP INDEX grant_once_per_level_and_run"],
        "UPDATE rewards_grant given SET level_id = (SELECT level_id FROM rewards_grant WHERE target_id = {streak} "
        "AND cycle_number = 1) WHERE target_id = {streak} AND cycle_number = 2",
    ),
    (
        "one_brand",
        "at_end",
        [
            "ALTER TABLE enrollments_participation DROP CONSTRAINT participation_customer_in_brand, "
            "DROP CONSTRAINT participation_target_in_brand",
            "ALTER TABLE enrollments_receipt DROP CONSTRAINT receipt_participation_in_brand",
            "ALTER TABLE enrollments_receipt DISABLE TRIGGER USER",
            "UPDATE enrollments_receipt SET brand_id = {other_brand} WHERE participation_id = {participation}",
        ],
        "UPDATE enrollments_participation SET brand_id = {other_brand} WHERE id = {participation}",
    ),
    (
        "one_brand",
        "at_end",
        [
            "ALTER TABLE enrollments_receipt DROP CONSTRAINT receipt_participation_in_brand",
            "ALTER TABLE enrollments_receipt DISABLE TRIGGER USER",
        ],
        "UPDATE enrollments_receipt SET brand_id = {other_brand} WHERE id = {receipt}",
    ),
    (
        "one_brand",
        "at_once",
        ["ALTER TABLE enrollments_activity DROP CONSTRAINT activity_customer_in_brand"],
        "UPDATE enrollments_activity SET brand_id = {other_brand} WHERE event_id = 'at_once'",
    ),
    (
        "one_brand",
        "at_end",
        [GRANTS_MAY_CHANGE, GRANTS_OF_ANY_BRAND],
        "UPDATE rewards_grant SET brand_id = {other_brand} WHERE target_id = {at_end}",
    ),
    (
        "progress_is_accounted_for",
        "at_end",
        [],
        "UPDATE enrollments_progress SET value = value + 1 WHERE participation_id = {participation}",
    ),
    (
        "progress_is_accounted_for",
        "at_once",
        [],
        "DELETE FROM enrollments_progress WHERE participation_id = {at_once_participation}",
    ),
    (
        "progress_is_accounted_for",
        "at_once",
        [],
        "UPDATE enrollments_progress SET value = value + 1, adjustment = 1 "
        "WHERE participation_id = {at_once_participation}",
    ),
    (
        "own_period_end_grant_when_closed",
        "own",
        [GRANTS_MAY_CHANGE],
        "UPDATE rewards_grant SET granted_at = granted_at - interval '3 hours' WHERE target_id = {own}",
    ),
    (
        "own_period_end_grant_when_closed",
        "own",
        [GRANTS_MAY_CHANGE],
        "UPDATE rewards_grant SET cycle_number = 2 WHERE target_id = {own}",
    ),
    (
        "own_calendar_is_due",
        "own",
        [],
        "UPDATE enrollments_participation SET closes_next_at = closes_next_at + interval '3 hours' "
        "WHERE target_id = {own}",
    ),
    (
        "own_calendar_is_due",
        "own",
        [],
        "UPDATE enrollments_participation SET closes_next_at = NULL WHERE target_id = {own}",
    ),
    (
        "own_period_end_reward_is_paid",
        "own",
        [GRANTS_MAY_CHANGE],
        "DELETE FROM rewards_grant WHERE target_id = {own}",
    ),
    (
        "own_cycle_ends_achieved",
        "achieving",
        [],
        "UPDATE enrollments_progress SET cycle_number = 3 WHERE participation_id = {achieving_participation}",
    ),
    (
        "visits_are_days",
        "visits",
        [],
        "UPDATE enrollments_activityoutcome SET delta = 0, visit_on = NULL WHERE visit_on IS NOT NULL",
    ),
    (
        "visits_are_days",
        "visits",
        [],
        "UPDATE enrollments_activity SET amount = -1 WHERE event_name = 'visit'",
    ),
    (
        "visits_are_days",
        "visits",
        [],
        "UPDATE enrollments_activityoutcome SET visit_on = visit_on + 1 WHERE visit_on IS NOT NULL",
    ),
]


@pytest.fixture(scope="module")
def history(module_db):
    """Customer 7 in three programmes: paid at the end of c1 and left in c3, paid at once, and a streak of two.

    And in a fourth, which counts visits, and in two with calendars of his own.
    """
    brand = BrandFactory()
    customer = CustomerFactory(brand=brand, customer_id=7)
    at_end = make_programme(brand=brand, allocation=Allocation.PERIOD_END, target_value=1, event_name="at_end")
    at_once = make_programme(brand=brand, target_value=1, event_name="at_once")
    streak = make_programme(
        brand=brand, tracking_type=TrackingType.STREAKS, levels=(1, 2), target_value=1, event_name="streak"
    )
    visits = make_programme(brand=brand, kpi=Kpi.VISIT, event_name="visit")
    own = make_programme(
        brand=brand,
        window=EvaluationType.CYCLIC_WINDOW,
        allocation=Allocation.PERIOD_END,
        target_value=1,
        event_name="own",
    )
    achieving = make_programme(brand=brand, window=EvaluationType.PERIOD_AGNOSTIC_WINDOW, event_name="achieving")
    for target in (at_end, at_once, streak, visits, own, achieving):
        enroll(customer=customer, target=target, at=START, **ACT)
    for name, day in (
        ("at_end", 0),
        ("at_once", 0),
        ("streak", 0),
        ("streak", 31),
        ("visit", 0),
        ("own", 0),
        ("achieving", 0),
    ):
        at = START + timedelta(days=day)
        event = ActivityData(name if day == 0 else f"{name} {day}", name, 7, at)
        record_activity(brand=brand, activity=event, at=at)
    list(close_own_cycles(brand=brand, at=START + timedelta(days=30)))
    in_third = START + timedelta(days=61)
    list(close_cycles(brand=brand, at=START + timedelta(days=31)))
    unenroll(customer=customer, target=at_end, at=in_third, effective=Effective.END_OF_CYCLE, **ACT)
    cancel_leave(customer=customer, target=at_end, at=in_third, **ACT)
    unenroll(customer=customer, target=at_end, at=in_third, **ACT)
    assert Grant.objects.count() == 5
    participation = Participation.objects.get(target=at_end)
    stay = Stay.objects.get(participation=participation)
    return {
        "brand": brand.pk,
        "other_brand": BrandFactory().pk,
        "at_end": at_end.pk,
        "at_once": at_once.pk,
        "streak": streak.pk,
        "visits": visits.pk,
        "own": own.pk,
        "achieving": achieving.pk,
        "achieving_participation": Participation.objects.get(target=achieving).pk,
        "participation": participation.pk,
        "at_once_participation": Participation.objects.get(target=at_once).pk,
        "streak_participation": Participation.objects.get(target=streak).pk,
        "stay": stay.pk,
        "receipt": stay.leave_receipt_id,
        "open_stay": Stay.objects.get(participation__target=streak).pk,
    }


def plant(ids, *statements):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in statements:
            cursor.execute(statement.format(**ids))


def test_sound_database_breaks_no_promise(history):
    assert list(all_violations()) == []


@pytest.mark.parametrize(("name", "programme", "guards", "statement"), BROKEN)
def test_broken_promise_is_found(history, name, programme, guards, statement):
    plant(history, *guards, statement)

    check = next(check for check in CHECKS if check.name == name)
    found = {(each.check.name, each.customer_id, each.target_id) for each in violations(check)}
    assert found == {(name, 7, history[programme])}


@pytest.mark.parametrize(
    ("programme", "instant"),
    [
        ("at_once", "2026-01-01Z"),  # achieved
        ("streak", "2026-02-01Z"),  # achieved for the second time
        ("at_end", "2026-02-01Z"),  # closed
    ],
)
def test_reward_that_came_at_the_very_instant_may_have_come_too_late(history, programme, instant):
    plant(
        history,
        GRANTS_MAY_CHANGE,
        f"DELETE FROM rewards_grant WHERE target_id = {{{programme}}}",
        f"UPDATE rewards_reward SET is_from_start = false, created_at = '{instant}' WHERE target_id = {{{programme}}}",
    )

    assert list(all_violations()) == []


def test_every_check_is_seen_to_find_something():
    assert {name for name, *_ in BROKEN} == {check.name for check in CHECKS}


def run(*arguments):
    """(exit code, standard output)."""
    out = StringIO()
    try:
        call_command("check_integrity", *arguments, stdout=out)
    except SystemExit as end:
        return end.code, out.getvalue()
    return 0, out.getvalue()


def test_command_says_that_all_promises_hold(history):
    assert run() == (0, f"All {len(CHECKS)} promises hold.\n")


def test_command_shows_what_is_broken_where(history):
    plant(history, "UPDATE enrollments_progress SET value = 9 WHERE participation_id = {participation}")

    code, out = run("--format=json")

    report = json.loads(out)
    broken = {each["name"]: each["violations"] for each in report["checks"] if each["violations"]}
    participation = Participation.objects.select_related("brand", "target").get(pk=history["participation"])
    assert (code, report["violations"], len(report["checks"])) == (1, 1, len(CHECKS))
    assert broken == {
        "progress_is_accounted_for": [
            {
                "brand": participation.brand.name,
                "customerId": 7,
                "erased": None,
                "targetGroupId": participation.target.target_group_id,
                "targetId": participation.target_id,
                "detail": "run 1, period 1: value 9.000, adjustment 0.000, counted 1.000",
            }
        ]
    }


def test_table_counts_broken_promises_and_places(history):
    plant(history, "UPDATE enrollments_progress SET value = 9")

    code, out = run()

    assert code == 1
    assert out.splitlines()[-1] == f"1 of {len(CHECKS)} promises are broken, in 7 places."
    assert "progress_is_accounted_for: The value of a period is the balance last set" in " ".join(out.split())


def test_command_checks_one_brand_only(history):
    plant(history, "UPDATE enrollments_progress SET value = 9")
    names = dict(Participation.objects.values_list("brand__pk", "brand__name"))
    sound = BrandFactory()

    assert run("--brand", sound.name)[0] == 0
    assert run("--brand", names[history["brand"]].upper())[0] == 1


def test_command_refuses_an_unknown_brand():
    with pytest.raises(CommandError) as refused:
        run("--brand", "Nobody")

    assert (refused.value.returncode, str(refused.value)) == (2, "There is no brand 'Nobody'.")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_promise_is_checked_by_reading_each_table_once(check):
    """However many rows there are: else the time would grow with their square."""
    with connection.cursor() as cursor:
        cursor.execute(f"{ONE_PASS}; EXPLAIN (FORMAT JSON) {check.whole_statement}", {"brand": None})
        [[[explained]]] = cursor.fetchall()

    assert [table for table in row_by_row(explained["Plan"]) if table in GROWING] == []


def row_by_row(node: dict[str, Any], *, is_repeated: bool = False) -> Iterator[str]:
    """The tables that are read anew for each row of something else."""
    is_repeated = is_repeated or node.get("Parent Relationship") == "SubPlan"
    if is_repeated and "Relation Name" in node:
        yield node["Relation Name"]
    for place, inner in enumerate(node.get("Plans", [])):
        yield from row_by_row(inner, is_repeated=is_repeated or (node["Node Type"] == "Nested Loop" and place == 1))
