"""Two who press the same buttons of an uploaded list at once."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from enrollments.enums import PlanState
from enrollments.leave_plans import plan_chunk, run_chunk
from enrollments.models import LeavePlan, Receipt
from enrollments.operations import PlanRefused, start_plan, withdraw_plan
from targets.models import Target
from tests.concurrency.racing import ROW_LOCK, UNGUARDED_ROUNDS, Race
from tests.concurrency.scenes import enrolled, running_programme
from tests.enrollments.plan_scene import uploaded

BEFORE_ACCOUNTING = "INSERT INTO enrollments_receipt"
BEFORE_CHANGING = 'UPDATE "enrollments_leaveplan"'
ROUNDS = 6


def pressing(step: Callable[..., LeavePlan], plan: LeavePlan, by: str) -> Callable[[], str]:
    def press() -> str:
        try:
            return step(plan=LeavePlan.objects.get(pk=plan.pk), at=timezone.now(), by=by).state
        except PlanRefused as refusal:
            return str(refusal)

    return press


def planned(target: Target, size: int) -> LeavePlan:
    plan = uploaded(target, *(enrolled(target).customer_id for _ in range(size)))
    return plan_chunk(plan=plan, at=timezone.now(), by="sam")


def test_two_who_carry_out_the_same_list_unenrol_each_customer_once(race: Race) -> None:
    target = running_programme()

    def one_round() -> tuple[frozenset[object], tuple[str, ...], int, bool]:
        plan = start_plan(plan=planned(target, 3), at=timezone.now(), by="sam")
        answers = race.run(pressing(run_chunk, plan, "sam"), pressing(run_chunk, plan, "lea"))
        lines = plan.lines.order_by("line").values_list("outcome", "receipt")
        receipts = Receipt.objects.filter(batch_id=plan.batch_id)
        are_told = {receipt for _, receipt in lines} == set(receipts.values_list("pk", flat=True))
        return frozenset(answers), tuple(outcome for outcome, _ in lines), receipts.count(), are_told

    seen = race.rounds(ROUNDS, one_round, stops=(BEFORE_ACCOUNTING, BEFORE_ACCOUNTING))

    each_once = (("unenrolled",) * 3, 3, True)
    assert {each[1:] for each in seen} == {each_once}
    # Whoever comes when all is done is told so.
    assert {each[0] for each in seen} <= {frozenset({"DONE"}), frozenset({"DONE", "It is done."})}


def test_started_and_withdrawn_at_once_it_is_one_of_both(race: Race) -> None:
    target = running_programme()

    def one_round() -> tuple[object, ...]:
        plan = planned(target, 1)
        answers = race.run(pressing(start_plan, plan, "sam"), pressing(withdraw_plan, plan, "lea"))
        return (*answers, LeavePlan.objects.get(pk=plan.pk).state)

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_CHANGING, BEFORE_CHANGING), ahead=0)
    guarded = race.rounds(ROUNDS, one_round, stops=(BEFORE_CHANGING, BEFORE_CHANGING))

    assert {each[:2] for each in unguarded} == {(PlanState.RUNNING, PlanState.WITHDRAWN)}
    assert guarded == {
        (PlanState.RUNNING, "It cannot be withdrawn: it is being carried out.", PlanState.RUNNING),
        ("Only what is planned can be started; this is withdrawn.", PlanState.WITHDRAWN, PlanState.WITHDRAWN),
    }


pytestmark = pytest.mark.django_db(transaction=True)
