"""`manage.py close_cycles` in one process; tests/concurrency/test_close_workers.py has several."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connection

from enrollments.closing_job import ClosingJob
from enrollments.enums import Source
from enrollments.operations import ActivityData, closing, enroll, record_activity
from rewards.models import Grant
from targets.enums import Allocation
from targets.models import Brand, Cycle
from tests.factories import START, BrandFactory, CustomerFactory, make_programme

pytestmark = pytest.mark.django_db


@pytest.fixture
def target():
    brand = BrandFactory(sandbox=True, clock_at=START + timedelta(days=3))
    return make_programme(brand=brand, allocation=Allocation.PERIOD_END, target_value=1)


@pytest.fixture
def customers(target):
    """Two members of all cycles; the second has reached the value of the first cycle."""
    made = [CustomerFactory(brand=target.brand, customer_id=number) for number in (1, 2)]
    for customer in made:
        enroll(customer=customer, target=target, at=START, by="test", source=Source.API)
    record_activity(brand=target.brand, activity=ActivityData("e", "purchase", 2, START), at=START)
    return made


def close(*arguments, **options):
    out = StringIO()
    call_command("close_cycles", *arguments, stdout=out, **options)
    return out.getvalue().splitlines()


def test_close_cycles_pays_what_is_due_and_nothing_twice(target, customers):
    target.brand.clock_at = START + timedelta(days=31)
    target.brand.save()

    first, second = close(), close()

    assert first == [
        f"{target.brand}: {target.target_group}, c1 closed, rewards given: 1",
        "Cycles closed: 1. Rewards given: 1.",
    ]
    assert second == ["Cycles closed: 0. Rewards given: 0."]
    assert list(Grant.objects.values_list("customer__customer_id", "cycle_number")) == [(2, 1)]


def test_close_cycles_at_never_goes_past_the_brands_own_now(target, customers):
    closed = close("--at", "2030-01-01T00:00:00Z")

    assert closed == ["Cycles closed: 0. Rewards given: 0."]
    assert Cycle.objects.filter(closed_at__isnull=False).count() == 0


def test_close_cycles_at_an_earlier_instant_leaves_what_was_due_later(target, customers):
    target.brand.clock_at = START + timedelta(days=100)
    target.brand.save()

    closed = close("--at", "2026-01-31T00:00:00Z", "--brand", target.brand.name)

    assert closed[-1] == "Cycles closed: 1. Rewards given: 1."


@pytest.mark.parametrize(
    "arguments",
    [
        ["--at", "noon"],
        ["--at", "2026-01-01T00:00:00"],
        ["--brand", "Nobody"],
        ["--follow", "--at", "2026-01-01T00:00:00Z"],
    ],
)
def test_close_cycles_with_unusable_arguments_exits_with_2(arguments):
    with pytest.raises(CommandError) as refused:
        close(*arguments)

    assert refused.value.returncode == 2


@pytest.mark.parametrize(
    "argument", ["--interval=0", "--interval=nan", "--interval=soon", "--interval=86401", "--chunk=0", "--chunk=-1"]
)
def test_close_cycles_with_an_absurd_number_is_refused(argument):
    with pytest.raises(CommandError, match=f"argument {argument.split('=')[0]}: .* is no number"):
        close("--follow", argument)


def test_close_cycles_goes_on_with_the_other_brands_when_one_cannot_be_closed_now(target, customers, monkeypatch):
    target.brand.clock_at = START + timedelta(days=31)
    target.brand.save()
    busy = make_programme(brand=BrandFactory(sandbox=True, clock_at=START + timedelta(days=31)))
    bar = closing.bar_calendar

    def bar_unless_busy(target_group_id):
        if target_group_id == busy.target_group_id:
            raise OperationalError("canceling statement due to lock timeout")
        bar(target_group_id)

    with monkeypatch.context() as patch:
        patch.setattr(closing, "bar_calendar", bar_unless_busy)
        with pytest.raises(CommandError, match="Not done for 1 of 2 brands: run it again"):
            close()
    again = close()

    assert Grant.objects.count() == 1
    assert again == [
        f"{busy.brand}: {busy.target_group}, c1 closed, rewards given: 0",
        "Cycles closed: 1. Rewards given: 0.",
    ]


def test_close_cycles_goes_on_with_the_other_cycles_of_the_brand_when_one_cannot_be_closed_now(
    target, customers, monkeypatch
):
    target.brand.clock_at = START + timedelta(days=31)
    target.brand.save()
    busy = make_programme(brand=target.brand, starts_at=START - timedelta(days=1))
    bar = closing.bar_calendar

    def bar_unless_busy(target_group_id):
        if target_group_id == busy.target_group_id:
            raise OperationalError("canceling statement due to lock timeout\n")
        bar(target_group_id)

    monkeypatch.setattr(closing, "bar_calendar", bar_unless_busy)
    complaints = StringIO()
    with pytest.raises(CommandError, match="Not done for 1 of 1 brands: run it again"):
        close(stderr=complaints)

    assert Grant.objects.count() == 1
    assert complaints.getvalue().splitlines() == [
        f"{target.brand}: {busy.target_group}, c1 not closed: canceling statement due to lock timeout"
    ]


def test_close_cycles_following_tries_a_lost_database_again_after_longer_and_longer_pauses(db, monkeypatch):
    passes = iter([OperationalError("gone\n"), InterfaceError("closed"), None, OperationalError("gone again"), None])
    paused, complaints = [], []

    class StopAtTheFifthPause:
        is_asked = False

        def wait(self, seconds):
            paused.append(seconds)
            self.is_asked = len(paused) == 5

    def fail_in_turn(job, brands, is_to_stop):
        if error := next(passes):
            raise error

    monkeypatch.setattr(ClosingJob, "run_once", fail_in_turn)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's own transaction goes on

    ClosingJob(say=print, complain=complaints.append).follow(Brand.objects.all(), 30, StopAtTheFifthPause())

    assert paused == [1, 2, 30, 1, 30]
    assert complaints == [
        "The database cannot be used, next try in 1 s: gone",
        "The database cannot be used, next try in 2 s: closed",
        "The database cannot be used, next try in 1 s: gone again",
    ]
