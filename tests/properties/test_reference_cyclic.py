"""Worked examples of cyclic calendars, by hand from domain.md 10: what the reference says of them."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.properties.examples import MINUTE, TEN, WEEKS, WEEKS_PAID_AT_THEIR_END, day, enrolled, spend, starts
from tests.properties.programme import NOT_YET, Counted, NotCounted, Refusal
from tests.properties.reference import Reference

# The anchor


def test_first_counted_activity_is_the_anchor_and_each_cycle_is_a_week_from_it():
    customer = enrolled(WEEKS)

    assert starts(customer) == [NOT_YET] * 4
    assert spend(customer, day(3, 10)) == Counted(run=1, cycle=1, value=Decimal(1), is_achieved=False)
    assert starts(customer) == [day(3, 10), day(10, 10), day(17, 10), day(24, 10)]
    assert spend(customer, day(10, 9)).cycle == 1
    assert spend(customer, day(10, 10)).cycle == 2


def test_return_is_an_anchor_like_any_activity_that_counts():
    customer = enrolled(WEEKS)

    assert spend(customer, day(3), -2) == Counted(run=1, cycle=1, value=Decimal(-2), is_achieved=False)
    assert starts(customer)[0] == day(3)


def test_activity_without_the_number_that_is_added_up_begins_nothing():
    customer = enrolled(replace(WEEKS, kpi="EVENT_ATTRIBUTE"))

    told = customer.record(at=day(3), occurred_at=day(3), amount=TEN, attribute="many")

    assert told == NotCounted("no_number")
    assert starts(customer) == [NOT_YET] * 4


def test_anchor_never_moves_and_what_occurred_before_it_is_in_no_cycle():
    customer = enrolled(WEEKS)
    spend(customer, day(3, 10))

    late = spend(customer, day(3, 9), at=day(4))

    assert late == NotCounted("no_cycle")
    assert starts(customer)[0] == day(3, 10)
    assert customer.values() == {(1, 1): Decimal(1)}


@pytest.mark.parametrize("balance", [None, 4])
def test_activity_older_than_the_enrolment_is_no_anchor(balance):
    customer = enrolled(WEEKS, day(5), balance)

    assert spend(customer, day(5) - MINUTE, at=day(6)) == NotCounted("no_cycle")
    assert starts(customer) == [NOT_YET] * 4
    assert spend(customer, day(5), at=day(6)).cycle == 1


@pytest.mark.parametrize("is_sandbox", [False, True])
def test_anchor_lies_at_most_five_minutes_ahead_and_cycle_1_has_then_begun(is_sandbox):
    customer = enrolled(replace(WEEKS, is_sandbox=is_sandbox))

    assert spend(customer, day(3, 1), at=day(3, 1) - 6 * MINUTE) == NotCounted("in_future")
    assert spend(customer, day(3, 1), at=day(3, 1) - 5 * MINUTE).cycle == 1
    assert spend(customer, day(3, 1), at=day(3, 1) - 4 * MINUTE).value == 2


def test_anchoring_activity_that_comes_when_its_cycle_would_be_closed_begins_nothing():
    customer = enrolled(WEEKS)

    assert spend(customer, day(2), at=day(9)) == NotCounted("cycle_closed")
    assert starts(customer) == [NOT_YET] * 4
    assert customer.values() == {}


def test_activity_in_a_later_cycle_has_to_wait_for_it_and_after_the_last_there_is_none():
    customer = enrolled(WEEKS)
    spend(customer, day(1))

    assert spend(customer, day(8), at=day(8) - MINUTE) == NotCounted("cycle_not_begun")
    assert spend(customer, day(29)) == NotCounted("no_cycle")


def test_late_activity_counts_until_its_own_cycle_closes():
    customer = enrolled(WEEKS_PAID_AT_THEIR_END)
    spend(customer, day(1, 6))

    assert customer.calendar.cycles[0].closes_at == day(10, 6)
    assert spend(customer, day(8, 5), at=day(10, 6) - MINUTE).cycle == 1
    assert spend(customer, day(8, 5), at=day(10, 6)) == NotCounted("cycle_closed")


# Enrolling


def test_balance_of_a_calendar_not_begun_is_the_value_of_cycle_1_and_lies_below_the_target_value():
    with pytest.raises(Refusal) as refused:
        enrolled(WEEKS, balance=10)
    customer = enrolled(WEEKS, balance=9)

    achieved = spend(customer, day(4))

    assert refused.value.code == 300004
    assert achieved == Counted(1, 1, TEN, is_achieved=True, granted=frozenset({("cycle", 1)}))


def test_only_cycle_1_of_a_calendar_not_begun_may_be_named():
    customer = Reference(WEEKS)

    with pytest.raises(Refusal) as refused:
        customer.enroll(at=day(1), cycle=2)

    assert refused.value.code == 310019
    assert customer.enroll(at=day(1), cycle=1).verdicts == dict.fromkeys((1, 2, 3, 4), "member")


@pytest.mark.parametrize(("named", "joins"), [(None, 2), (2, 2), (3, 3), (1, None), (4, None)])
def test_running_cycle_and_the_one_after_it_may_be_named(named, joins):
    customer = enrolled(WEEKS)
    spend(customer, day(1))
    customer.unenroll(at=day(9))

    if joins is None:
        with pytest.raises(Refusal) as refused:
            customer.enroll(at=day(10), cycle=named)
        assert refused.value.code == 310019
        assert customer.stays == [(1, 1, 2)]
    else:
        customer.enroll(at=day(10), cycle=named)
        assert customer.stays == [(1, 1, 2), (1, joins, None)]


# Leaving


def test_leaving_before_the_anchor_is_an_empty_stay_and_nothing_is_counted_until_he_returns():
    customer = enrolled(WEEKS, day(1), balance=5)

    left = customer.unenroll(at=day(3))

    assert customer.stays == [(1, 1, 1)]
    assert left.verdicts == dict.fromkeys((1, 2, 3, 4), "left")
    assert left.values == {1: Decimal(5), 2: None, 3: None, 4: None}
    assert spend(customer, day(2), at=day(3)) == NotCounted("not_enrolled")
    customer.enroll(at=day(20))
    assert spend(customer, day(2), at=day(20)) == NotCounted("no_cycle")
    assert spend(customer, day(21)) == Counted(1, 1, Decimal(6), is_achieved=False)
    assert starts(customer)[0] == day(21)


def test_calendar_runs_on_while_he_is_away_from_cycle_2_to_cycle_4():
    customer = enrolled(WEEKS)
    spend(customer, day(1), 10)
    spend(customer, day(8), 4)

    left = customer.unenroll(at=day(9))
    returned = customer.enroll(at=day(24))

    assert left.verdicts == {1: "kept", 2: "left", 3: "left", 4: "left"}
    assert left.values == {1: TEN, 2: Decimal(4), 3: None, 4: None}
    assert left.paid == {1}
    assert customer.stays == [(1, 1, 2), (1, 4, None)]
    assert returned.verdicts == {1: "kept", 2: "not_member", 3: "not_member", 4: "member"}
    assert returned.values == {1: TEN, 2: None, 3: None, 4: Decimal(0)}
    assert spend(customer, day(23, 1), at=day(25)) == NotCounted("while_away")
    assert spend(customer, day(25)).cycle == 4


def test_programme_is_over_for_him_when_his_last_cycle_has_ended():
    customer = enrolled(WEEKS)
    spend(customer, day(1))

    with pytest.raises(Refusal) as refused:
        customer.unenroll(at=day(29))

    assert refused.value.code == 310019
    assert customer.stays == [(1, 1, None)]
    assert customer.unenroll(at=day(29) - MINUTE).verdicts == {1: "kept", 2: "kept", 3: "kept", 4: "left"}


def test_scheduled_leave_of_a_calendar_not_begun_waits_for_the_end_of_cycle_1():
    customer = enrolled(WEEKS)

    scheduled = customer.unenroll(at=day(2), scheduled=True)

    assert scheduled.verdicts == {1: "kept", 2: "left", 3: "left", 4: "left"}
    assert customer.leaves_after(day(20)) == 1
    spend(customer, day(20))
    assert customer.is_enrolled(day(27) - MINUTE)
    assert not customer.is_enrolled(day(27))
    assert spend(customer, day(27)) == NotCounted("not_enrolled")
    with pytest.raises(Refusal) as refused:
        customer.unenroll(at=day(27))
    assert (refused.value.code, refused.value.left_at) == (310126, day(27))


def test_scheduled_leave_is_cancelled_while_its_cycle_runs():
    customer = enrolled(WEEKS)
    customer.unenroll(at=day(2), scheduled=True)
    spend(customer, day(3))

    stays = customer.cancel_leave(at=day(10) - MINUTE)

    assert stays.verdicts == dict.fromkeys((1, 2, 3, 4), "member")
    assert customer.stays == [(1, 1, None)]


# Paying at the end


def test_personal_cycle_is_due_at_its_own_closing_instant_and_pays_once():
    customer = enrolled(WEEKS_PAID_AT_THEIR_END)
    spend(customer, day(1), 10)

    assert customer.due(day(10) - MINUTE) == []
    assert [each.number for each in customer.due(day(20))] == [1, 2]
    assert customer.close(1)
    assert not customer.close(2)
    assert customer.grants() == {("cycle", 1)}
    assert customer.due(day(20)) == []


def test_leaving_a_personal_cycle_whose_value_is_reached_forfeits_its_reward():
    customer = enrolled(WEEKS_PAID_AT_THEIR_END)
    spend(customer, day(1), 10)
    spend(customer, day(8), 10)

    left = customer.unenroll(at=day(9))

    assert left.forfeited == [2]
    assert left.verdicts == {1: "kept", 2: "left_reward_forfeited", 3: "left", 4: "left"}
    assert [customer.close(number) for number in (1, 2)] == [True, False]


def test_returning_to_the_personal_cycle_whose_reward_he_forfeited_brings_it_back():
    customer = enrolled(WEEKS_PAID_AT_THEIR_END)
    spend(customer, day(1), 10)
    customer.unenroll(at=day(2))

    customer.enroll(at=day(3))

    assert customer.stays == [(1, 1, 1), (1, 1, None)]
    assert customer.close(1)
