"""Undoing an unenrolment (domain.md 5): the edges. Random histories: tests/properties/test_histories.py."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollments.editing import CycleEdit, ProgrammeEdit
from enrollments.enums import Effective, NotCounted, ReceiptKind, Source
from enrollments.integrity import all_violations
from enrollments.models import ActivityOutcome, Participation, Receipt, Stay
from enrollments.operations import (
    ActivityData,
    close_cycles,
    edit_programme,
    enroll,
    erase_customer,
    record_activity,
    set_group_active,
    undo_leave,
    unenroll,
)
from enrollments.queries import find_receipt
from enrollments.receipts import account
from rewards.models import Grant
from targets.enums import Allocation, EvaluationType, FrequencyType, TrackingType
from targets.errors import (
    AlreadyUndone,
    ChangedSince,
    CustomerErased,
    NotALeave,
    ReceiptNotFound,
    StaleInstant,
    TargetGroupNotFound,
    TooLateToUndo,
)
from tests.factories import START, BrandFactory, CustomerFactory, make_programme
from tests.faults import everything

pytestmark = pytest.mark.django_db

ACT = {"by": "test", "source": Source.API}
DAY, HOUR, INSTANT = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)
LEFT_AT = START + 5 * DAY


class Scene:
    """A customer, enrolled at the start in five cycles of ten days, each worth 100 points at 2 purchases."""

    def __init__(self, **programme):
        details = {"cycle_length": 10 * DAY, "target_value": Decimal(2)} | programme
        self.target = make_programme(**details)
        self.brand = self.target.brand
        self.customer = CustomerFactory(brand=self.brand)
        self.who = {"customer": self.customer, "target": self.target}
        self.events = 0
        self.enroll(START)

    def enroll(self, at, **details):
        return enroll(**self.who, at=at, **ACT, **details)

    def leave(self, at=LEFT_AT, **details):
        return unenroll(**self.who, at=at, **ACT, **details)

    def undo(self, receipt, at, **details):
        return undo_leave(receipt=find_receipt(self.brand, receipt.pk), at=at, **ACT, **details)

    def buy(self, at, occurred_at=None):
        self.events += 1
        event = ActivityData(
            f"{self.target.pk}-{self.events}", "purchase", self.customer.customer_id, occurred_at or at
        )
        return record_activity(brand=self.brand, activity=event, at=at)

    def reasons(self):
        return list(ActivityOutcome.objects.order_by("pk").values_list("reason", flat=True))

    def stays(self):
        return list(Stay.objects.order_by("pk").values_list("first_cycle", "end_cycle", "leave_receipt"))


def paid():
    return list(Grant.objects.order_by("pk").values_list("cycle_number", flat=True))


def is_refused(scene, receipt, at, refusal, words=None):
    """With this refusal, and nothing is changed."""
    before = everything()
    with pytest.raises(refusal, match=words):
        scene.undo(receipt, at)
    return everything() == before


def test_undone_he_is_enrolled_as_before_and_both_receipts_stay():
    scene = Scene()
    left = scene.leave()
    told = account(left)

    undone = scene.undo(left, LEFT_AT + HOUR, reason="wrong customer", request_id="r1")

    receipt = undone.receipt
    assert (receipt.kind, receipt.undoes_id, receipt.reason, receipt.request_id) == (
        ReceiptKind.UNENROLMENT_UNDONE,
        left.pk,
        "wrong customer",
        "r1",
    )
    assert (undone.counted, undone.granted) == (0, 0)
    assert (receipt.end_cycle_before, receipt.end_cycle, receipt.from_cycle) == (1, None, 1)
    assert [line.verdict for line in account(receipt).cycles] == ["member"] * 5
    assert account(Receipt.objects.get(pk=left.pk)).cycles == told.cycles
    assert scene.stays() == [(1, None, None)]
    assert Participation.objects.get().changed_at == LEFT_AT + HOUR
    assert list(all_violations()) == []


def test_last_instant_of_the_window_undoes_and_the_next_does_not():
    scene = Scene()
    left = scene.leave()

    refused = is_refused(scene, left, LEFT_AT + 24 * HOUR, TooLateToUndo, "could be undone before .* Enrol")
    scene.undo(left, LEFT_AT + 24 * HOUR - INSTANT)

    assert refused
    assert scene.stays() == [(1, None, None)]


def test_window_is_a_setting(settings):
    settings.UNDO_HOURS = 48
    scene = Scene()
    left = scene.leave()

    assert is_refused(scene, left, LEFT_AT + 48 * HOUR, TooLateToUndo)
    assert scene.undo(left, LEFT_AT + 47 * HOUR).receipt.pk


def test_what_he_did_meanwhile_counts_in_the_order_of_arrival_and_gives_its_reward_once():
    scene = Scene()
    scene.buy(START + DAY)
    left = scene.leave()
    scene.buy(LEFT_AT + HOUR)
    scene.buy(LEFT_AT + 2 * HOUR)
    before = (scene.reasons(), paid())

    undone = scene.undo(left, LEFT_AT + 3 * HOUR)

    assert before == (["", NotCounted.NOT_ENROLLED, NotCounted.NOT_ENROLLED], [])
    assert (undone.counted, undone.granted) == (2, 1)
    assert list(ActivityOutcome.objects.order_by("pk").values_list("reason", "value", "achieved")) == [
        ("", 1, False),
        ("", 2, True),
        ("", 3, True),
    ]
    assert list(Grant.objects.values_list("cycle_number", "achieved_at")) == [(1, LEFT_AT + 3 * HOUR)]
    assert [line.grant is not None for line in account(undone.receipt).cycles] == [True] + [False] * 4
    assert undone.receipt.running_value == 3
    assert list(all_violations()) == []


def test_repeated_event_is_answered_what_became_of_it():
    scene = Scene()
    left = scene.leave()
    scene.buy(LEFT_AT + HOUR)
    scene.undo(left, LEFT_AT + 2 * HOUR)
    scene.events -= 1

    again = scene.buy(LEFT_AT + 3 * HOUR, LEFT_AT + HOUR)

    assert again.is_duplicate
    assert [(each.reason, each.value) for each in again.outcomes] == [("", 1)]


def test_cycle_achieved_before_he_left_is_not_paid_again():
    scene = Scene()
    scene.buy(START)
    scene.buy(START)
    left = scene.leave()
    scene.buy(LEFT_AT + HOUR)

    undone = scene.undo(left, LEFT_AT + 2 * HOUR)

    assert (undone.counted, undone.granted, paid()) == (1, 0, [1])


def test_forfeited_reward_is_paid_by_the_close_after_all():
    scene = Scene(allocation=Allocation.PERIOD_END)
    scene.buy(START)
    scene.buy(START)
    left = scene.leave()

    scene.undo(left, LEFT_AT + HOUR)
    list(close_cycles(brand=scene.brand, at=START + 10 * DAY))

    assert left.running_verdict == "left_reward_forfeited"
    assert paid() == [1]
    assert list(all_violations()) == []


def test_what_would_not_have_counted_anyhow_stays_as_it_was():
    """More than five minutes ahead when it arrived; frozen; and before he came back from an earlier leave."""
    scene = Scene()
    scene.leave(START + DAY)
    scene.buy(START + DAY + HOUR, START + DAY - HOUR)
    scene.enroll(START + 2 * DAY)
    left = scene.leave()
    scene.buy(LEFT_AT, LEFT_AT + HOUR)
    set_group_active(target_group=scene.target.target_group, is_active=False, at=LEFT_AT + HOUR, by="test")
    scene.buy(LEFT_AT + 2 * HOUR)
    set_group_active(target_group=scene.target.target_group, is_active=True, at=LEFT_AT + 3 * HOUR, by="test")

    undone = scene.undo(left, LEFT_AT + 4 * HOUR)

    assert undone.counted == 0
    assert scene.reasons() == [NotCounted.NOT_ENROLLED, NotCounted.NOT_ENROLLED, NotCounted.TARGET_INACTIVE]


def test_activity_counts_in_the_cycle_in_which_it_arrived_though_its_end_was_moved_since():
    scene = Scene(brand=BrandFactory(sandbox=True, clock_at=LEFT_AT), counts_before_enrolment=True)
    left = scene.leave()
    scene.buy(LEFT_AT, START + 9 * DAY)  # a sandbox takes any instant of the running cycle
    edit = ProgrammeEdit(cycles={1: CycleEdit(ends_at=START + 8 * DAY)})
    edit_programme(target_group=scene.target.target_group, edit=edit, at=LEFT_AT, by="test", source=Source.ADMIN)

    scene.undo(left, LEFT_AT + HOUR)

    assert list(ActivityOutcome.objects.values_list("cycle_number", "value")) == [(1, 1)]


def test_streak_goes_on_and_a_cycle_that_ended_meanwhile_breaks_it():
    scene = Scene(
        tracking_type=TrackingType.STREAKS, target_value=Decimal(1), levels=(2, 3), late_days=3, cycle_length=10 * DAY
    )
    scene.buy(START)
    left = scene.leave(START + 10 * DAY - HOUR)
    scene.buy(START + 10 * DAY)

    undone = scene.undo(left, START + 10 * DAY + HOUR)
    scene.buy(START + 20 * DAY)

    assert (undone.counted, undone.granted, undone.receipt.streak_count) == (1, 1, 2)
    assert list(Grant.objects.order_by("pk").values_list("level__target_count", flat=True)) == [2, 3]
    assert list(all_violations()) == []


def test_undoing_an_immediate_leave_puts_a_scheduled_one_back_which_can_be_cancelled():
    scene = Scene()
    scheduled = scene.leave(effective=Effective.END_OF_CYCLE)
    left = scene.leave(LEFT_AT + HOUR)

    undone = scene.undo(left, LEFT_AT + 2 * HOUR)
    stays = scene.stays()
    cancelled = scene.undo(scheduled, LEFT_AT + 3 * HOUR)

    assert (undone.receipt.end_cycle_before, undone.receipt.end_cycle) == (1, 2)
    assert [line.verdict for line in account(undone.receipt).cycles] == ["member"] + ["not_member"] * 4
    assert stays == [(1, 2, scheduled.pk)]
    assert (cancelled.receipt.kind, cancelled.receipt.undoes_id) == (ReceiptKind.LEAVE_CANCELLED, scheduled.pk)
    assert scene.stays() == [(1, None, None)]
    assert list(all_violations()) == []


def test_scheduled_leave_that_has_taken_effect_is_final():
    scene = Scene(late_days=5)
    scheduled = scene.leave(effective=Effective.END_OF_CYCLE)

    assert is_refused(scene, scheduled, START + 10 * DAY, TooLateToUndo, "has taken effect")


def test_scheduled_leave_of_an_earlier_stay_is_not_the_last_change():
    """Found by random histories: it was said to have taken effect, as if he were out."""
    scene = Scene(late_days=5)
    scheduled = scene.leave(effective=Effective.END_OF_CYCLE)
    scene.enroll(START + 10 * DAY)

    is_refused_while_in = is_refused(scene, scheduled, START + 10 * DAY, ChangedSince)
    scene.leave(START + 11 * DAY)

    assert is_refused_while_in
    assert is_refused(scene, scheduled, START + 11 * DAY, ChangedSince)


def test_replaced_scheduled_leave_is_not_the_one_in_force():
    scene = Scene()
    scheduled = scene.leave(effective=Effective.END_OF_CYCLE)
    scene.leave(LEFT_AT + HOUR)

    assert is_refused(scene, scheduled, LEFT_AT + 2 * HOUR, ChangedSince)


@pytest.mark.parametrize("kind", [ReceiptKind.ENROLLED, ReceiptKind.UNENROLMENT_UNDONE])
def test_only_leaves_are_taken_back(kind):
    scene = Scene()
    scene.undo(scene.leave(), LEFT_AT)

    assert is_refused(scene, Receipt.objects.get(kind=kind), LEFT_AT + HOUR, NotALeave)


def test_second_undoing_is_refused_by_the_first_and_after_leaving_again_too():
    scene = Scene()
    left = scene.leave()
    undone = scene.undo(left, LEFT_AT).receipt

    again = is_refused(scene, left, LEFT_AT, AlreadyUndone, f"by receipt {undone.pk}")
    left_again = scene.leave(LEFT_AT + HOUR)

    assert again
    assert is_refused(scene, left, LEFT_AT + HOUR, AlreadyUndone)
    assert scene.undo(left_again, LEFT_AT + HOUR).receipt.undoes_id == left_again.pk


def test_whoever_has_enrolled_again_is_not_touched():
    scene = Scene()
    left = scene.leave()
    scene.enroll(LEFT_AT + HOUR)

    assert is_refused(scene, left, LEFT_AT + 2 * HOUR, ChangedSince, "of kind REENROLLED")


def test_from_its_closing_instant_on_a_left_cycle_is_closed_however_late_the_job():
    scene = Scene(late_days=1)
    left = scene.leave(START + 10 * DAY - HOUR)

    refused = is_refused(scene, left, START + 11 * DAY, TooLateToUndo)
    scene_2 = Scene(late_days=0)
    left_2 = scene_2.leave(START + 10 * DAY - HOUR)

    assert refused
    assert is_refused(scene_2, left_2, START + 10 * DAY, TooLateToUndo, "'c1', which he left, has closed. Enrol")
    assert scene.undo(left, START + 11 * DAY - 2 * HOUR).receipt.running_cycle == 2


def test_cycle_that_closed_before_the_one_left_is_in_the_way_too(settings):
    """The second closes at its end, the first two days after it: nobody joins what was paid without him."""
    settings.UNDO_HOURS = 48
    scene = Scene(cycle_length=DAY, late_days=2)
    edit = ProgrammeEdit(cycles={2: CycleEdit(late_days=0)})
    edit_programme(target_group=scene.target.target_group, edit=edit, at=START, by="test", source=Source.ADMIN)
    left = scene.leave(START + HOUR)

    assert is_refused(scene, left, START + 2 * DAY, TooLateToUndo, "'c2', which he left, has closed")
    assert scene.undo(left, START + 2 * DAY - INSTANT).receipt.running_cycle == 2


def test_after_the_last_cycle_has_ended_but_not_closed_all_of_it_is_kept():
    scene = Scene(cycles=1, late_days=1)
    left = scene.leave(START + 10 * DAY - HOUR)
    scene.buy(START + 10 * DAY, START + 10 * DAY - INSTANT)

    undone = scene.undo(left, START + 10 * DAY + HOUR)

    assert (undone.counted, undone.receipt.running_cycle) == (1, None)
    assert [line.verdict for line in account(undone.receipt).cycles] == ["kept"]
    assert scene.stays() == [(1, None, None)]


@pytest.mark.parametrize("is_over", [False, True])
def test_frozen_programme_is_left_as_it_is(is_over):
    scene = Scene(cycles=1, late_days=1)
    left = scene.leave(START + 10 * DAY - HOUR)
    set_group_active(target_group=scene.target.target_group, is_active=False, at=START + 10 * DAY - HOUR, by="test")

    at = START + 10 * DAY if is_over else START + 10 * DAY - HOUR

    assert is_refused(scene, left, at, TargetGroupNotFound)


def test_frozen_since_it_was_looked_up_is_seen_under_the_lock():
    scene = Scene(cycles=1, late_days=1)
    left = find_receipt(scene.brand, scene.leave(START + 10 * DAY - HOUR).pk)
    set_group_active(target_group=scene.target.target_group, is_active=False, at=START + 10 * DAY - HOUR, by="test")

    with pytest.raises(TargetGroupNotFound):
        undo_leave(receipt=left, at=START + 10 * DAY, **ACT)

    assert Receipt.objects.count() == 2


def test_erased_customer_is_not_brought_back():
    scene = Scene()
    left = scene.leave()
    erase_customer(customer=scene.customer, at=LEFT_AT + HOUR, by="test", source=Source.ADMIN)

    assert is_refused(scene, left, LEFT_AT + 2 * HOUR, CustomerErased)


def test_receipt_of_another_brand_is_not_found():
    scene = Scene()
    left = scene.leave()

    with pytest.raises(ReceiptNotFound):
        find_receipt(BrandFactory(), left.pk)


def test_instant_before_what_arrived_since_is_stale():
    scene = Scene()
    left = scene.leave()
    scene.buy(LEFT_AT + HOUR)

    assert is_refused(scene, left, LEFT_AT + HOUR - INSTANT, StaleInstant)


def test_dry_run_tells_the_same_and_writes_nothing():
    scene = Scene(target_value=Decimal(1))
    left = scene.leave()
    scene.buy(LEFT_AT + HOUR)
    before = everything()

    foreseen = scene.undo(left, LEFT_AT + 2 * HOUR, dry_run=True)
    after = everything()
    undone = scene.undo(left, LEFT_AT + 2 * HOUR)

    assert after == before
    assert (foreseen.receipt.pk, foreseen.counted, foreseen.granted) == (None, 1, 1)
    assert (foreseen.receipt.running_value, undone.counted, undone.granted) == (1, 1, 1)


def test_own_calendar_begins_with_what_he_did_while_he_was_out():
    scene = Scene(
        window=EvaluationType.CYCLIC_WINDOW,
        allocation=Allocation.PERIOD_END,
        length=(FrequencyType.DAILY, 10),
        target_value=Decimal(2),
    )
    left = scene.leave()
    scene.buy(LEFT_AT + HOUR)
    scene.buy(LEFT_AT + 2 * HOUR)

    undone = scene.undo(left, LEFT_AT + 3 * HOUR)

    participation = Participation.objects.get()
    assert undone.counted == 2
    assert (participation.anchored_at, participation.closes_next_at) == (
        LEFT_AT + HOUR,
        LEFT_AT + HOUR + 10 * DAY,
    )
    assert list(all_violations()) == []


def test_each_cycle_that_ends_when_it_is_achieved_does_so_again():
    scene = Scene(window=EvaluationType.PERIOD_AGNOSTIC_WINDOW, cycles=2, target_value=Decimal(1))
    left = scene.leave()
    scene.buy(LEFT_AT + HOUR)
    scene.buy(LEFT_AT + 2 * HOUR)
    scene.buy(LEFT_AT + 3 * HOUR)

    undone = scene.undo(left, LEFT_AT + 4 * HOUR)

    assert (undone.counted, undone.granted, paid()) == (2, 2, [1, 2])
    assert [line.verdict for line in account(undone.receipt).cycles] == ["kept", "kept"]
    assert list(all_violations()) == []


def test_statements_do_not_grow_with_cycles_nor_with_past_receipts():
    counts = []
    for cycles, rounds in ((5, 0), (100, 5)):
        scene = Scene(cycles=cycles)
        for number in range(rounds):
            scene.undo(scene.leave(START + number * HOUR), START + number * HOUR)
        left = find_receipt(scene.brand, scene.leave().pk)
        with CaptureQueriesContext(connection) as captured:
            undo_leave(receipt=left, at=LEFT_AT + HOUR, **ACT)
        counts.append(len(captured))

    assert counts[0] == counts[1]
