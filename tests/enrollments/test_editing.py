"""Editing a live programme (domain.md 7): what may change, what never does, and that it is put on record."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from enrollments.editing import CycleEdit, NewCycle, ProgrammeEdit, TargetEdit
from enrollments.enums import Effective, Source
from enrollments.integrity import all_violations
from enrollments.models import Participation, Receipt
from enrollments.operations import (
    ActivityData,
    close_cycles,
    edit_programme,
    enroll,
    preview_edit,
    record_activity,
    set_group_active,
    set_target_active,
    unenroll,
)
from enrollments.operations.closing import Ended, close_cycle
from enrollments.operations.editing import _in_order_of_moving
from enrollments.standing import standings
from rewards.models import Grant
from targets.calendar import start_of_day
from targets.enums import Allocation, EvaluationType, TrackingType
from targets.errors import ChangedMeanwhile, ImpossibleCombination, InvalidInput, NameTaken, StaleInstant
from targets.models import Cycle, FormerCycle, FormerValue, ProgrammeChange, Target, TargetGroup, TargetValue
from targets.operations import PeriodData
from tests.factories import START, CustomerFactory, make_programme
from tests.faults import everything

ACT = {"by": "test", "source": Source.API}
DAY = timedelta(days=1)
AT = START + 35 * DAY  # c1 is over, c2 runs, c3 to c5 are to come


def edit(target, edit, at=AT, **details):
    return edit_programme(target_group=target.target_group, edit=edit, at=at, by="anna", source=Source.ADMIN, **details)


def member(target, at=START, **details):
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=at, **ACT, **details)
    return customer


def buy(customer, at):
    activity = ActivityData(f"{customer.pk} at {at}", "purchase", customer.customer_id, at)
    return record_activity(brand=customer.brand, activity=activity, at=at).outcomes[0].reason or "counted"


def dates(target):
    """First and last day of each cycle, counted from START, and the day it closes."""
    return [
        ((each.starts_at - START).days, (each.ends_at - START).days, (each.closes_at - START).days)
        for each in Cycle.objects.filter(target_group=target.target_group).order_by("number")
    ]


def new_cycle(target, name="c6", first=150, end=180, value=4, **details):
    return NewCycle(PeriodData(name, START + first * DAY, START + end * DAY), {target.pk: Decimal(value)}, **details)


def said(change):
    return [(each["what"], each["before"], each["after"]) for each in change.changes]


@pytest.mark.django_db
def test_everything_that_may_change_changes_at_once_and_is_put_on_record():
    target = make_programme(name="ABC")
    member(target)

    made = edit(
        target,
        ProgrammeEdit(
            name=" ABC 2 ",
            description="For all",
            late_days=2,
            cycles={
                2: CycleEdit(ends_at=START + 50 * DAY, description="short"),
                3: CycleEdit(starts_at=START + 55 * DAY, ends_at=START + 95 * DAY),
                4: CycleEdit(starts_at=START + 95 * DAY, late_days=7),
            },
            targets={target.pk: TargetEdit("XYZ", "Buy", False, {3: Decimal("2.5")}, {3: Allocation.PERIOD_END})},
            appended=[new_cycle(target)],
        ),
        request_id="r1",
    )

    group = TargetGroup.objects.get()
    values = list(TargetValue.objects.order_by("cycle__number").values_list("value", "allocation"))
    change = ProgrammeChange.objects.get()
    assert made.version == group.version == change.version == 2
    assert (group.name, group.description, group.late_days, group.cycle_count) == ("ABC 2", "For all", 2, 6)
    assert list(Target.objects.values_list("name", "description", "is_active")) == [("XYZ", "Buy", False)]
    assert dates(target) == [(0, 30, 30), (30, 50, 50), (55, 95, 97), (95, 120, 127), (120, 150, 152), (150, 180, 182)]
    assert values == [(3, "IMMEDIATE"), (3, "IMMEDIATE"), (Decimal("2.5"), "PERIOD_END")] + 2 * [(3, "IMMEDIATE")] + [
        (4, "IMMEDIATE")
    ]
    assert (change.at, change.by, change.source, change.request_id) == (AT, "anna", "ADMIN", "r1")
    assert said(change) == [
        ("name of the programme", "ABC", "ABC 2"),
        ("description of the programme", "", "For all"),
        ("late days of new cycles", "0", "2"),
        ("description of c2", "", "short"),
        ("last day of c2", "2026-03-01", "2026-02-19"),
        ("first day of c3", "2026-03-02", "2026-02-25"),
        ("last day of c3", "2026-03-31", "2026-04-05"),
        ("late days of c3", "0", "2"),
        ("first day of c4", "2026-04-01", "2026-04-06"),
        ("late days of c4", "0", "7"),
        ("late days of c5", "0", "2"),
        ("name of target ABC", "ABC", "XYZ"),
        ("description of target ABC", "", "Buy"),
        ("target ABC", "active", "inactive"),
        ("value of ABC in c3", "3", "2.5"),
        ("reward of ABC in c3", "as soon as the target is reached", "when the cycle closes"),
        ("new cycle c6", None, "2026-05-31 to 2026-06-29"),
        ("value of XYZ in c6", None, "4, reward as soon as the target is reached"),
    ]


HOUR = timedelta(hours=1)
TOO_LATE = datetime(2201, 1, 2, tzinfo=UTC)
C1, C2, C3 = 1, 2, 3
REFUSED = {
    "ended cycle moves": ({C1: CycleEdit(ends_at=START + 31 * DAY)}, "periods[1].endDate"),
    "ended cycle is described": ({C1: CycleEdit(description="x")}, "periods[1].description"),
    "begun cycle starts elsewhere": ({C2: CycleEdit(starts_at=START + 40 * DAY)}, "periods[2].startDate"),
    "begun cycle gets late days": ({C2: CycleEdit(late_days=3)}, "periods[2].lateDays"),
    "running cycle ends in the past": ({C2: CycleEdit(ends_at=START + 35 * DAY)}, "periods[2].endDate"),
    "running cycle ends in the next": ({C2: CycleEdit(ends_at=START + 61 * DAY)}, "periods[2].endDate"),
    "start within the cycle before": ({C3: CycleEdit(starts_at=START + 59 * DAY)}, "periods[3].startDate"),
    "start in the past": ({C3: CycleEdit(starts_at=START + 34 * DAY)}, "periods[3].startDate"),
    "end not at midnight": ({C3: CycleEdit(ends_at=START + 80 * DAY + HOUR)}, "periods[3].endDate"),
    "end before the start": ({C3: CycleEdit(ends_at=START + 60 * DAY)}, "periods[3].endDate"),
    "end too late": ({5: CycleEdit(ends_at=TOO_LATE)}, "periods[5].endDate"),
    "too many late days": ({C3: CycleEdit(late_days=367)}, "periods[3].lateDays"),
    "unknown cycle": ({6: CycleEdit(late_days=3)}, "periods[6]"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", REFUSED)
def test_cycle_that_may_not_change_is_refused_by_field_and_nothing_changes(name):
    cycles, field = REFUSED[name]
    target = make_programme()
    before = everything()

    with pytest.raises(InvalidInput) as refused:
        edit(target, ProgrammeEdit(name="Another", cycles=cycles))

    assert refused.value.field == field
    assert everything() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("details", "error", "field"),
    [
        ({"values": {2: Decimal(4)}}, InvalidInput, "targets[T].values[2]"),
        ({"values": {3: Decimal(0)}}, InvalidInput, "targets[T].values[3]"),
        ({"values": {3: Decimal("1.2345")}}, InvalidInput, "targets[T].values[3]"),
        ({"values": {3: Decimal("NaN")}}, InvalidInput, "targets[T].values[3]"),
        ({"values": {9: Decimal(1)}}, InvalidInput, "targets[T].values[9]"),
        ({"allocations": {2: Allocation.PERIOD_END}}, InvalidInput, "targets[T].allocations[2]"),
        ({"allocations": {3: Allocation.PERIOD_END}}, ImpossibleCombination, "targets[T].allocations[3]"),
        ({"name": "  "}, InvalidInput, "targets[T].name"),
        ({"description": "x" * 256}, InvalidInput, "targets[T].description"),
        ({"name": "TAKEN"}, NameTaken, "targets"),
    ],
)
def test_target_that_may_not_change_so_is_refused_by_field(details, error, field):
    target = make_programme(tracking_type=TrackingType.STREAKS, levels=(2,))
    make_programme(brand=target.brand, name="taken")
    before = everything()

    with pytest.raises(error) as refused:
        edit(target, ProgrammeEdit(targets={target.pk: TargetEdit(**details)}, late_days=3))

    assert type(refused.value) is error
    assert refused.value.field == field.replace("[T]", f"[{target.pk}]")
    assert everything() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("details", "error", "field"),
    [
        ({"name": "C5"}, NameTaken, "periods[6].refCode"),
        ({"name": ""}, InvalidInput, "periods[6].refCode"),
        ({"first": 149}, InvalidInput, "periods[6].startDate"),
        ({"end": 150}, InvalidInput, "periods[6].endDate"),
        ({"value": -1}, InvalidInput, "periods[6].values[T]"),
    ],
)
def test_cycle_that_cannot_be_appended_is_refused_by_field(details, error, field):
    target = make_programme()
    before = everything()

    with pytest.raises(error) as refused:
        edit(target, ProgrammeEdit(appended=[new_cycle(target, **details)]))

    assert refused.value.field == field.replace("[T]", f"[{target.pk}]")
    assert everything() == before


@pytest.mark.django_db
def test_appended_cycle_needs_room_and_a_value_for_each_target():
    target = make_programme()
    without = NewCycle(new_cycle(target).period, {})

    with pytest.raises(InvalidInput, match="one value for each target"):
        edit(target, ProgrammeEdit(appended=[without]))
    with override_settings(MAX_CYCLES=5), pytest.raises(InvalidInput, match="at most 5 periods"):
        edit(target, ProgrammeEdit(appended=[new_cycle(target)]))

    assert TargetGroup.objects.get().cycle_count == 5


@pytest.mark.django_db
def test_programme_with_calendars_of_its_customers_takes_no_dates():
    target = make_programme(window=EvaluationType.CYCLIC_WINDOW)

    with pytest.raises(ImpossibleCombination):
        edit(target, ProgrammeEdit(late_days=1))
    edit(target, ProgrammeEdit(name="Another"))

    assert TargetGroup.objects.values_list("name", "late_days").get() == ("Another", 0)


@pytest.mark.django_db
def test_what_is_as_it_was_makes_no_version():
    target = make_programme(name="ABC")
    ended, running = Cycle.objects.order_by("number")[:2]
    as_it_is = ProgrammeEdit(
        name="ABC",
        cycles={
            1: CycleEdit(ended.starts_at, ended.ends_at, "", 0),
            2: CycleEdit(running.starts_at, running.ends_at, "", 0),
        },
        targets={target.pk: TargetEdit("ABC", "", True, {1: Decimal(3)}, {1: Allocation.IMMEDIATE})},
    )
    before = everything()

    made = edit(target, as_it_is, expected_version=1)

    assert (made.version, made.changes) == (1, [])
    assert everything() == before


@pytest.mark.django_db
def test_edit_of_what_somebody_else_has_changed_is_refused():
    target = make_programme()
    edit(target, ProgrammeEdit(name="First"), expected_version=1)

    with pytest.raises(ChangedMeanwhile):
        edit(target, ProgrammeEdit(name="Second"), expected_version=1)

    assert TargetGroup.objects.values_list("name", "version").get() == ("First", 2)


@pytest.mark.django_db
def test_preview_says_what_would_change_and_writes_nothing():
    target = make_programme(name="ABC")
    before = everything()

    seen = preview_edit(target_group=target.target_group, edit=ProgrammeEdit(name="XYZ"), at=AT)

    assert [str(change) for change in seen.changes] == ["name of the programme: ABC → XYZ"]
    assert (seen.version, everything()) == (1, before)


@pytest.mark.django_db
def test_instant_before_somebodys_last_change_or_a_close_is_stale():
    target = make_programme()
    closed = make_programme(brand=target.brand)
    member(target, at=AT)
    list(close_cycles(brand=target.brand, at=AT))

    with pytest.raises(StaleInstant):
        edit(target, ProgrammeEdit(name="Too late"), at=AT - timedelta(seconds=1))
    with pytest.raises(StaleInstant):
        edit(closed, ProgrammeEdit(name="Too late"), at=START + 29 * DAY)

    assert not TargetGroup.objects.filter(name="Too late").exists()


@pytest.mark.django_db
def test_value_stays_greater_than_every_balance_set_in_a_cycle_not_begun():
    target = make_programme(target_value=10)
    member(target, at=AT, period_name="c4", initial_balance=Decimal(7))
    member(target, at=AT, period_name="c4", initial_balance=Decimal(2))

    with pytest.raises(InvalidInput, match="balance of 7") as refused:
        edit(target, ProgrammeEdit(targets={target.pk: TargetEdit(values={4: Decimal(7)})}))
    edit(target, ProgrammeEdit(targets={target.pk: TargetEdit(values={3: Decimal(1), 4: Decimal("7.001")})}))

    assert refused.value.field == f"targets[{target.pk}].values[4]"
    assert list(TargetValue.objects.filter(cycle__number__in=(3, 4)).values_list("value", flat=True)) == [
        1,
        Decimal("7.001"),
    ]


@pytest.mark.django_db
def test_days_are_those_of_the_groups_zone_and_late_days_of_the_cycle_move_along():
    zone = ZoneInfo("Europe/Berlin")
    start = start_of_day(date(2026, 1, 1), zone)
    target = make_programme(starts_at=start, time_zone="Europe/Berlin", cycles=1)
    Cycle.objects.update(late_days=1)
    after_change_of_clocks = start_of_day(date(2026, 3, 29), zone)

    edit(target, ProgrammeEdit(late_days=9, cycles={1: CycleEdit(ends_at=after_change_of_clocks)}), at=start)

    cycle = Cycle.objects.get()
    assert cycle.ends_at.isoformat() == "2026-03-28T23:00:00+00:00"
    assert (cycle.late_days, cycle.closes_at.isoformat()) == (1, "2026-03-29T22:00:00+00:00")


@pytest.mark.django_db
def test_members_are_in_appended_cycles_unless_they_leave_at_the_end():
    target = make_programme(target_value=1)
    stays, leaves = member(target), member(target)
    last = START + 130 * DAY
    unenroll(customer=leaves, target=target, at=last, effective=Effective.END_OF_CYCLE, **ACT)

    edit(target, ProgrammeEdit(appended=[new_cycle(target, value=1)]), at=last)

    assert [buy(stays, START + 151 * DAY), buy(leaves, START + 151 * DAY)] == ["counted", "not_enrolled"]
    assert Grant.objects.filter(customer=stays).values_list("cycle_number", flat=True).get() == 6


@pytest.mark.django_db
def test_programme_that_is_over_goes_on_with_an_appended_cycle():
    target = make_programme(target_value=1)
    customer = member(target)
    over = START + 160 * DAY
    list(close_cycles(brand=target.brand, at=over))

    edit(target, ProgrammeEdit(appended=[new_cycle(target, first=170, end=200)]), at=over)

    assert buy(customer, START + 170 * DAY) == "counted"
    assert list(all_violations(target.brand)) == []


@pytest.mark.django_db
def test_inactive_programme_is_edited_and_its_freezing_is_history_too():
    target = make_programme(name="ABC")
    group = target.target_group

    set_group_active(target_group=group, is_active=False, at=AT, by="ben", source="ADMIN", request_id="r7")
    edit(target, ProgrammeEdit(description="Paused"))
    set_target_active(target=target, is_active=False, at=AT, by="ben")

    changes = ProgrammeChange.objects.order_by("version")
    assert [(each.version, each.by, said(each)) for each in changes] == [
        (2, "ben", [("programme", "active", "inactive")]),
        (3, "anna", [("description of the programme", "", "Paused")]),
        (4, "ben", [("target ABC", "active", "inactive")]),
    ]
    assert (changes[0].source, changes[0].request_id) == ("ADMIN", "r7")


@pytest.mark.django_db
def test_closing_job_leaves_a_cycle_alone_whose_end_was_moved_since_it_looked():
    target = make_programme()
    due = Cycle.objects.get(number=2)
    edit(target, ProgrammeEdit(cycles={2: CycleEdit(ends_at=START + 50 * DAY)}))
    looked_at = Cycle.objects.get(number=2)
    edit(target, ProgrammeEdit(cycles={2: CycleEdit(ends_at=due.ends_at)}))

    closed = close_cycle(looked_at, START + 50 * DAY)

    assert closed.ended is Ended.NOT_DUE
    assert Cycle.objects.get(number=2).closed_at is None


@pytest.mark.django_db
def test_history_of_edits_keeps_every_invariant_and_pays_what_is_due():
    target = make_programme(target_value=1, allocation=Allocation.PERIOD_END)
    customer = member(target)
    buy(customer, AT)
    edit(target, ProgrammeEdit(cycles={2: CycleEdit(ends_at=START + 40 * DAY)}))
    list(close_cycles(brand=target.brand, at=START + 40 * DAY))
    edit(
        target, ProgrammeEdit(targets={target.pk: TargetEdit(allocations={3: Allocation.IMMEDIATE})}), START + 41 * DAY
    )
    buy(customer, START + 65 * DAY)

    violations = list(all_violations(target.brand))

    assert violations == []
    assert list(Grant.objects.order_by("cycle_number").values_list("cycle_number", "allocation")) == [
        (2, "PERIOD_END"),
        (3, "IMMEDIATE"),
    ]
    assert len(standings(list(Participation.objects.all()), START + 66 * DAY)) == 1
    assert Receipt.objects.count() == FormerCycle.objects.count() == 1
    assert FormerValue.objects.count() == 0


@given(st.lists(st.integers(0, 400), min_size=4, max_size=16, unique=True), st.randoms(use_true_random=False))
def test_order_of_moving_never_overlaps_and_never_stands_out_of_order(days, random):
    count = len(days) // 4

    def calendar(chosen):
        chosen = sorted(chosen)
        return [
            Cycle(pk=n, number=n, starts_at=START + chosen[2 * n - 2] * DAY, ends_at=START + chosen[2 * n - 1] * DAY)
            for n in range(1, count + 1)
        ]

    before, after = (calendar(random.sample(days, 2 * count)) for _ in range(2))
    now = {cycle.number: cycle for cycle in before}

    for moved in _in_order_of_moving(before, after):
        now[moved.number] = moved
        in_order = [now[number] for number in sorted(now)]
        assert all(a.ends_at <= b.starts_at for a, b in pairwise(in_order))

    assert [(each.starts_at, each.ends_at) for each in now.values()] == [(e.starts_at, e.ends_at) for e in after]
