"""Who joined and left, counted day by day behind the changes."""

from datetime import UTC, date, datetime, timedelta

import pytest

from enrollments import tally as reading
from enrollments.closing_job import ClosingJob
from enrollments.enums import Effective
from enrollments.models import DailyChanges, Stay
from enrollments.operations import cancel_leave, enroll, tally_changes, tallying, undo_leave, unenroll
from enrollments.tally import Changes, tally
from targets.enums import Allocation
from targets.models import Brand
from tests.enrollments.admin_scene import ACT, buy, programme
from tests.factories import START, BrandFactory, CustomerFactory

pytestmark = pytest.mark.django_db

SINCE = date(2026, 1, 1)
FIRST, SECOND = date(2026, 1, 1), date(2026, 1, 3)


@pytest.fixture
def committed(monkeypatch):
    """As if the test's own transaction were finished, and no other were running."""
    assert tallying.FINISHED in tallying.TALLY
    monkeypatch.setattr(tallying, "TALLY", tallying.TALLY.replace(tallying.FINISHED, "true"))


@pytest.fixture
def target():
    return programme(brand=BrandFactory(time_zone="Asia/Kolkata"), allocation=Allocation.PERIOD_END)


def lived_through(target):
    """Seven join; one leaves and forfeits, one leaves and comes back, one is undone, one scheduled, one cancelled, one
    scheduled and then out at once, one stays. On the second day, which in Kolkata is the third."""
    at = datetime(2026, 1, 2, 20, tzinfo=UTC)
    people = [CustomerFactory(brand=target.brand) for _ in range(7)]
    for customer in people:
        enroll(customer=customer, target=target, at=START, **ACT)
    forfeiting, returning, undone, scheduled, cancelled, sooner, _ = people
    buy(target, forfeiting)
    unenroll(customer=forfeiting, target=target, at=at, **ACT)
    unenroll(customer=returning, target=target, at=at, **ACT)
    enroll(customer=returning, target=target, at=at, **ACT)
    undo_leave(receipt=unenroll(customer=undone, target=target, at=at, **ACT), at=at, **ACT)
    for customer in (scheduled, cancelled, sooner):
        unenroll(customer=customer, target=target, at=at, effective=Effective.END_OF_CYCLE, **ACT)
    cancel_leave(customer=cancelled, target=target, at=at, **ACT)
    unenroll(customer=sooner, target=target, at=at + timedelta(minutes=1), **ACT)


def test_changes_are_counted_once_whether_on_the_spot_or_before(target, committed):
    lived_through(target)
    expected = {FIRST: Changes(joined=7), SECOND: Changes(joined=1, departed=6, taken_back=2, forfeited=1)}

    found = [tally(target.brand, SINCE)]
    while tally_changes(brand=target.brand, at_once=4) == 4:
        found.append(tally(target.brand, SINCE))

    assert len(found) > 3
    assert all(each.by_day == expected for each in found)
    assert {each.behind_since for each in found} == {None}
    open_stays = Stay.objects.filter(participation__target=target, end_cycle=None).count()
    assert open_stays == 4
    assert all(each.members == {target.pk: open_stays} for each in found)
    assert tally_changes(brand=target.brand) == 0
    assert sum(DailyChanges.objects.values_list("joined", flat=True)) == 8
    assert tally(target.brand, SECOND).by_day == {SECOND: expected[SECOND]}


def test_closing_job_counts_after_it_has_closed(target, committed):
    lived_through(target)
    complaints = []

    ClosingJob(lambda told: None, complaints.append).run_once(Brand.objects.filter(pk=target.brand_id))

    assert complaints == []
    assert DailyChanges.objects.get(target=target, day=SECOND).departed == 6


def test_what_a_running_transaction_may_still_add_to_is_left_for_later(target):
    enroll(customer=CustomerFactory(brand=target.brand), target=target, at=START, **ACT)

    assert tally_changes(brand=target.brand) == 0  # the test's own transaction is one
    assert tally(target.brand, SINCE).members == {target.pk: 1}
    assert list(DailyChanges.objects.all()) == []


def test_other_brands_are_not_counted(target, committed):
    other = programme()
    enroll(customer=CustomerFactory(brand=other.brand), target=other, at=START, **ACT)

    assert tally_changes(brand=target.brand) == 0
    assert tally(target.brand, SINCE).by_day == {}
    assert tally_changes(brand=other.brand) == 1


def test_much_that_is_new_waits_for_the_job_and_is_said_to(target, monkeypatch):
    lived_through(target)
    monkeypatch.setattr(reading, "MOST_NEW", 3)

    found = tally(target.brand, SINCE)

    assert found.by_day == {FIRST: Changes(joined=4)}
    assert found.behind_since == START
