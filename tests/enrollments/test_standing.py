"""Where a customer stands now."""

from datetime import timedelta
from decimal import Decimal

import pytest

from enrollments.enums import Source, Verdict
from enrollments.models import Participation
from enrollments.operations import ActivityData, enroll, record_activity, unenroll
from enrollments.standing import standings
from targets.enums import Allocation
from tests.factories import START, CustomerFactory, make_programme

pytestmark = pytest.mark.django_db

ACT = {"by": "test", "source": Source.API}


def test_reward_forfeited_by_an_earlier_leave_is_not_shown_after_returning_with_less_and_leaving_again():
    target = make_programme(allocation=Allocation.PERIOD_END, target_value=Decimal(3))
    customer = CustomerFactory(brand=target.brand)
    first, second = START, START + timedelta(days=2)
    enroll(customer=customer, target=target, at=first, initial_balance=Decimal(3), **ACT)
    unenroll(customer=customer, target=target, at=first, **ACT)
    [before] = standings([Participation.objects.get()], first)

    enroll(customer=customer, target=target, at=second, initial_balance=Decimal(1), **ACT)
    unenroll(customer=customer, target=target, at=second, **ACT)

    [after] = standings([Participation.objects.get()], second)
    assert (before.cycles[0].verdict, before.cycles[0].value) == (Verdict.LEFT_REWARD_FORFEITED, Decimal(3))
    assert (after.cycles[0].verdict, after.cycles[0].value) == (Verdict.LEFT, Decimal(1))


def test_reward_forfeited_stays_so_while_he_is_in_later_cycles_only():
    target = make_programme(allocation=Allocation.PERIOD_END, target_value=Decimal(1))
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=START, **ACT)
    event = ActivityData("e", "purchase", customer.customer_id, START)
    record_activity(brand=target.brand, activity=event, at=START)
    unenroll(customer=customer, target=target, at=START, **ACT)

    enroll(customer=customer, target=target, at=START, period_name="c3", **ACT)

    [standing] = standings([Participation.objects.get()], START)
    assert [line.verdict for line in standing.cycles] == [
        Verdict.LEFT_REWARD_FORFEITED,
        Verdict.LEFT,
        Verdict.MEMBER,
        Verdict.MEMBER,
        Verdict.MEMBER,
    ]
