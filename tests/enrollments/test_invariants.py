"""What the database refuses, whoever asks: SQL that goes round Python, one statement for each invariant."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from enrollments.editing import CycleEdit, ProgrammeEdit, TargetEdit
from enrollments.enums import Source
from enrollments.models import Activity, Participation, Stay
from enrollments.operations import (
    ActivityData,
    close_cycles,
    close_own_cycles,
    edit_programme,
    enroll,
    erase_customer,
    record_activity,
    unenroll,
)
from rewards.models import Grant, Reward
from targets.enums import Allocation, EvaluationType, TrackingType
from targets.models import StreakLevel
from tests.enrollments.plan_scene import planned
from tests.factories import START, ApiUserFactory, BrandFactory, CustomerFactory, freeze, make_programme

pytestmark = pytest.mark.django_db

A_CYCLE = """INSERT INTO targets_cycle (target_group_id, number, ref_code, description, starts_at, ends_at, closes_at,
  late_days, paid_through) VALUES """
A_STAY = "INSERT INTO enrollments_stay (participation_id, run_number, first_cycle, end_cycle, enrolled_at) VALUES "
A_REWARD = """INSERT INTO rewards_reward (target_id, name, kind, payload, created_at, retired_at, created_by,
  retired_by, is_from_start) VALUES """
A_GRANT = """INSERT INTO rewards_grant (brand_id, customer_id, target_id, cycle_number, run_number, level_id,
  allocation, reward_id, reward_name, reward_kind, reward_payload, achieved_at, granted_at) VALUES """
AN_OUTCOME = """INSERT INTO enrollments_activityoutcome (activity_id, participation_id, run_number, cycle_number,
  reason, delta, value, achieved, grant_ids) VALUES """
AN_INACTIVITY = "INSERT INTO targets_inactivity (target_group_id, began_at, ended_at, began_by, ended_by) VALUES "
A_CHANGE = "INSERT INTO targets_programmechange (target_group_id, version, at, by, source, request_id, changes) VALUES "
AN_ANSWER = """INSERT INTO targets_storedanswer (api_user_id, key_digest, fingerprint, body, customer_ids, recorded_at)
  SELECT id, repeat('{digit}', 64), repeat('0', 64), '', '{{{{}}}}', now() FROM targets_apiuser"""
A_RECEIPT = """INSERT INTO enrollments_receipt (brand_id, participation_id, stay_id, kind, effective_at, recorded_at,
  source, actor, reason, request_id, run_number, streak_count, cycle_count, from_cycle, first_cycle, end_cycle,
  running_verdict, ignored_fields) VALUES """

# Names in braces are ids of the rows that the fixture `ids` makes.
VIOLATIONS = {
    # brand, API user, customer
    "brand_name_unique": "INSERT INTO targets_brand (name, time_zone, sandbox, is_active, created_at) "
    "SELECT upper(name), 'UTC', false, true, now() FROM targets_brand WHERE id = {brand}",
    "brand_has_clock_if_sandbox": "UPDATE targets_brand SET clock_at = now() WHERE id = {brand}",
    "api_user_secret_is_a_digest": "UPDATE targets_apiuser SET secret_digest = 'secret'",
    "stored_answer_once": f"{AN_ANSWER.format(digit='0')}; {AN_ANSWER.format(digit='0')}",
    "stored_answer_has_digests": AN_ANSWER.format(digit="x"),
    "api_user_former_secret_ends": "UPDATE targets_apiuser SET former_digest = secret_digest",
    "refused_calls_unique": "INSERT INTO targets_refusedcalls (brand_id, day, operation, code, calls, "
    "last_at, last_by, last_request_id) SELECT id, '2026-01-31', 'PUT /v3/clock', 300011, 1, now(), 'till', 'r' "
    "FROM targets_brand, generate_series(1, 2)",
    "staff_brand_once": "INSERT INTO targets_staffbrand (user_id, brand_id) "
    "SELECT user_id, NULL FROM targets_apiuser, generate_series(1, 2)",
    "customer_unique_in_brand": "UPDATE targets_customer SET customer_id = "
    "(SELECT customer_id FROM targets_customer WHERE id = {customer}) WHERE id = {customer2}",
    "customer_id_positive": "UPDATE targets_customer SET customer_id = 0 WHERE id = {customer}",
    "customer_known_or_erased": "UPDATE targets_customer SET customer_id = NULL WHERE id = {customer}",
    "customer_erased_once": "INSERT INTO targets_customer (brand_id, external_id, first_name, last_name, email, "
    "mobile, created_at, erased_at, erased_digest) SELECT brand_id, '', '', '', '', '', now(), now(), erased_digest "
    "FROM targets_customer WHERE id = {erased}",
    "erased_customer_stays_erased": "UPDATE targets_customer SET customer_id = 7, erased_at = NULL, erased_by = '', "
    "erased_digest = '' WHERE id = {erased}",
    # programme
    "target_group_name_unique": "UPDATE targets_targetgroup SET name = "
    "(SELECT upper(name) FROM targets_targetgroup WHERE id = {group}) WHERE id = {streak_group}",
    "target_group_cycle_count": "UPDATE targets_targetgroup SET cycle_count = 1001 WHERE id = {group}",
    "target_group_keeps_cycles": "UPDATE targets_targetgroup SET cycle_count = 1 WHERE id = {group}",
    "target_name_unique": "UPDATE targets_target SET name = "
    "(SELECT upper(name) FROM targets_target WHERE id = {target}) WHERE id = {streak}",
    "target_in_brand_of_group": "UPDATE targets_target SET brand_id = {other_brand} WHERE id = {unused}",
    "target_stays_in_group": "UPDATE targets_target SET target_group_id = {streak_group} WHERE id = {unused}",
    "target_kpi_of_entity": "UPDATE targets_target SET entity = 'CUSTOMER', kpi = 'SALES' WHERE id = {unused}",
    "target_attribute_if_added_up": "UPDATE targets_target SET entity = 'EVENT', kpi = 'EVENT_ATTRIBUTE' "
    "WHERE id = {unused}",
    "target_match_is_object": "UPDATE targets_target SET match = '[]' WHERE id = {unused}",
    "streak_has_fixed_calendar": "UPDATE targets_targetgroup SET tracking_type = 'STREAKS' WHERE id = {agnostic_group}",
    "cyclic_window_has_length": "UPDATE targets_targetgroup SET frequency = 0 WHERE id = {cyclic_group}",
    "period_agnostic_window_is_never_late": "UPDATE targets_targetgroup SET late_days = 1 WHERE id = {agnostic_group}",
    "period_agnostic_window_is_immediate": "UPDATE targets_targetvalue SET allocation = 'PERIOD_END' "
    "WHERE target_id = {agnostic}",
    "own_calendar_has_one_target": "INSERT INTO targets_target (brand_id, target_group_id, name, description, "
    "is_active, entity, kpi, attribute_name, event_name, match, cosmetic, created_at) "
    "VALUES ({brand}, {cyclic_group}, 'x', '', true, 'TRANSACTION', 'COUNT', '', '', '{{}}', '{{}}', now())",
    "cycle_instants_all_or_none": "UPDATE targets_cycle SET ends_at = NULL WHERE target_group_id = {group} "
    "AND number = 3",
    "cycle_instants_of_fixed_calendar": "UPDATE targets_cycle SET starts_at = NULL, ends_at = NULL, closes_at = NULL, "
    "closed_at = NULL, paid_at = NULL WHERE target_group_id = {group} AND number = 3",
    "streak_is_immediate": "UPDATE targets_targetvalue SET allocation = 'PERIOD_END' WHERE target_id = {streak}",
    "target_group_inactive_on_record": "UPDATE targets_targetgroup SET is_active = false WHERE id = {group}",
    "inactivity_ends_after_it_began": AN_INACTIVITY + "({group}, '2026-01-02Z', '2026-01-01Z', 'x', 'x')",
    "inactivities_never_overlap": AN_INACTIVITY + "({frozen_group}, '2025-01-01Z', NULL, 'x', '')",
    "cycle_number_unique": A_CYCLE + "({group}, 1, 'x', '', '2025-01-01Z', '2025-01-02Z', '2025-01-02Z', 0, 0)",
    "cycle_name_unique": "UPDATE targets_cycle SET ref_code = 'C1' WHERE target_group_id = {group} AND number = 3",
    "cycle_number_range": A_CYCLE + "({group}, 0, 'x', '', '2020-01-01Z', '2020-01-02Z', '2020-01-02Z', 0, 0)",
    "cycle_number_within_group": A_CYCLE
    + "({streak_group}, 7, 'x', '', '2030-01-01Z', '2030-01-02Z', '2030-01-02Z', 0, 0)",
    "cycles_in_order": A_CYCLE + "({group}, 6, 'x', '', '2020-01-01Z', '2020-01-02Z', '2020-01-02Z', 0, 0)",
    "cycle_ends_after_start": A_CYCLE + "({group}, 6, 'x', '', '2030-01-02Z', '2030-01-02Z', '2030-01-02Z', 0, 0)",
    "cycle_closes_after_end": A_CYCLE + "({group}, 6, 'x', '', '2030-01-01Z', '2030-01-02Z', '2030-01-01Z', 0, 0)",
    "cycle_closed_when_due": "UPDATE targets_cycle SET closed_at = ends_at - interval '1 s' "
    "WHERE target_group_id = {group} AND number = 3",
    "cycle_paid_after_closed": "UPDATE targets_cycle SET paid_at = ends_at "
    "WHERE target_group_id = {group} AND number = 3",
    "cycles_never_overlap": "UPDATE targets_cycle SET ends_at = ends_at + interval '1 s', "
    "closes_at = closes_at + interval '1 s' WHERE target_group_id = {group} AND number = 3",
    "target_value_unique": "INSERT INTO targets_targetvalue (target_id, cycle_id, value, allocation) "
    "SELECT target_id, cycle_id, 1, 'IMMEDIATE' FROM targets_targetvalue WHERE target_id = {target} LIMIT 1",
    "target_value_positive": "UPDATE targets_targetvalue SET value = 0 "
    "WHERE target_id = {target} AND cycle_id IN (SELECT id FROM targets_cycle WHERE number = 3)",
    "target_value_of_own_calendar": "UPDATE targets_targetvalue SET target_id = {streak} WHERE target_id = {target}",
    "target_group_keeps_kind": "UPDATE targets_targetgroup SET time_zone = 'Asia/Tokyo' WHERE id = {group}",
    "closed_cycle_keeps_dates": "UPDATE targets_cycle SET closes_at = closes_at + interval '1 day' "
    "WHERE target_group_id = {group} AND number = 1",
    "closed_cycle_keeps_values": "UPDATE targets_targetvalue SET value = 2 WHERE target_id = {target}",
    "programme_changes_by_version": "UPDATE targets_cycle SET ends_at = ends_at - interval '1 day' "
    "WHERE target_group_id = {group} AND number = 3",
    "programme_version_on_record": "UPDATE targets_targetgroup SET version = version + 1 WHERE id = {group}",
    "change_unique_per_version": A_CHANGE
    + "({group}, 7, now(), '', '', '', '[]'), ({group}, 7, now(), '', '', '', '[]')",
    "change_version_positive": A_CHANGE + "({group}, 0, now(), '', '', '', '[]')",
    "targets_programmechange_append_only": "UPDATE targets_programmechange SET by = 'another'",
    "former_cycle_unique": "INSERT INTO targets_formercycle (cycle_id, until_version, starts_at, ends_at, closes_at) "
    "SELECT cycle_id, until_version, now(), now(), now() FROM targets_formercycle",
    "former_value_unique": "INSERT INTO targets_formervalue (target_value_id, until_version, value) "
    "SELECT target_value_id, until_version, 1 FROM targets_formervalue",
    "targets_auditentry_append_only": "UPDATE targets_auditentry SET by = 'another'",
    "targets_formercycle_append_only": "DELETE FROM targets_formercycle",
    "targets_formervalue_append_only": "DELETE FROM targets_formervalue",
    "level_count_unique": "UPDATE targets_streaklevel SET target_count = 2 WHERE id = {level4}",
    "level_count_range": "UPDATE targets_streaklevel SET target_count = 0 WHERE id = {level4}",
    "level_name_unique": "UPDATE targets_streaklevel SET name = "
    "(SELECT upper(name) FROM targets_streaklevel WHERE id = {level2}) WHERE id = {level4}",
    "level_in_brand_of_group": "UPDATE targets_streaklevel SET brand_id = {other_brand} WHERE id = {level4}",
    # rewards
    "reward_one_at_a_time": A_REWARD + "({target}, 'x', 'POINTS', '{{}}', now(), NULL, '', '', true)",
    "rewards_never_overlap": A_REWARD
    + "({target}, 'x', 'POINTS', '{{}}', now(), now() + interval '1 s', '', '', true)",
    "reward_retired_after_made": "UPDATE rewards_reward SET retired_at = created_at - interval '1 s' "
    "WHERE id = {reward}",
    "reward_level_of_own_group": "UPDATE rewards_reward SET level_id = {level4} WHERE id = {reward}",
    "reward_cycle_of_own_group": "UPDATE rewards_reward SET cycle_id = {streak_cycle} WHERE id = {reward}",
    "reward_of_level_or_cycle": "UPDATE rewards_reward SET cycle_id = {streak_cycle} WHERE id = {level2_reward}",
    "reward_of_streak_has_level": "UPDATE rewards_reward SET level_id = NULL WHERE id = {level2_reward}",
    "grant_once_per_cycle": A_GRANT + "({brand}, {customer}, {target}, 1, 9, NULL, 'PERIOD_END', {reward}, 'x', "
    "'POINTS', '{{}}', '2026-02-01Z', '2027-02-01Z')",
    "grant_once_per_level_and_run": A_GRANT + "({brand}, {customer}, {streak}, 3, 1, {level2}, 'IMMEDIATE', "
    "{level2_reward}, 'x', 'POINTS', '{{}}', now(), now())",
    "grant_level_is_immediate": A_GRANT + "({brand}, {customer}, {streak}, 1, 2, {level2}, 'PERIOD_END', "
    "{level2_reward}, 'x', 'POINTS', '{{}}', '2027-01-01Z', '2027-01-01Z')",
    "grant_after_achievement": A_GRANT + "({brand}, {customer}, {target}, 2, 1, NULL, 'IMMEDIATE', {reward}, 'x', "
    "'POINTS', '{{}}', '2026-02-02Z', '2026-02-01Z')",
    "grant_customer_in_brand": A_GRANT + "({brand}, {foreigner}, {target}, 2, 1, NULL, 'IMMEDIATE', {reward}, 'x', "
    "'POINTS', '{{}}', now(), now())",
    "grant_target_in_brand": A_GRANT + "({other_brand}, {foreigner}, {target}, 2, 1, NULL, 'IMMEDIATE', {reward}, 'x', "
    "'POINTS', '{{}}', now(), now())",
    "grant_cycle_of_own_group": A_GRANT + "({brand}, {customer}, {target}, 7, 1, NULL, 'IMMEDIATE', {reward}, 'x', "
    "'POINTS', '{{}}', now(), now())",
    "grant_of_own_reward": A_GRANT + "({brand}, {customer}, {target}, 2, 1, NULL, 'IMMEDIATE', {level2_reward}, 'x', "
    "'POINTS', '{{}}', now(), now())",
    "grant_of_period_end_when_closed": A_GRANT + "({brand}, {customer2}, {target}, 2, 1, NULL, 'PERIOD_END', {reward}, "
    "'x', 'POINTS', '{{}}', now(), now())",
    "grant_of_period_end_to_member": A_GRANT + "({brand}, {customer2}, {target}, 1, 1, NULL, 'PERIOD_END', {reward}, "
    "'x', 'POINTS', '{{}}', '2027-01-01Z', '2027-01-01Z')",
    "rewards_grant_append_only": "DELETE FROM rewards_grant",
    # participation, run, stay, progress
    "participation_unique": "INSERT INTO enrollments_participation (brand_id, customer_id, target_id, run_number, "
    "first_enrolled_at, changed_at, closed_through) VALUES ({brand}, {customer}, {target}, 1, now(), now(), 0)",
    "participation_run_positive": "UPDATE enrollments_participation SET run_number = 0",
    "participation_changed_after_enrolling": "UPDATE enrollments_participation "
    "SET changed_at = first_enrolled_at - interval '1 s'",
    "participation_customer_in_brand": "UPDATE enrollments_participation SET customer_id = {foreigner} "
    "WHERE id = {participation}",
    "participation_of_known_customer": "INSERT INTO enrollments_participation (brand_id, customer_id, target_id, "
    "run_number, first_enrolled_at, changed_at, closed_through) "
    "VALUES ({brand}, {erased}, {target}, 1, now(), now(), 0)",
    "participation_closes_what_has_begun": "UPDATE enrollments_participation SET closes_next_at = now() "
    "WHERE id = {participation}",
    "own_calendar_of_cyclic_window": "UPDATE enrollments_participation SET anchored_at = now() "
    "WHERE id = {participation}",
    "own_calendar_never_moves": "UPDATE enrollments_participation SET anchored_at = anchored_at + interval '1 s' "
    "WHERE id = {cyclic_participation}",
    "own_calendar_closes_forward": "UPDATE enrollments_participation SET closed_through = 0 "
    "WHERE id = {cyclic_participation}",
    "participation_target_in_brand": "UPDATE enrollments_participation SET target_id = {foreign_target} "
    "WHERE id = {participation}",
    "run_unique": "INSERT INTO enrollments_run (participation_id, number, started_at) "
    "VALUES ({participation}, 1, now())",
    "run_number_positive": "UPDATE enrollments_run SET number = 0",
    "stay_first_cycle_range": A_STAY + "({participation}, 1, 0, NULL, now())",
    "stay_ends_after_start": "UPDATE enrollments_stay SET end_cycle = 0 WHERE id = {stay}",
    "stay_open_scheduled_or_left": "UPDATE enrollments_stay SET left_at = NULL WHERE id = {stay}",
    "stay_left_after_enrolling": "UPDATE enrollments_stay SET left_at = enrolled_at - interval '1 s' WHERE id = {stay}",
    "stay_leaves_as_scheduled": "UPDATE enrollments_stay SET leaves_at = now() WHERE id = {stay}",
    "stays_never_overlap": A_STAY + "({participation}, 1, 1, NULL, now())",
    "stay_of_a_run": A_STAY + "({participation}, 7, 3, NULL, now())",
    "stay_ended_by_its_receipt": "UPDATE enrollments_stay SET end_cycle = 4 WHERE id = {stay}",
    "stay_of_known_customer": A_STAY + "({erased_participation}, 1, 3, NULL, now())",
    "stay_within_calendar": A_STAY + "({participation}, 1, 7, NULL, now())",
    "progress_unique": "INSERT INTO enrollments_progress (participation_id, run_number, cycle_number, value, "
    "adjustment) VALUES ({participation}, 1, 1, 0, 0)",
    "progress_cycle_range": "UPDATE enrollments_progress SET cycle_number = 0",
    "progress_of_a_run": "UPDATE enrollments_progress SET run_number = 7",
    # activity, receipt
    "activity_event_once": "INSERT INTO enrollments_activity (brand_id, customer_id, event_id, event_name, "
    "occurred_at, attributes, recorded_at, not_counted) "
    "VALUES ({brand}, {customer2}, 'e1', 'x', now(), '{{}}', now(), '')",
    "activity_event_not_archived": "INSERT INTO enrollments_archivedactivity (id, brand_id, customer_id, event_id, "
    "event_name, occurred_at, recorded_at, not_counted, attributes) "
    "VALUES (0, {brand}, {customer}, 'e8', 'x', now(), now(), '', '{{}}'); "
    "INSERT INTO enrollments_activity (brand_id, customer_id, event_id, event_name, "
    "occurred_at, attributes, recorded_at, not_counted) "
    "VALUES ({brand}, {customer2}, 'e8', 'x', now(), '{{}}', now(), '')",
    "activity_of_known_customer": "INSERT INTO enrollments_activity (brand_id, customer_id, event_id, event_name, "
    "occurred_at, attributes, recorded_at, not_counted) "
    "VALUES ({brand}, {erased}, 'e9', 'x', now(), '{{}}', now(), '')",
    "activity_customer_in_brand": "UPDATE enrollments_activity SET customer_id = {foreigner}",
    "outcome_unique": "INSERT INTO enrollments_activityoutcome (activity_id, participation_id, reason, delta, value, "
    "achieved, grant_ids) SELECT activity_id, participation_id, 'no_cycle', 0, 0, false, '{{}}' "
    "FROM enrollments_activityoutcome LIMIT 1",
    "outcome_counted_or_reason": AN_OUTCOME + "({activity}, {participation}, NULL, NULL, '', 1, 1, false, '{{}}')",
    "outcome_visit_once": "UPDATE enrollments_activityoutcome SET cycle_number = 1, visit_on = '2026-01-01' "
    "WHERE participation_id = {streak_participation}",
    "outcome_visit_adds_one": "UPDATE enrollments_activityoutcome SET visit_on = '2026-01-01', delta = 2 "
    "WHERE activity_id = {activity}",
    "outcome_of_own_customer": AN_OUTCOME + "({activity}, {participation2}, 1, 1, '', 1, 1, false, '{{}}')",
    "receipt_of_leaving_has_end": A_RECEIPT + "({brand}, {participation}, {stay}, 'UNENROLLED', now(), now(), 'API', "
    "'x', '', '', 1, 0, 6, 1, 1, NULL, '', '{{}}')",
    "receipt_of_undoing_names_what": A_RECEIPT + "({brand}, {participation}, {stay}, 'LEAVE_CANCELLED', now(), now(), "
    "'API', 'x', '', '', 1, 0, 6, 1, 1, NULL, '', '{{}}')",
    "receipt_participation_in_brand": A_RECEIPT + "({other_brand}, {participation}, {stay}, 'ENROLLED', now(), now(), "
    "'API', 'x', '', '', 1, 0, 6, 1, 1, NULL, '', '{{}}')",
    "receipt_of_own_stay": A_RECEIPT + "({brand}, {participation2}, {stay}, 'ENROLLED', now(), now(), "
    "'API', 'x', '', '', 1, 0, 6, 1, 1, NULL, '', '{{}}')",
    "enrollments_receipt_append_only": "UPDATE enrollments_receipt SET reason = 'another'",
    # uploaded lists
    "daily_changes_unique": "INSERT INTO enrollments_dailychanges (target_id, day, joined, departed, taken_back, "
    "forfeited) SELECT id, '2026-01-31', 0, 0, 0, 0 FROM targets_target, generate_series(1, 2)",
    "leave_plan_target_in_brand": "UPDATE enrollments_leaveplan SET target_id = {foreign_target}",
    "leave_plan_has_reason": "UPDATE enrollments_leaveplan SET reason = ''",
    "leave_plan_planned_first": "UPDATE enrollments_leaveplan SET planned_at = NULL",
    "leave_plan_approved_by_somebody": "UPDATE enrollments_leaveplan SET approved_by = 'lea'",
    "leave_plan_second_person": "UPDATE enrollments_leaveplan SET approved_by = uploaded_by, approved_at = now()",
    "leave_plan_runs_approved": "UPDATE enrollments_leaveplan SET state = 'RUNNING', leaving = approval_above + 1",
    "planned_leave_line": "UPDATE enrollments_plannedleave SET line = 1",
    "planned_leave_once": "UPDATE enrollments_plannedleave SET customer_id = {customer2}, given = ''",
    "planned_leave_known_or_given": "UPDATE enrollments_plannedleave SET given = 'x' WHERE customer_id = {customer2}",
    "planned_leave_planned_first": "UPDATE enrollments_plannedleave SET verdict = '', outcome = 'unenrolled'",
    "planned_leave_plan_in_brand": "UPDATE enrollments_plannedleave SET brand_id = {other_brand} WHERE given <> ''",
    "planned_leave_customer_in_brand": "UPDATE enrollments_plannedleave SET customer_id = {foreigner}, given = '' "
    "WHERE given <> ''",
}


@pytest.fixture(scope="module")
def ids(module_db):
    """A milestone and a streak with everything a history makes; what belongs to another brand is `foreign`."""
    brand, other_brand = BrandFactory(), BrandFactory()
    ApiUserFactory(brand=brand)
    customer, customer2, erased = CustomerFactory.create_batch(3, brand=brand)
    target = make_programme(brand=brand, cycles=6, allocation=Allocation.PERIOD_END, target_value=1)
    streak = make_programme(
        brand=brand, cycles=6, tracking_type=TrackingType.STREAKS, levels=(1, 2, 4), target_value=1, event_name="visit"
    )
    unused, frozen = make_programme(brand=brand), make_programme(brand=brand)
    freeze(frozen.target_group)
    edit = ProgrammeEdit(
        cycles={5: CycleEdit(ends_at=START + timedelta(days=151))},
        targets={unused.pk: TargetEdit(values={5: Decimal(9)})},
    )
    edit_programme(target_group=unused.target_group, edit=edit, at=START, by="test", source=Source.ADMIN)
    act = {"by": "test", "source": Source.API}
    for each, who in ((target, customer), (streak, customer), (streak, customer2)):
        enroll(customer=who, target=each, at=START, **act)
    events = ((0, "purchase", customer), (0, "visit", customer), (31, "visit", customer))
    for number, (day, name, who) in enumerate(events, 1):
        at = START + timedelta(days=day)
        event = ActivityData(f"e{number}", name, who.customer_id, at)
        record_activity(brand=brand, activity=event, at=at)
    list(close_cycles(brand=brand, at=START + timedelta(days=31)))
    unenroll(customer=customer, target=target, at=START + timedelta(days=70), **act)
    assert (Grant.objects.filter(target=target).count(), Grant.objects.filter(target=streak).count()) == (1, 2)
    enroll(customer=erased, target=make_programme(brand=brand), at=START + timedelta(days=70), **act)
    erase_customer(customer=erased, at=START + timedelta(days=70), **act)
    participation = Participation.objects.get(customer=customer, target=target)
    cyclic = make_programme(brand=brand, window=EvaluationType.CYCLIC_WINDOW, event_name="own")
    agnostic = make_programme(brand=brand, window=EvaluationType.PERIOD_AGNOSTIC_WINDOW)
    begun = START + timedelta(days=70)
    enroll(customer=customer, target=cyclic, at=begun, **act)
    record_activity(brand=brand, activity=ActivityData("own", "own", customer.customer_id, begun), at=begun)
    list(close_own_cycles(brand=brand, at=begun + timedelta(days=31)))
    planned(streak, customer2.customer_id, 404)
    return {
        "brand": brand.pk,
        "other_brand": other_brand.pk,
        "customer": customer.pk,
        "customer2": customer2.pk,
        "erased": erased.pk,
        "erased_participation": Participation.objects.get(customer=erased).pk,
        "foreigner": CustomerFactory(brand=other_brand).pk,
        "foreign_target": make_programme(brand=other_brand).pk,
        "target": target.pk,
        "group": target.target_group_id,
        "streak": streak.pk,
        "streak_group": streak.target_group_id,
        "streak_cycle": streak.target_group.cycles.get(number=1).pk,
        "unused": unused.pk,
        "cyclic_group": cyclic.target_group_id,
        "cyclic_participation": Participation.objects.get(target=cyclic).pk,
        "agnostic": agnostic.pk,
        "agnostic_group": agnostic.target_group_id,
        "frozen_group": frozen.target_group_id,
        "level2": StreakLevel.objects.get(target_group=streak.target_group, target_count=2).pk,
        "level4": StreakLevel.objects.get(target_group=streak.target_group, target_count=4).pk,
        "level2_reward": Reward.objects.get(level__target_group=streak.target_group, level__target_count=2).pk,
        "reward": Reward.objects.get(target=target).pk,
        "participation": participation.pk,
        "streak_participation": Participation.objects.get(customer=customer, target=streak).pk,
        "participation2": Participation.objects.get(customer=customer2).pk,
        "stay": Stay.objects.get(participation=participation).pk,
        "activity": Activity.objects.get(event_id="e1").pk,
    }


@pytest.mark.parametrize("name", VIOLATIONS)
def test_statement_that_breaks_invariant_is_refused_by_its_constraint(ids, name):
    statement = f"SET CONSTRAINTS ALL IMMEDIATE; {VIOLATIONS[name].format(**ids)}"

    with pytest.raises(DatabaseError) as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert refused.value.__cause__.diag.constraint_name == name


GENERATED_BY_DJANGO = r"_(pkey|check|key|uniq|like|[0-9a-f]{8}_(fk|uniq|like)_?\w*)$"
OF_OURS = "^(targets|rewards|enrollments)_"


def test_every_named_invariant_of_the_database_has_a_statement_here(pytestconfig):
    if pytestconfig.getoption("--receipts-in-parts"):
        pytest.skip("a part's have names of their own")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT conname FROM pg_constraint WHERE conrelid::regclass::text ~ %(ours)s AND conname !~ %(generated)s
               AND contype <> 't'
            UNION
            SELECT index.relname FROM pg_index JOIN pg_class index ON index.oid = indexrelid
             WHERE indisunique AND indrelid::regclass::text ~ %(ours)s AND index.relname !~ %(generated)s
               AND indrelid::regclass::text !~ 'archived'  -- a partition's have names of its own
            UNION
            SELECT (regexp_matches(prosrc, '''([a-z_]+)'', ''[A-Z]', 'g'))[1] FROM pg_proc WHERE proname ~ '^check_'
            UNION
            SELECT tgrelid::regclass::text || '_append_only' FROM pg_trigger WHERE tgname = 'append_only'
            """,
            {"ours": OF_OURS, "generated": GENERATED_BY_DJANGO},
        )
        names = {name for (name,) in cursor.fetchall()}

    assert names == set(VIOLATIONS)
