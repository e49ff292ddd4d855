"""Uploaded lists: planned, approved, carried out chunk by chunk, purged."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from enrollments import leave_plans
from enrollments.enums import Effective, LeaveOutcome, PlanState
from enrollments.leave_plans import plan_chunk, run_chunk, try_again
from enrollments.models import LeavePlan, PlannedLeave, Receipt, Stay
from enrollments.operations import (
    PlanRefused,
    approve_plan,
    enroll,
    erase_customer,
    purge_plans,
    start_plan,
    undo_leave,
    unenroll,
    withdraw_plan,
)
from targets.enums import Allocation, EvaluationType
from targets.models import AuditEntry
from tests.enrollments.admin_scene import ACT, NOW, buy, enrolled, programme, receipts_of_admin
from tests.enrollments.plan_scene import older, planned, run_to_its_end, told, uploaded
from tests.factories import CustomerFactory, freeze
from tests.faults import everything

pytestmark = pytest.mark.django_db


@pytest.fixture
def target():
    return programme(allocation=Allocation.PERIOD_END)


def start(plan, by="sam"):
    return start_plan(plan=plan, at=timezone.now(), by=by)


def approve(plan, by="lea"):
    return approve_plan(plan=plan, at=timezone.now(), by=by)


def numbers(*participations):
    return [each.customer.customer_id for each in participations]


def audited(plan):
    found = AuditEntry.objects.filter(kind="unenrolment of many", object_id=str(plan.pk)).order_by("pk")
    return [each.changes[0]["what"] for each in found]


# What is planned


def test_plan_says_of_each_line_what_leaving_would_mean_and_changes_nothing(target):
    stays, forfeits = enrolled(target), enrolled(target, achieved=True)
    left, never = enrolled(target), CustomerFactory(brand=target.brand)
    unenroll(customer=left.customer, target=target, at=NOW, **ACT)
    before = everything()

    plan = planned(target, *numbers(stays, forfeits, left), never.customer_id, 404, "A-1", *numbers(stays))

    assert told(plan) == [
        (1, "unenrolled", ""),
        (2, "unenrolled", ""),
        (3, "already_left", ""),
        (4, "never_enrolled", ""),
        (5, "unknown_customer", ""),
        (6, "unknown_customer", ""),
        (7, "duplicate_in_request", ""),
    ]
    assert (plan.state, plan.rows, plan.leaving) == (PlanState.PLANNED, 7, 2)
    lines = {each.line: each for each in plan.lines.all()}
    assert [lines[each].forfeited for each in (1, 2)] == ["", "c1"]
    assert [lines[each].given for each in (1, 5, 6)] == ["", "404", "A-1"]
    assert [lines[each].note for each in (3, 7)] == ["Left 4 Jan 2026, 00:00 (UTC).", "Was named on line 1."]
    own = {"enrollments_leaveplan", "enrollments_plannedleave", "targets_auditentry"}
    after = everything()
    assert {name: rows for name, rows in after.items() if name not in own} == {
        name: rows for name, rows in before.items() if name not in own
    }


def test_external_id_names_a_customer_of_the_brand_and_of_several_none(target):
    one, twin, _ = (enrolled(target, external_id=each) for each in ("A-1", "A-2", "A-2"))
    CustomerFactory(external_id="A-3")  # of another brand

    plan = planned(target, "A-1", "A-2", "A-3", one.customer.customer_id)

    assert [verdict for _, verdict, _ in told(plan)] == [
        "unenrolled",
        "unknown_customer",
        "unknown_customer",
        "duplicate_in_request",
    ]
    assert plan.lines.get(line=2).note == "Several customers of the brand have this external id."
    assert twin.customer_id not in plan.lines.values_list("customer", flat=True)


def test_inactive_programme_is_left_only_where_that_was_asked_for(target):
    participation = enrolled(target)
    freeze(target.target_group)
    target.target_group.refresh_from_db()

    plans = [planned(target, *numbers(participation), include_inactive=each) for each in (False, True)]

    assert [told(each) for each in plans] == [[(1, "inactive", "")], [(1, "unenrolled", "")]]
    assert [each.leaving for each in plans] == [0, 1]


def test_list_is_looked_at_in_chunks_each_with_the_same_statements(target, monkeypatch):
    monkeypatch.setattr(leave_plans, "TOGETHER_AT_ONCE", 2)
    plan = uploaded(target, *numbers(*(enrolled(target) for _ in range(3))))

    counts = []
    for expected in (PlanState.PLANNING, PlanState.PLANNED):
        with CaptureQueriesContext(connection) as queries:
            plan = plan_chunk(plan=plan, at=timezone.now(), by="sam")
        counts.append(len(queries))
        assert plan.state == expected

    assert counts[1] - counts[0] == 2  # counted, and told that it is planned
    assert plan.leaving == 3


# Approval


@pytest.mark.parametrize(("limit", "needed"), [(0, True), (1, True), (2, False), (3, False)])
def test_more_than_so_many_leave_only_when_a_second_person_has_approved(target, settings, limit, needed):
    settings.BULK_APPROVAL_ABOVE = limit
    plan = planned(target, *numbers(enrolled(target), enrolled(target)), 404)  # an unknown one does not count

    if not needed:
        with pytest.raises(PlanRefused, match="It needs no approval"):
            approve(plan)
        assert start(plan).state == PlanState.RUNNING
        return
    with pytest.raises(PlanRefused, match="A second person has to approve it first"):
        start(plan)
    with pytest.raises(PlanRefused, match="Whoever has uploaded a list cannot approve it"):
        approve(plan, by="sam")
    plan.refresh_from_db()
    assert (plan.state, plan.approved_by) == (PlanState.PLANNED, "")
    assert approve(plan).approved_by == "lea"
    with pytest.raises(PlanRefused, match="lea has approved it already"):
        approve(plan, by="max")
    assert start(plan).state == PlanState.RUNNING
    assert audited(plan) == ["customers", "approved for so many customers", "started for so many customers"]


def test_limit_of_the_upload_holds_though_it_is_raised_meanwhile(target, settings):
    settings.BULK_APPROVAL_ABOVE = 0
    plan = planned(target, *numbers(enrolled(target)))
    settings.BULK_APPROVAL_ABOVE = 10

    with pytest.raises(PlanRefused, match="A second person"):
        start(plan)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"approved_by": "sam", "approved_at": NOW}, "leave_plan_second_person"),
        ({"approved_by": "lea"}, "leave_plan_approved_by_somebody"),
        ({"state": "RUNNING"}, "leave_plan_runs_approved"),
        ({"state": "DONE"}, "leave_plan_runs_approved"),
        ({"planned_at": None}, "leave_plan_planned_first"),
        ({"reason": ""}, "leave_plan_has_reason"),
    ],
)
def test_database_itself_holds_to_it(target, settings, values, constraint):
    settings.BULK_APPROVAL_ABOVE = 0
    plan = planned(target, *numbers(enrolled(target)))

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        LeavePlan.objects.filter(pk=plan.pk).update(**values)


def test_database_keeps_lists_and_their_lines_in_one_brand(target):
    plan = planned(target, 404, *numbers(enrolled(target)))
    stranger = CustomerFactory()

    for rows, values, constraint in (
        (LeavePlan.objects, {"brand": stranger.brand}, "in_brand"),
        (plan.lines, {"brand": stranger.brand}, "in_brand"),
        (plan.lines.filter(given="404"), {"customer": stranger, "given": ""}, "planned_leave_customer_in_brand"),
        (plan.lines.filter(given=""), {"given": "x"}, "planned_leave_known_or_given"),
        (plan.lines.filter(given=""), {"verdict": "", "outcome": "unenrolled"}, "planned_leave_planned_first"),
    ):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            rows.update(**values)


# Carrying out


def test_whoever_was_to_leave_leaves_with_reason_and_batch_and_the_others_do_not(target):
    forfeits, stays_in = enrolled(target, achieved=True), enrolled(target)
    plan = start(planned(target, *numbers(forfeits), 404, *numbers(forfeits)))

    plan = run_to_its_end(plan)

    (receipt,) = receipts_of_admin()
    assert told(plan) == [
        (1, "unenrolled", "unenrolled"),
        (2, "unknown_customer", "unknown_customer"),
        (3, "duplicate_in_request", "duplicate_in_request"),
    ]
    assert plan.lines.get(line=1).receipt == receipt
    assert (receipt.participation, receipt.batch_id, receipt.reason) == (forfeits, plan.batch_id, "Moved abroad")
    assert (plan.state, plan.ended_by) == (PlanState.DONE, "sam")
    assert Stay.objects.get(participation=stays_in).end_cycle is None


def test_leave_at_the_end_of_the_cycle_is_scheduled(target):
    participation = enrolled(target, achieved=True)

    plan = run_to_its_end(start(planned(target, *numbers(participation), effective=Effective.END_OF_CYCLE)))

    assert told(plan) == [(1, "scheduled", "scheduled")]
    assert plan.lines.get().forfeited == ""
    assert Stay.objects.get().leaves_after == 1


@pytest.mark.parametrize("window", [EvaluationType.FIXED_CALENDAR_WINDOW, EvaluationType.CYCLIC_WINDOW])
def test_interrupted_between_two_chunks_and_amid_one_it_goes_on_and_each_leaves_once(window, monkeypatch):
    target = programme(window=window)
    for name in ("TOGETHER_AT_ONCE", "ALONE_AT_ONCE"):
        monkeypatch.setattr(leave_plans, name, 2)
    participations = [enrolled(target) for _ in range(5)]
    plan = start(planned(target, *numbers(*participations)))
    run_chunk(plan=plan, at=timezone.now(), by="sam")
    done = [outcome for *_, outcome in told(plan)]

    with monkeypatch.context() as patch:  # the leaves of the second chunk are committed, what became of them is lost
        patch.setattr(leave_plans, "_store", lost)
        with pytest.raises(ConnectionError):
            run_chunk(plan=plan, at=timezone.now(), by="sam")
    amid = receipts_of_admin().count()
    plan = run_to_its_end(plan, by="lea")

    assert (done, amid) == (["unenrolled"] * 2 + [""] * 3, 4)
    assert [outcome for *_, outcome in told(plan)] == ["unenrolled"] * 5
    receipts = {each.participation_id: each.pk for each in receipts_of_admin()}
    assert list(plan.lines.order_by("line").values_list("receipt", flat=True)) == [
        receipts[each.pk] for each in participations
    ]
    assert len(receipts) == receipts_of_admin().count() == 5


def lost(*args):
    raise ConnectionError


def test_whose_situation_has_changed_since_is_refused_by_name_and_nothing_is_written_for_him(target):
    reached, gone, back, erased, same = (enrolled(target) for _ in range(5))
    plan = start(planned(target, *numbers(reached, gone, back, erased, same)))
    buy(target, reached.customer, NOW)
    unenroll(customer=gone.customer, target=target, at=NOW, **ACT)
    undo_leave(receipt=unenroll(customer=back.customer, target=target, at=NOW, **ACT), at=NOW, **ACT)
    erase_customer(customer=erased.customer, at=NOW, **ACT)

    plan = run_to_its_end(plan)

    assert [outcome for *_, outcome in told(plan)] == ["changed", "changed", "unenrolled", "changed", "unenrolled"]
    assert list(plan.lines.order_by("line").values_list("message", flat=True)) == [
        "Changed since the plan: the verdict on the running cycle was “left”, now it is “left, reward forfeited”.",
        "Changed since the plan: he left 4 Jan 2026, 00:00 (UTC).",
        "",
        "Changed since the plan: the customer was erased.",
        "",
    ]
    assert {each.participation_id for each in receipts_of_admin()} == {back.pk, same.pk}


def test_whoever_could_not_leave_and_now_could_is_refused(target):
    newcomer = CustomerFactory(brand=target.brand)
    plan = start(planned(target, newcomer.customer_id, *numbers(enrolled(target))))
    enroll(customer=newcomer, target=target, at=NOW, **ACT)

    plan = run_to_its_end(plan)

    assert [outcome for *_, outcome in told(plan)] == ["changed", "unenrolled"]
    assert Stay.objects.get(participation__customer=newcomer).end_cycle is None


def test_whoever_was_locked_too_long_is_tried_once_more_and_others_are_not(target):
    slow, fast = enrolled(target), enrolled(target)
    plan = run_to_its_end(start(planned(target, *numbers(slow, fast))))
    taken = plan.lines.get(line=2).receipt_id
    # As it stands where somebody else had locked him; his leave is not written then.
    undo_leave(receipt=plan.lines.get(line=1).receipt, at=NOW, **ACT)
    plan.lines.filter(line=1).update(outcome=LeaveOutcome.TRY_AGAIN, receipt=None, message="Others took too long.")

    again = try_again(plan=plan)
    open_lines = list(again.lines.filter(outcome="").values_list("line", flat=True))
    plan = run_to_its_end(again)

    assert open_lines == [1]
    assert plan.state == PlanState.DONE
    assert plan.lines.get(line=1).outcome == "changed"  # it had been taken back, and is not made again
    assert plan.lines.get(line=2).receipt_id == taken
    with pytest.raises(PlanRefused, match="nobody to be tried again"):
        try_again(plan=plan)


def test_outcome_that_stands_is_not_replaced_by_a_late_one(target):
    plan = run_to_its_end(start(planned(target, *numbers(enrolled(target)))))
    line = plan.lines.get()

    leave_plans._store(leave_plans.STORE_OUTCOMES, [(line.pk, "changed", None, "late")], [leave_plans.OPEN])

    line.refresh_from_db()
    assert (line.outcome, line.message) == ("unenrolled", "")


def test_plan_is_begun_within_its_hours_and_then_goes_on_whenever(target, settings):
    settings.PLAN_HOURS = 1
    plans = [planned(target, *numbers(enrolled(target))) for _ in range(2)]
    running = start(plans[1])
    older(plans[0], hours=2)
    older(running, hours=2)

    with pytest.raises(PlanRefused, match=r"within 1 hours \(PLAN_HOURS\)"):
        start(plans[0])

    assert run_to_its_end(running).state == PlanState.DONE
    assert receipts_of_admin().count() == 1


def test_steps_come_in_their_order_and_refused_ones_change_nothing(target):
    unplanned, plan = uploaded(target, *numbers(enrolled(target))), planned(target, *numbers(enrolled(target)))
    done = run_to_its_end(start(planned(target, *numbers(enrolled(target)))))
    withdrawn = withdraw_plan(plan=planned(target, *numbers(enrolled(target))), at=timezone.now(), by="sam")
    nobody = planned(target, 404)
    before = everything()

    for step in (
        lambda: start(unplanned),
        lambda: approve(unplanned),
        lambda: run_chunk(plan=plan, at=timezone.now(), by="sam"),
        lambda: try_again(plan=plan),
        lambda: start(done),
        lambda: withdraw_plan(plan=done, at=timezone.now(), by="sam"),
        lambda: start(withdrawn),
        lambda: run_chunk(plan=withdrawn, at=timezone.now(), by="sam"),
        lambda: withdraw_plan(plan=withdrawn, at=timezone.now(), by="sam"),
        lambda: start(nobody),
    ):
        with pytest.raises(PlanRefused):
            step()

    assert everything() == before
    plan_chunk(plan=withdrawn, at=timezone.now(), by="sam")  # whoever still looks at it does no harm
    assert everything() == before


def test_chunks_cost_the_same_statements_however_large(target, monkeypatch):
    costs = []
    for size in (1, 30):
        plan = start(planned(target, *numbers(*(enrolled(target) for _ in range(size)))))
        with CaptureQueriesContext(connection) as queries:
            run_chunk(plan=plan, at=timezone.now(), by="sam")
        costs.append(len(queries))

    assert costs[0] == costs[1]
    assert receipts_of_admin().count() == 31


# Keeping and forgetting


def test_old_lists_are_purged_with_their_lines_and_receipts_stay(target, settings):
    old, new = (run_to_its_end(start(planned(target, *numbers(enrolled(target)), 404))) for _ in range(2))
    older(old, days=91)

    removed = sum(purge_plans(before=timezone.now() - timedelta(days=90), at_once=1))

    assert removed == 3
    assert list(LeavePlan.objects.all()) == [new]
    assert PlannedLeave.objects.count() == new.lines.count() == 2
    assert Receipt.objects.filter(batch_id=old.batch_id).count() == 1


def test_command_purges_what_is_older_than_its_days(target, settings, capsys):
    settings.BULK_DAYS = 1
    older(planned(target, 404), days=2)

    call_command("purge_leave_plans")

    assert LeavePlan.objects.count() == 0
    assert capsys.readouterr().out == "Rows of uploaded lists removed: 2.\n"


def test_erased_customer_is_named_in_no_list(target):
    plan = planned(target, 918273645, "ext-marker")  # nobody has them yet
    customer = CustomerFactory(brand=target.brand, customer_id=918273645, external_id="ext-marker")
    later = planned(target, 918273645)

    erase_customer(customer=customer, at=NOW, **ACT)

    assert list(plan.lines.values_list("given", flat=True)) == ["", ""]
    assert [f"{each.customer}" for each in later.lines.all()] == [f"Erased {customer.pk}"]
