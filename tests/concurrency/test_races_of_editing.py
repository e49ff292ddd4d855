"""An edit of the programme while customers act and cycles close (domain.md 7 and 8).

The edit has taken its instant just before the first cycle ends; the clock has gone on to its end when others act.
"""

from decimal import Decimal

from enrollments.editing import CycleEdit, ProgrammeEdit, TargetEdit
from enrollments.enums import Effective
from enrollments.operations import unenroll
from targets.enums import Allocation
from targets.models import Cycle, Target, TargetValue
from tests.concurrency.racing import CALENDAR_LOCK, FEWER_ROUNDS, UNGUARDED_ROUNDS, Race
from tests.concurrency.scenes import (
    ACT,
    BEFORE_BARRING,
    BEFORE_COUNTING_FIRST,
    BEFORE_EDITING,
    BEFORE_JOINING,
    BEFORE_LEAVING,
    END,
    JUST_BEFORE_END,
    LENGTH,
    START,
    Outcome,
    buys,
    closes,
    counted,
    customer_of,
    edits,
    enrolled,
    joins,
    leaves,
    outcome,
    sandbox_at,
)
from tests.factories import make_programme

LATER = END + LENGTH / 3
JOINED = ("ENROLLED", "member", 0)
INVALID, ALREADY_ENROLLED = 300004, 310119
# The first cycle ends later than it did, and the second begins then.
LONGER = ProgrammeEdit(cycles={1: CycleEdit(ends_at=LATER), 2: CycleEdit(starts_at=LATER)})


def programme(brand, **details) -> Target:
    settings = {"cycles": 3, "cycle_length": LENGTH, "starts_at": START, "target_value": 3}
    return make_programme(brand=brand, **settings | details)


def end_of_first(target: Target) -> object:
    return Cycle.objects.values_list("ends_at", flat=True).get(target_group=target.target_group, number=1)


def test_edit_and_unenrolment_leave_the_cycle_that_runs(race: Race) -> None:
    brand = sandbox_at(END)

    def one_round() -> tuple[Outcome, object]:
        target = programme(brand)
        customer = enrolled(target, at=START)
        results = race.run(edits(target, LONGER, JUST_BEFORE_END), leaves(customer, target))
        return outcome(customer, results), end_of_first(target)

    with race.without(CALENDAR_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_EDITING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_EDITING, BEFORE_LEAVING))

    leaves_second = Outcome((INVALID, "UNENROLLED"), ((1, 2),), (JOINED, ("UNENROLLED", "left", 0)))
    leaves_first = leaves_second._replace(answers=("edited", "UNENROLLED"), stays=((1, 1),))
    assert unguarded == {(leaves_second._replace(answers=("edited", "UNENROLLED")), LATER)}
    assert guarded == {(leaves_second, END), (leaves_first, LATER)}


def test_edit_and_activity_count_in_the_cycle_that_runs(race: Race) -> None:
    brand = sandbox_at(END)

    def one_round() -> tuple[Outcome, object]:
        target = programme(brand)
        customer = enrolled(target, at=START)
        results = race.run(edits(target, LONGER, JUST_BEFORE_END), buys(customer, opened_at=END))
        return outcome(customer, results), end_of_first(target)

    with race.without(CALENDAR_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_EDITING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_EDITING, BEFORE_COUNTING_FIRST))

    in_second = Outcome((INVALID, "counted"), ((1, None),), (JOINED,), progress=((2, 1),))
    in_first = in_second._replace(answers=("edited", "counted"), progress=((1, 1),))
    assert unguarded == {(in_second._replace(answers=("edited", "counted")), LATER)}
    assert guarded == {(in_second, END), (in_first, LATER)}


def test_edit_and_close_go_on_with_the_cycle_or_pay_it(race: Race) -> None:
    """Without the lock the database still keeps the dates of a closed cycle, but with an error and no refusal."""
    brand = sandbox_at(END)

    def one_round() -> tuple[Outcome, object]:
        target = programme(brand, target_value=1, allocation=Allocation.PERIOD_END)
        customer = enrolled(target, at=START)
        counted(customer, START)
        results = race.run(edits(target, LONGER, JUST_BEFORE_END), closes(brand, END))
        return outcome(customer, results), end_of_first(target)

    with race.without(CALENDAR_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_EDITING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_EDITING, BEFORE_BARRING))

    pays = Outcome((INVALID, 1), ((1, None),), (JOINED,), progress=((1, 1),), grants=(1,))
    assert unguarded == {(pays._replace(answers=("closed_cycle_keeps_dates", 1)), END)}
    assert guarded == {(pays, END), (pays._replace(answers=("edited", 0), grants=()), LATER)}


def test_edit_and_enrolment_with_balance_never_achieve_in_advance(race: Race) -> None:
    brand = sandbox_at(START)

    def one_round() -> tuple[Outcome, object]:
        target = programme(brand)
        customer = customer_of(target)
        lower = ProgrammeEdit(targets={target.pk: TargetEdit(values={2: Decimal(1)})})
        joining = joins(customer, target, period_name="c2", initial_balance=Decimal(2))
        results = race.run(edits(target, lower), joining)
        value = TargetValue.objects.values_list("value", flat=True).get(target=target, cycle__number=2)
        return outcome(customer, results), value

    with race.without(CALENDAR_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_EDITING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_EDITING, BEFORE_COUNTING_FIRST))

    joined = Outcome((INVALID, "ENROLLED"), ((2, None),), (("ENROLLED", "", 0),), progress=((2, 2),))
    assert unguarded == {(joined._replace(answers=("edited", "ENROLLED")), 1)}
    assert guarded == {(joined, 3), (Outcome(("edited", INVALID), (), ()), 1)}


def test_edit_and_enrolment_agree_on_when_a_scheduled_leave_takes_effect(race: Race) -> None:
    brand = sandbox_at(END)

    def one_round() -> tuple[object, object]:
        target = programme(brand)
        customer = enrolled(target, at=START)
        unenroll(customer=customer, target=target, at=START, effective=Effective.END_OF_CYCLE, **ACT)
        seen = outcome(customer, race.run(edits(target, LONGER, JUST_BEFORE_END), joins(customer, target)))
        return (seen.answers, seen.stays, seen.flaws), end_of_first(target)

    with race.without(CALENDAR_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_EDITING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_EDITING, BEFORE_JOINING))

    again = ((INVALID, "REENROLLED"), ((1, 2), (2, None)), ())
    assert unguarded == {((("edited", "REENROLLED"), *again[1:]), LATER)}
    assert guarded == {(again, END), ((("edited", ALREADY_ENROLLED), ((1, 2),), ()), LATER)}
