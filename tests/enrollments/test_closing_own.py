"""The closing job and calendars that are each customer's own; tests/concurrency has it beside others."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from enrollments import operations
from enrollments.enums import Source
from enrollments.models import Participation
from enrollments.operations import ActivityData, close_own_cycles, enroll, record_activity
from rewards.models import Grant
from targets.enums import Allocation, EvaluationType
from tests.factories import START, BrandFactory, CustomerFactory, make_programme

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
DUE = START + 33 * DAY


@pytest.fixture
def target():
    """Cycles of 30 days; customers 1 to 4 begin a day after each other, and reach the value at once."""
    brand = BrandFactory(name="Acme", sandbox=True, clock_at=DUE)
    target = make_programme(
        brand=brand, window=EvaluationType.CYCLIC_WINDOW, allocation=Allocation.PERIOD_END, target_value=1
    )
    for number in range(1, 5):
        at = START + number * DAY
        customer = CustomerFactory(brand=brand, customer_id=number)
        enroll(customer=customer, target=target, at=at, by="test", source=Source.API)
        record_activity(brand=brand, activity=ActivityData(f"e{number}", "purchase", number, at), at=at)
    return target


def paid():
    return list(Grant.objects.order_by("customer__customer_id").values_list("customer__customer_id", "cycle_number"))


def close():
    out = StringIO()
    call_command("close_cycles", stdout=out)
    return out.getvalue().splitlines()


def test_command_closes_what_is_due_for_each_and_nothing_twice(target):
    first, second = close(), close()

    assert first == [
        "Acme: cycles of customers' own calendars closed: 3, rewards given: 3",
        "Cycles closed: 3. Rewards given: 3.",
    ]
    assert second == ["Cycles closed: 0. Rewards given: 0."]
    assert paid() == [(1, 1), (2, 1), (3, 1)]
    assert list(Participation.objects.order_by("pk").values_list("closed_through", flat=True)) == [1, 1, 1, 0]


def test_chunks_take_the_same_statements_however_many_are_in_them(target):
    counts = []
    for chunk in (1, 2):
        with CaptureQueriesContext(connection) as statements:
            next(close_own_cycles(brand=target.brand, at=DUE, chunk=chunk))
        counts.append(len(statements))

    assert counts[0] == counts[1]
    assert paid() == [(1, 1), (2, 1), (3, 1)]


def test_close_that_breaks_while_it_pays_leaves_that_chunk_whole_for_the_next_one(target, monkeypatch):
    closing = close_own_cycles(brand=target.brand, at=DUE, chunk=2)
    next(closing)
    whole = operations.closing.PAY
    monkeypatch.setattr(operations.closing, "PAY", "SELECT 1 / 0")

    with pytest.raises(Exception, match="division by zero"):
        next(closing)

    assert paid() == [(1, 1), (2, 1)]
    monkeypatch.setattr(operations.closing, "PAY", whole)
    assert [each.granted for each in close_own_cycles(brand=target.brand, at=DUE)] == [1]
    assert paid() == [(1, 1), (2, 1), (3, 1)]


def test_asked_to_stop_it_stops_between_chunks(target):
    asked = iter((False, True))

    closed = list(close_own_cycles(brand=target.brand, at=DUE, chunk=1, is_to_stop=lambda: next(asked)))

    assert ([each.cycles for each in closed], paid()) == ([1], [(1, 1)])


def test_what_fails_for_own_calendars_is_told_and_keeps_nothing_else_from_being_closed(target, monkeypatch):
    other = make_programme(brand=target.brand, allocation=Allocation.PERIOD_END)
    monkeypatch.setattr("enrollments.closing_job.close_own_cycles", broken)

    with pytest.raises(CommandError, match="Not done for 1 of 1 brands"):
        close()

    assert list(other.target_group.cycles.filter(paid_at__isnull=False).values_list("number", flat=True)) == [1]
    assert paid() == []


def broken(**options):
    raise OperationalError("no room left")
