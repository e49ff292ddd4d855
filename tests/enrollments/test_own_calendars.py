"""Each customer's own calendar (domain.md 10): cycles from his first activity on, or until each is achieved."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from enrollments.enums import Effective, NotCounted, ReceiptKind, Source, Verdict
from enrollments.integrity import all_violations
from enrollments.models import Participation, Progress, Receipt, Stay
from enrollments.operations import (
    ActivityData,
    cancel_leave,
    close_own_cycles,
    enroll,
    record_activity,
    set_group_active,
    unenroll,
)
from enrollments.receipts import account
from enrollments.standing import standings
from rewards.models import Grant
from targets.enums import Allocation, EvaluationType, FrequencyType, Kpi
from targets.errors import AlreadyEnrolled, CycleNotFound, InvalidInput, NotEnrolled, StaleInstant
from tests.factories import START, CustomerFactory, make_programme

pytestmark = pytest.mark.django_db

ACT = {"by": "test", "source": Source.API}
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
CYCLIC, AGNOSTIC = EvaluationType.CYCLIC_WINDOW, EvaluationType.PERIOD_AGNOSTIC_WINDOW


class Scene:
    """One customer and one programme; cyclic ones have cycles of 10 days."""

    def __init__(self, window=CYCLIC, **programme):
        details = {"cycles": 3, "target_value": Decimal(2), "length": (FrequencyType.DAILY, 10)} | programme
        self.target = make_programme(window=window, **details)
        self.customer = CustomerFactory(brand=self.target.brand)
        self.who = {"customer": self.customer, "target": self.target}
        self.events = 0

    def enroll(self, at, **details):
        return enroll(**self.who, at=at, **ACT, **details)

    def unenroll(self, at, **details):
        return unenroll(**self.who, at=at, **ACT, **details)

    def buy(self, at, occurred_at=None, **details):
        """The outcome of a purchase that is delivered at `at`."""
        self.events += 1
        event = ActivityData(
            f"{self.target.pk}-{self.events}", "purchase", self.customer.customer_id, occurred_at or at, **details
        )
        (outcome,) = record_activity(brand=self.target.brand, activity=event, at=at).outcomes
        return outcome.reason or (outcome.cycle_number, int(outcome.value), outcome.achieved)

    def close(self, at):
        return [(each.cycles, each.granted) for each in close_own_cycles(brand=self.target.brand, at=at)]

    @property
    def participation(self):
        return Participation.objects.get(**self.who)

    @property
    def stays(self):
        return [(each.first_cycle, each.end_cycle) for each in Stay.objects.all()]

    def verdicts(self, at):
        (standing,) = standings([self.participation], at)
        return [line.verdict for line in standing.cycles]

    def bounds(self, at):
        (standing,) = standings([self.participation], at)
        return [(line.cycle.starts_at, line.cycle.ends_at) for line in standing.cycles]

    def paid(self):
        return list(Grant.objects.order_by("cycle_number").values_list("cycle_number", flat=True))


def verdicts_of(receipt):
    return [line.verdict for line in account(receipt).cycles]


# Cycles of equal length from the first activity on


def test_calendar_begins_with_the_first_activity_after_enrolling_and_never_moves():
    scene = Scene()
    scene.enroll(START)
    anchor = START + 3 * DAY + HOUR

    before = scene.bounds(START)
    outcomes = [scene.buy(anchor), scene.buy(anchor + 9 * DAY), scene.buy(anchor + 10 * DAY)]

    assert before == [(None, None)] * 3
    assert outcomes == [(1, 1, False), (1, 2, True), (2, 1, False)]
    ends = [anchor + number * 10 * DAY for number in range(4)]
    assert scene.bounds(START) == list(pairwise(ends))
    assert scene.participation.anchored_at == anchor


@pytest.mark.parametrize(
    ("zone", "length", "anchor", "ends"),
    [
        ("UTC", (FrequencyType.MONTHLY, 1), "2026-01-31T10:30Z", ["2026-02-28T10:30Z", "2026-03-31T10:30Z"]),
        ("Europe/Berlin", (FrequencyType.WEEKLY, 1), "2026-03-25T10:30Z", ["2026-04-01T09:30Z", "2026-04-08T09:30Z"]),
        ("Europe/Berlin", (FrequencyType.DAILY, 1), "2026-03-28T01:30Z", ["2026-03-29T01:30Z", "2026-03-30T00:30Z"]),
        ("Europe/Berlin", (FrequencyType.DAILY, 1), "2026-10-25T01:30Z", ["2026-10-26T01:30Z", "2026-10-27T01:30Z"]),
    ],
)
def test_boundaries_are_at_the_same_wall_time_also_at_month_ends_and_clock_changes(zone, length, anchor, ends):
    scene = Scene(time_zone=zone, length=length)
    anchor = datetime.fromisoformat(anchor)
    scene.enroll(anchor - DAY)

    scene.buy(anchor)

    assert [end for _, end in scene.bounds(anchor)][:2] == [datetime.fromisoformat(each) for each in ends]


@pytest.mark.parametrize(
    ("occurred_at", "reason"),
    [
        (START - HOUR, NotCounted.NO_CYCLE),
        (START + DAY + timedelta(minutes=6), NotCounted.IN_FUTURE),
        (START, None),
        (START + DAY + timedelta(minutes=5), None),
    ],
)
def test_only_an_activity_that_counts_begins_the_calendar(occurred_at, reason):
    scene = Scene()
    scene.enroll(START)

    outcome = scene.buy(START + DAY, occurred_at)

    assert outcome == (reason or (1, 1, False))
    assert scene.participation.anchored_at == (None if reason else occurred_at)


def test_activity_before_the_first_counted_one_is_in_no_cycle():
    scene = Scene()
    scene.enroll(START)
    scene.buy(START + 2 * DAY)

    outcomes = [scene.buy(START + 2 * DAY, START + DAY), scene.buy(START + 2 * DAY, START - DAY)]

    assert outcomes == [NotCounted.NO_CYCLE] * 2


def test_leaving_before_the_calendar_has_begun_gives_an_empty_stay_and_no_calendar_begins_while_away():
    scene = Scene()
    scene.enroll(START)

    receipt = scene.unenroll(START + DAY)
    while_away = scene.buy(START + 2 * DAY)
    scene.enroll(START + 3 * DAY)
    outcomes = [scene.buy(START + 4 * DAY, START), scene.buy(START + 4 * DAY)]

    assert scene.stays == [(1, 1), (1, None)]
    assert (verdicts_of(receipt), [line.cycle.starts_at for line in account(receipt).cycles]) == (
        [Verdict.LEFT] * 3,
        [None] * 3,
    )
    assert (while_away, outcomes) == (NotCounted.NOT_ENROLLED, [NotCounted.NO_CYCLE, (1, 1, False)])


def test_calendar_runs_on_while_he_is_away():
    scene = Scene()
    scene.enroll(START)
    scene.buy(START, None)
    scene.buy(START)
    left = scene.unenroll(START + 12 * DAY)
    again = scene.enroll(START + 21 * DAY)
    outcomes = [scene.buy(START + 22 * DAY), scene.buy(START + 22 * DAY, START + 13 * DAY)]

    assert scene.stays == [(1, 2), (3, None)]
    assert verdicts_of(left) == [Verdict.KEPT, Verdict.LEFT, Verdict.LEFT]
    assert verdicts_of(again) == [Verdict.KEPT, Verdict.NOT_MEMBER, Verdict.MEMBER]
    assert outcomes == [(3, 1, False), NotCounted.NOT_ENROLLED]
    assert scene.verdicts(START + 22 * DAY) == [Verdict.KEPT, Verdict.LEFT, Verdict.MEMBER]


def test_rejoining_his_running_cycle_carries_on_with_what_he_had():
    scene = Scene()
    scene.enroll(START)
    scene.buy(START + HOUR)
    scene.unenroll(START + DAY)
    scene.enroll(START + 2 * DAY)

    assert scene.buy(START + 2 * DAY) == (1, 2, True)
    assert scene.paid() == [1]


@pytest.mark.parametrize("door", ["enroll", "unenroll"])
def test_after_the_last_cycle_the_programme_is_over_for_him(door):
    scene = Scene()
    scene.enroll(START)
    scene.buy(START)
    over = START + 30 * DAY
    if door == "enroll":
        scene.unenroll(over - DAY)
    before = scene.stays

    with pytest.raises(CycleNotFound):
        getattr(scene, door)(over)

    assert (scene.stays, Receipt.objects.count()) == (before, len(before) + (door == "enroll"))
    assert scene.buy(over) == NotCounted.NO_CYCLE


@pytest.mark.parametrize(
    ("name", "day", "joined"),
    [("c1", 2, None), ("c2", 2, 2), ("c3", 2, None), ("c2", 12, 2), ("c3", 12, 3), ("c9", 2, None)],
)
def test_he_may_name_the_cycle_running_for_him_or_his_next_one(name, day, joined):
    scene = Scene()
    scene.enroll(START - DAY)
    scene.buy(START)
    scene.unenroll(START + HOUR)
    at = START + day * DAY
    joined = 1 if (name, day) == ("c1", 2) else joined

    if joined is None:
        with pytest.raises(CycleNotFound) as refused:
            scene.enroll(at, period_name=name)
        assert (refused.value.field, Stay.objects.count()) == ("periodName", 1)
    else:
        scene.enroll(at, period_name=name)
        assert scene.stays[-1] == (joined, None)


@pytest.mark.parametrize(("name", "is_joined"), [("c1", True), ("c2", False)])
def test_before_his_calendar_has_begun_he_may_name_its_first_cycle_only(name, is_joined):
    scene = Scene()

    if is_joined:
        scene.enroll(START, period_name=name)
    else:
        with pytest.raises(CycleNotFound):
            scene.enroll(START, period_name=name)

    assert Stay.objects.count() == is_joined


def test_balance_may_not_achieve_a_calendar_that_has_not_begun():
    scene = Scene()

    with pytest.raises(InvalidInput) as refused:
        scene.enroll(START, initial_balance=Decimal(2))
    assert (refused.value.field, Stay.objects.count(), Progress.objects.count()) == ("initialBalance", 0, 0)
    scene.enroll(START, initial_balance=Decimal(1))
    assert scene.buy(START + HOUR) == (1, 2, True)


def test_period_end_reward_is_paid_at_his_own_closing_instant_and_late_activity_counts_until_then():
    scene = Scene(allocation=Allocation.PERIOD_END, late_days=2)
    scene.enroll(START)
    scene.buy(START)
    late = START + 12 * DAY - timedelta(microseconds=1)

    early = scene.close(late)
    counted = scene.buy(late, START + 9 * DAY)
    closed = scene.close(START + 12 * DAY)

    assert (early, counted, closed) == ([], (1, 2, True), [(1, 1)])
    assert scene.buy(START + 12 * DAY, START + 9 * DAY) == NotCounted.CYCLE_CLOSED
    grant = Grant.objects.get()
    assert (grant.cycle_number, grant.granted_at) == (1, START + 12 * DAY)
    assert list(all_violations()) == []


def test_close_that_runs_late_pays_every_cycle_he_is_owed_once():
    scene = Scene(allocation=Allocation.PERIOD_END)
    scene.enroll(START)
    for day in (0, 1, 11, 12, 21, 22):
        scene.buy(START + day * DAY)
    scene.unenroll(START + 23 * DAY)

    closed = [scene.close(START + 400 * DAY), scene.close(START + 400 * DAY)]

    assert closed == [[(3, 2)], []]
    assert scene.paid() == [1, 2]
    participation = scene.participation
    assert (participation.closed_through, participation.closes_next_at) == (3, None)
    assert list(all_violations()) == []


def test_leaving_forfeits_the_period_end_reward_of_his_running_cycle():
    scene = Scene(allocation=Allocation.PERIOD_END)
    scene.enroll(START)
    scene.buy(START)
    scene.buy(START)

    preview = scene.unenroll(START + DAY, dry_run=True)
    receipt = scene.unenroll(START + DAY)
    scene.close(START + 11 * DAY)

    assert verdicts_of(preview) == verdicts_of(receipt) == [Verdict.LEFT_REWARD_FORFEITED, Verdict.LEFT, Verdict.LEFT]
    assert scene.paid() == []


def test_instant_that_lies_before_a_close_of_his_cycle_is_stale():
    scene = Scene()
    scene.enroll(START)
    scene.buy(START)
    scene.close(START + 10 * DAY)

    with pytest.raises(StaleInstant):
        scene.unenroll(START + 10 * DAY - HOUR)

    assert scene.stays == [(1, None)]


def test_leave_at_the_end_of_a_cycle_that_has_not_begun_takes_effect_when_that_is_known():
    scene = Scene()
    scene.enroll(START)
    scene.unenroll(START, effective=Effective.END_OF_CYCLE)

    with pytest.raises(AlreadyEnrolled):
        scene.enroll(START + 100 * DAY)
    anchor = START + 200 * DAY
    counted = scene.buy(anchor)
    after = scene.buy(anchor + 10 * DAY)
    with pytest.raises(NotEnrolled) as refused:
        scene.unenroll(anchor + 10 * DAY)

    assert (counted, after) == ((1, 1, False), NotCounted.NOT_ENROLLED)
    assert refused.value.left_at == anchor + 10 * DAY
    assert scene.stays == [(1, 2)]


def test_scheduled_leave_of_a_running_cycle_can_be_cancelled_until_it_ends():
    scene = Scene()
    scene.enroll(START)
    scene.buy(START)
    scheduled = scene.unenroll(START + DAY, effective=Effective.END_OF_CYCLE)

    cancelled = cancel_leave(**scene.who, at=START + 10 * DAY - HOUR, **ACT)

    assert (scheduled.kind, verdicts_of(scheduled)) == (
        ReceiptKind.LEAVE_SCHEDULED,
        [Verdict.KEPT, Verdict.LEFT, Verdict.LEFT],
    )
    assert (cancelled.kind, scene.stays) == (ReceiptKind.LEAVE_CANCELLED, [(1, None)])
    assert Stay.objects.get().leaves_at is None


def test_receipts_read_the_same_after_the_calendar_has_begun():
    scene = Scene()
    enrolled = scene.enroll(START)
    before = account(Receipt.objects.get(pk=enrolled.pk)).cycles

    scene.buy(START + DAY)

    after = account(Receipt.objects.get(pk=enrolled.pk)).cycles
    assert [(each.cycle.starts_at, each.value, each.verdict) for each in before] == [
        (each.cycle.starts_at, each.value, each.verdict) for each in after
    ]


def test_inactive_group_begins_no_calendar_but_closes_what_is_due():
    scene = Scene(allocation=Allocation.PERIOD_END)
    scene.enroll(START)
    scene.buy(START)
    scene.buy(START)
    set_group_active(target_group=scene.target.target_group, is_active=False, at=START + DAY, by="test")

    outcome = scene.buy(START + DAY)
    closed = scene.close(START + 10 * DAY)

    assert (outcome, closed, scene.paid()) == (NotCounted.TARGET_INACTIVE, [(1, 1)], [1])


# Cycles that end when they are achieved


def test_cycle_ends_when_it_is_achieved_and_the_excess_is_dropped():
    scene = Scene(AGNOSTIC)
    scene.enroll(START)

    outcomes = [scene.buy(START + number * DAY) for number in range(1, 6)]

    assert outcomes == [(1, 1, False), (1, 2, True), (2, 1, False), (2, 2, True), (3, 1, False)]
    assert scene.paid() == [1, 2]
    assert scene.bounds(START + 6 * DAY) == [
        (START, START + 2 * DAY),
        (START + 2 * DAY, START + 4 * DAY),
        (START + 4 * DAY, None),
    ]
    assert list(all_violations()) == []


def test_activity_counts_for_the_open_cycle_whenever_it_occurred():
    scene = Scene(AGNOSTIC)
    scene.enroll(START)
    scene.buy(START + DAY)
    scene.buy(START + 2 * DAY)

    assert scene.buy(START + 3 * DAY, START + DAY) == (2, 1, False)
    assert scene.buy(START + 3 * DAY, START - DAY) == (2, 2, True)


def test_leaving_the_open_cycle_keeps_the_achieved_ones_and_rejoining_carries_on():
    scene = Scene(AGNOSTIC)
    scene.enroll(START)
    for day in (1, 2, 3):
        scene.buy(START + day * DAY)
    left = verdicts_of(scene.unenroll(START + 4 * DAY))
    away = scene.buy(START + 5 * DAY)
    again = verdicts_of(scene.enroll(START + 6 * DAY))
    outcomes = [scene.buy(START + 7 * DAY, START + 5 * DAY), scene.buy(START + 7 * DAY)]

    assert left == [Verdict.KEPT, Verdict.LEFT, Verdict.LEFT]
    assert again == [Verdict.KEPT, Verdict.MEMBER, Verdict.MEMBER]
    assert (away, outcomes) == (NotCounted.NOT_ENROLLED, [NotCounted.WHILE_AWAY, (2, 2, True)])
    assert scene.stays == [(1, 2), (2, None)]


@pytest.mark.parametrize("door", ["enroll", "unenroll"])
def test_programme_is_over_for_him_when_the_last_cycle_is_achieved(door):
    scene = Scene(AGNOSTIC, cycles=1)
    scene.enroll(START)
    scene.buy(START)
    scene.buy(START)

    with pytest.raises(AlreadyEnrolled if door == "enroll" else CycleNotFound):
        getattr(scene, door)(START + DAY)

    assert (scene.stays, scene.buy(START + DAY)) == ([(1, None)], NotCounted.NO_CYCLE)


def test_balance_that_reaches_the_target_value_achieves_the_open_cycle():
    scene = Scene(AGNOSTIC)

    receipt = scene.enroll(START, initial_balance=Decimal(5))

    assert scene.paid() == [1]
    lines = account(receipt).cycles
    assert [(line.verdict, line.value, line.cycle.ends_at) for line in lines] == [
        (Verdict.MEMBER, 5, START),
        (Verdict.MEMBER, None, None),
        (Verdict.MEMBER, None, None),
    ]
    assert scene.buy(START + DAY) == (2, 1, False)


@pytest.mark.parametrize(("name", "is_joined"), [("c1", False), ("c2", True), ("c3", False)])
def test_only_the_open_cycle_may_be_named(name, is_joined):
    scene = Scene(AGNOSTIC)
    scene.enroll(START)
    scene.buy(START)
    scene.buy(START)
    scene.unenroll(START + DAY)

    if is_joined:
        scene.enroll(START + DAY, period_name=name)
    else:
        with pytest.raises(CycleNotFound):
            scene.enroll(START + DAY, period_name=name)

    assert scene.stays == [(1, 2), (2, None)][: 1 + is_joined]


def test_leave_at_the_end_of_the_open_cycle_takes_effect_when_it_is_achieved():
    scene = Scene(AGNOSTIC)
    scene.enroll(START)
    scene.unenroll(START, effective=Effective.END_OF_CYCLE)
    scene.buy(START + DAY)

    enrolled = standings([scene.participation], START + 900 * DAY)[0].is_enrolled
    outcomes = [scene.buy(START + 901 * DAY), scene.buy(START + 902 * DAY)]
    with pytest.raises(NotEnrolled) as refused:
        scene.unenroll(START + 902 * DAY)

    assert (enrolled, outcomes) == (True, [(1, 2, True), NotCounted.NOT_ENROLLED])
    assert (refused.value.left_at, scene.paid()) == (START + 901 * DAY, [1])
    scene.enroll(START + 902 * DAY)
    assert scene.stays == [(1, 2), (2, None)]


def test_return_lowers_the_open_cycle_only():
    scene = Scene(AGNOSTIC)
    scene.enroll(START)
    scene.buy(START)
    scene.buy(START)

    assert scene.buy(START + DAY, amount=Decimal(-1)) == (2, -1, False)
    assert Progress.objects.get(cycle_number=1).value == 2


def test_balance_covers_all_earlier_activity_in_whichever_cycle_it_would_count():
    scene = Scene(AGNOSTIC)
    scene.enroll(START, initial_balance=Decimal(5))

    outcomes = [scene.buy(START + DAY, START - DAY), scene.buy(START + DAY, START)]

    assert outcomes == [NotCounted.BEFORE_ENROLMENT, (2, 1, False)]


def test_day_is_one_visit_in_all_cycles():
    scene = Scene(AGNOSTIC, kpi=Kpi.VISIT, target_value=Decimal(1))
    scene.enroll(START)

    outcomes = [scene.buy(START + HOUR), scene.buy(START + 2 * HOUR), scene.buy(START + DAY)]

    assert outcomes == [(1, 1, True), (2, 0, False), (2, 1, True)]
    assert list(all_violations()) == []


@pytest.mark.parametrize("year", [2201, 9999])
def test_activity_of_a_year_that_cannot_be_counted_begins_no_calendar(year):
    scene = Scene(length=(FrequencyType.YEARLY, 50))
    scene.enroll(START)

    assert scene.buy(START, datetime(year, 12, 25, tzinfo=UTC)) == NotCounted.NO_CYCLE
    assert scene.participation.anchored_at is None
