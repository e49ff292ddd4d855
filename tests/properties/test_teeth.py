"""The state machine would notice: each of these wrong products is caught within a few histories."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError
from hypothesis import Phase

from enrollments.enums import NotCounted
from enrollments.models import Progress, Stay
from enrollments.operations import activity, closing, enrolling, granting, leaving
from tests.properties.test_histories import play

SEEDS = 5  # of ten histories each; most are caught by the first


def leave_after_the_running_cycle(patch: pytest.MonkeyPatch) -> None:
    def wrong(**details: Any) -> Any:
        leave = decide(**details)
        return replace(leave, end_cycle=leave.end_cycle + 1)

    decide = leaving.decide_leave
    patch.setattr(leaving, "decide_leave", wrong)


def pay_whoever_reached_the_value(patch: pytest.MonkeyPatch) -> None:
    membership = "AND (stay.end_cycle IS NULL OR stay.end_cycle > %(cycle_number)s)"
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
    patch.setattr(activity, "_was_away", lambda *details: False)


def open_a_new_run_at_every_return(patch: pytest.MonkeyPatch) -> None:
    run_to_join = enrolling._run_to_join
    patch.setattr(
        enrolling,
        "_run_to_join",
        lambda participation, at, *, is_first, reset: run_to_join(participation, at, is_first=is_first, reset=True),
    )


def count_activity_in_a_closed_cycle(patch: pytest.MonkeyPatch) -> None:
    why_not = activity._why_not

    def wrong(*details: Any, **named: Any) -> NotCounted | None:
        reason = why_not(*details, **named)
        return None if reason == NotCounted.CYCLE_CLOSED else reason

    patch.setattr(activity, "_why_not", wrong)


def forget_that_a_scheduled_leave_took_effect(patch: pytest.MonkeyPatch) -> None:
    def wrong(stay: Stay, *_: Any) -> bool:
        return stay.end_cycle is None or stay.leaves_after is not None

    patch.setattr(enrolling, "is_current", wrong)
    patch.setattr(leaving, "is_current", wrong)


def take_an_achievement_back_with_a_return(patch: pytest.MonkeyPatch) -> None:
    settle = granting.settle

    def wrong(**details: Any) -> Any:
        progress = details["progress"]
        if progress.value < details["target_value"].value:
            progress.achieved_at = None
        return settle(**details)

    patch.setattr(activity, "settle", wrong)


def count_each_visit_of_a_day(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(activity, "_was_visited", lambda *details: False)


def count_whatever_the_attributes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(activity, "matches", lambda match, attributes: True)


WRONG = [
    leave_after_the_running_cycle,
    pay_whoever_reached_the_value,
    never_break_a_chain,
    count_activity_before_the_balance,
    count_what_he_did_while_away,
    open_a_new_run_at_every_return,
    count_activity_in_a_closed_cycle,
    forget_that_a_scheduled_leave_took_effect,
    take_an_achievement_back_with_a_return,
    count_each_visit_of_a_day,
    count_whatever_the_attributes,
]


@pytest.mark.parametrize("make_wrong", WRONG)
def test_state_machine_catches(database, monkeypatch, make_wrong):
    make_wrong(monkeypatch)

    with pytest.raises((AssertionError, DatabaseError)):
        play_a_few()


def play_a_few() -> None:
    for seed_number in range(SEEDS):
        play(seed_number, phases=(Phase.generate,))
