"""The state machine would notice: each of these wrong products is caught within a few histories."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import Exists, Q, QuerySet
from hypothesis import Phase

from enrollments import calendars, editing, queries, situation, standing
from enrollments.enums import NotCounted
from enrollments.models import Progress, Stay
from enrollments.operations import (
    CyclesNotClosed,
    activity,
    archiving,
    closing,
    counting,
    enrolling,
    erasing,
    granting,
    leaving,
    undoing,
)
from enrollments.situation import Situation
from targets.models import Inactivity
from tests.properties.test_histories import Histories, PersonalHistories, play

SEEDS = 40  # of ten histories each; most are caught by the first, some by the tenth, depending on what else is loaded
PARTS = 2
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


def leave_after_the_running_cycle(patch: pytest.MonkeyPatch) -> None:
    def wrong(**details: Any) -> Any:
        leave = decide(**details)
        return leave._replace(end_cycle=leave.end_cycle + 1)

    decide = leaving.decide_leave
    patch.setattr(leaving, "decide_leave", wrong)


def pay_whoever_reached_the_value(patch: pytest.MonkeyPatch) -> None:
    membership = "AND (stay.end_cycle IS NULL OR stay.end_cycle > due.cycle_number)"
    assert membership in closing.PAY
    patch.setattr(closing, "PAY", closing.PAY.replace(membership, ""))


def never_break_a_chain(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(granting, "chain_through", lambda cycle, achieved, missed: len(achieved))


def count_activity_before_the_balance(patch: pytest.MonkeyPatch) -> None:
    def wrong(*details: Any) -> None:
        set_balance(*details)
        Progress.objects.filter(participation=details[0]).update(balance_at=None)

    set_balance = enrolling._set_balance
    patch.setattr(enrolling, "_set_balance", wrong)


def count_what_he_did_while_away(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(counting, "_was_away", lambda *details: False)


def open_a_new_run_at_every_return(patch: pytest.MonkeyPatch) -> None:
    run_to_join = enrolling._run_to_join
    patch.setattr(
        enrolling,
        "_run_to_join",
        lambda participation, at, *, is_first, reset: run_to_join(participation, at, is_first=is_first, reset=True),
    )


def count_activity_in_a_closed_cycle(patch: pytest.MonkeyPatch) -> None:
    why_not = counting.why_not_counted

    def wrong(*details: Any, **named: Any) -> NotCounted | None:
        reason = why_not(*details, **named)
        return None if reason == NotCounted.CYCLE_CLOSED else reason

    patch.setattr(counting, "why_not_counted", wrong)


def forget_that_a_scheduled_leave_took_effect(patch: pytest.MonkeyPatch) -> None:
    def wrong(stay: Stay, *_: Any) -> bool:
        return stay.end_cycle is None or stay.leaves_after is not None

    lock_situation = leaving.lock_situation

    def wrongly_locked(*details: Any, **more: Any) -> Situation:
        found = lock_situation(*details, **more)
        return found._replace(is_current=found.stay is not None and wrong(found.stay))

    patch.setattr(enrolling, "is_current", wrong)
    patch.setattr(leaving, "lock_situation", wrongly_locked)


def tell_a_leaver_of_every_cycle_he_achieved(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(situation, "shown_count", lambda achieved, missed: len(achieved))


def take_an_achievement_back_with_a_return(patch: pytest.MonkeyPatch) -> None:
    settle = granting.settle

    def wrong(**details: Any) -> Any:
        progress = details["progress"]
        if progress.value < details["target_value"].value:
            progress.achieved_at = None
        return settle(**details)

    patch.setattr(counting, "settle", wrong)


def count_each_visit_of_a_day(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(counting, "_was_visited", lambda *details: False)


def count_whatever_the_attributes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(activity, "matches", lambda match, attributes: True)


def let_a_frozen_target_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(activity, "see_who_is_active", lambda participations: None)


def let_a_frozen_cycle_break_a_chain(patch: pytest.MonkeyPatch) -> None:
    nothing = Exists(Inactivity.objects.none())
    patch.setattr(queries, "ended_while_inactive", lambda: nothing)
    patch.setattr(standing, "ended_while_inactive", lambda: nothing)


def keep_the_frozen_in_even_for_staff(patch: pytest.MonkeyPatch) -> None:
    lock_situation = leaving.lock_situation
    patch.setattr(
        leaving,
        "lock_situation",
        lambda *details, even_if_inactive, **more: lock_situation(*details, even_if_inactive=False, **more),
    )


def forget_one_enrolment_when_erasing(patch: pytest.MonkeyPatch) -> None:
    lock_participations = erasing.lock_participations
    patch.setattr(erasing, "lock_participations", lambda customer: lock_participations(customer)[1:])


def keep_what_receipts_of_the_erased_say(patch: pytest.MonkeyPatch) -> None:
    texts = {"reason", "request_id"}
    update = QuerySet.update

    def wrong(rows: QuerySet, **values: Any) -> int:
        return 0 if set(values) == texts else update(rows, **values)

    patch.setattr(QuerySet, "update", wrong)


def let_edits_reach_what_has_begun(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(editing, "_refuse_if_begun", lambda *details: None)


def undo_whenever_somebody_likes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(undoing, "undo_until", lambda receipt: NEVER)


def undo_into_a_closed_cycle(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(undoing, "Q", lambda **_: Q(pk=0))


def forget_what_he_did_before_the_undoing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(undoing, "count_again", lambda *details: False)


def count_what_would_not_have_counted_then(patch: pytest.MonkeyPatch) -> None:
    count = counting._count

    def wrong(stored: Any, *details: Any, first: Any = None) -> Any:
        if first is not None:
            stored.recorded_at = details[-1]
        return count(stored, *details, first=first)

    patch.setattr(counting, "_count", wrong)


def open_a_stay_whose_leave_was_scheduled(patch: pytest.MonkeyPatch) -> None:
    def wrong(stay: Stay, *_: Any) -> None:
        stay.end_cycle = stay.left_at = stay.leaves_after = stay.leave_receipt = None
        stay.save()

    patch.setattr(undoing, "_put_back", wrong)


def archive_what_may_still_change(patch: pytest.MonkeyPatch) -> None:
    condition = "AND outcome.cycle_number IS NOT NULL"
    assert condition in archiving.FINAL
    patch.setattr(archiving, "FINAL", archiving.FINAL.replace(condition, "AND false"))


def say_something_else_of_what_is_archived(patch: pytest.MonkeyPatch) -> None:
    moved = f"SELECT {archiving.TO_ARCHIVE} FROM outcomes"
    assert moved in archiving.ARCHIVE
    patch.setattr(archiving, "ARCHIVE", archiving.ARCHIVE.replace(moved, f"{moved} WHERE reason <> 'not_enrolled'"))


def begin_own_calendars_early(patch: pytest.MonkeyPatch) -> None:
    own_boundary = calendars.own_boundary
    patch.setattr(calendars, "own_boundary", lambda *details: own_boundary(*details) - timedelta(hours=1))


# At the heart of it; the others are noticed in the long runs.
WRONG_AT_HEART = [
    leave_after_the_running_cycle,
    pay_whoever_reached_the_value,
    never_break_a_chain,
    count_what_he_did_while_away,
    open_a_stay_whose_leave_was_scheduled,
]
WRONG_BESIDES = [
    let_a_frozen_target_count,
    take_an_achievement_back_with_a_return,
    forget_that_a_scheduled_leave_took_effect,
    count_activity_before_the_balance,
    open_a_new_run_at_every_return,
    count_activity_in_a_closed_cycle,
    tell_a_leaver_of_every_cycle_he_achieved,
    count_each_visit_of_a_day,
    count_whatever_the_attributes,
    let_a_frozen_cycle_break_a_chain,
    keep_the_frozen_in_even_for_staff,
    forget_one_enrolment_when_erasing,
    keep_what_receipts_of_the_erased_say,
    let_edits_reach_what_has_begun,
    undo_whenever_somebody_likes,
    forget_what_he_did_before_the_undoing,
]
# It takes many histories: test_undoing.py and test_archiving.py have each as an example.
WRONG_ONCE_IN_A_WHILE = [
    undo_into_a_closed_cycle,
    count_what_would_not_have_counted_then,
    archive_what_may_still_change,
    say_something_else_of_what_is_archived,
]
WRONG_FOR_OWN_CALENDARS = [pay_whoever_reached_the_value, begin_own_calendars_early]
# Seeds that have noticed it where the first has not: played first, so that nothing is played before in vain.
NOTICED_BY = {
    (never_break_a_chain, Histories): 2,
    (open_a_stay_whose_leave_was_scheduled, Histories): 4,
    (pay_whoever_reached_the_value, Histories): 2,
    (begin_own_calendars_early, PersonalHistories): 6,
}


@pytest.mark.parametrize("part", range(PARTS))
def test_state_machine_catches_every_wrong_product_at_heart(database, part):
    """Several in a test: emptying the database takes longer than noticing most of them."""
    several = WRONG_AT_HEART[part::PARTS]

    unnoticed = [make_wrong.__name__ for make_wrong in several if not is_noticed(make_wrong)]

    assert unnoticed == []


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_state_machine_catches_every_other_wrong_product(database):
    unnoticed = [each.__name__ for each in WRONG_BESIDES if not is_noticed(each)]

    assert unnoticed == []


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_state_machine_catches_what_goes_wrong_once_in_a_while(database):
    unnoticed = [each.__name__ for each in WRONG_ONCE_IN_A_WHILE if not is_noticed(each)]

    assert unnoticed == []


def test_state_machine_catches_every_wrong_own_calendar(database):
    unnoticed = [each.__name__ for each in WRONG_FOR_OWN_CALENDARS if not is_noticed(each, PersonalHistories)]

    assert unnoticed == []


def is_noticed(make_wrong: Callable[[pytest.MonkeyPatch], None], histories: type[Histories] = Histories) -> bool:
    """By a comparison, or by a constraint of the database."""
    likely = NOTICED_BY.get((make_wrong, histories), 0)
    with pytest.MonkeyPatch.context() as patch:
        make_wrong(patch)
        try:
            for seed_number in sorted(range(SEEDS), key=lambda each: each != likely):
                play(seed_number, histories, phases=(Phase.generate,))
        except (AssertionError, IntegrityError, CyclesNotClosed):
            return True
    return False
