"""Worked examples of period-agnostic calendars, by hand from domain.md 10: what the reference says of them."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.properties.examples import MINUTE, OPEN, TEN, WEEKS, day, enrolled, spend
from tests.properties.programme import AGNOSTIC, NOT_YET, Counted, NotCounted, Refusal
from tests.properties.reference import Reference


def test_cycle_ends_when_it_is_achieved_and_the_excess_is_dropped():
    customer = enrolled(OPEN)

    achieved = spend(customer, day(5), 25)

    assert achieved == Counted(1, 1, Decimal(25), is_achieved=True, granted=frozenset({("cycle", 1)}))
    assert customer.values() == {(1, 1): Decimal(25)}
    assert [(each.starts_at, each.ends_at) for each in customer.calendar.cycles] == [
        (day(1), day(5)),
        (day(5), NOT_YET),
        (NOT_YET, NOT_YET),
    ]
    assert spend(customer, day(5), 1) == Counted(1, 2, Decimal(1), is_achieved=False)


def test_activity_counts_in_the_cycle_open_when_it_is_processed():
    customer = enrolled(OPEN)
    spend(customer, day(5), 10)

    assert spend(customer, day(2), at=day(6)).cycle == 2
    assert spend(customer, day(1) - MINUTE, at=day(6)).cycle == 2
    assert spend(customer, day(6) + 6 * MINUTE, at=day(6)) == NotCounted("in_future")


def test_any_instant_to_come_is_accepted_in_the_open_cycle_of_a_sandbox():
    customer = enrolled(replace(OPEN, is_sandbox=True))

    assert spend(customer, day(31), at=day(2)).cycle == 1


def test_activity_before_the_balance_or_the_first_enrolment_is_before_enrolment():
    with_balance = enrolled(OPEN, balance=3)
    strict = enrolled(replace(OPEN, counts_before_enrolment=False))

    assert spend(with_balance, day(1) - MINUTE, at=day(2)) == NotCounted("before_enrolment")
    assert spend(strict, day(1) - MINUTE, at=day(2)) == NotCounted("before_enrolment")
    assert with_balance.values() == {(1, 1): Decimal(3)}
    assert strict.values() == {}


def test_balance_that_reaches_the_target_value_achieves_the_open_cycle_and_ends_it():
    customer = Reference(OPEN)

    joined = customer.enroll(at=day(1), balance=Decimal(12))

    assert joined.verdicts == dict.fromkeys((1, 2, 3), "member")
    assert joined.values == {1: Decimal(12), 2: None, 3: None}
    assert joined.paid == {1}
    assert spend(customer, day(2), 4) == Counted(1, 2, Decimal(4), is_achieved=False)


def test_leaving_leaves_the_open_cycle_and_returning_carries_its_value_on():
    customer = enrolled(OPEN)
    spend(customer, day(2), 10)
    spend(customer, day(3), 4)

    left = customer.unenroll(at=day(4))

    assert left.verdicts == {1: "kept", 2: "left", 3: "left"}
    assert left.values == {1: TEN, 2: Decimal(4), 3: None}
    assert customer.stays == [(1, 1, 2)]
    assert spend(customer, day(5)) == NotCounted("not_enrolled")
    customer.enroll(at=day(6))
    assert customer.stays == [(1, 1, 2), (1, 2, None)]
    assert spend(customer, day(5), at=day(7)) == NotCounted("while_away")
    assert spend(customer, day(7), 6) == Counted(1, 2, TEN, is_achieved=True, granted=frozenset({("cycle", 2)}))


@pytest.mark.parametrize("named", [1, 3, 4])
def test_only_the_open_cycle_may_be_named(named):
    customer = enrolled(OPEN)
    spend(customer, day(2), 10)
    customer.unenroll(at=day(3))

    with pytest.raises(Refusal) as refused:
        customer.enroll(at=day(4), cycle=named)

    assert refused.value.code == 310019
    customer.enroll(at=day(4), cycle=2)
    assert customer.stays == [(1, 1, 2), (1, 2, None)]


def test_programme_is_over_once_the_last_cycle_is_achieved():
    customer = enrolled(OPEN)
    for number in (2, 3, 4):
        spend(customer, day(number), 10)

    with pytest.raises(Refusal) as refused:
        customer.unenroll(at=day(5))

    assert refused.value.code == 310019
    assert spend(customer, day(5)) == NotCounted("no_cycle")
    assert customer.is_enrolled(day(5))
    assert customer.due(day(31)) == []


def test_scheduled_leave_takes_effect_when_the_open_cycle_is_achieved():
    customer = enrolled(OPEN)
    customer.unenroll(at=day(2), scheduled=True)

    assert customer.stays == [(1, 1, 2)]
    assert customer.leaves_after(day(20)) == 1
    spend(customer, day(20), 10)
    assert customer.leaves_after(day(20)) is None
    assert not customer.is_enrolled(day(20))
    assert spend(customer, day(20)) == NotCounted("not_enrolled")
    customer.enroll(at=day(20))
    assert customer.stays == [(1, 1, 2), (1, 2, None)]


@pytest.mark.parametrize(
    ("impossible", "because"),
    [
        ({"kind": "STREAKS"}, "streaks have a fixed calendar"),
        ({"window": AGNOSTIC, "allocation": "PERIOD_END"}, "pays then"),
        ({"window": AGNOSTIC, "late_days": 1}, "nothing is late"),
        ({"frequency": 0}, "no length"),
        ({"frequency_type": "HOURLY"}, "no length"),
        ({"window": "FIXED_CALENDAR_WINDOW"}, "starts, ends and closes in this order"),
        ({"window": "LUNAR_WINDOW"}, "unknown window"),
    ],
)
def test_programme_that_the_rules_exclude_is_refused(impossible, because):
    with pytest.raises(ValueError, match=because):
        replace(WEEKS, **impossible)
