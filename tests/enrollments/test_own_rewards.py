"""A cycle with a reward of its own pays that, every other one the target's (domain.md 6)."""

from datetime import timedelta

import pytest

from enrollments.enums import Source, Verdict
from enrollments.integrity import all_violations
from enrollments.models import Participation
from enrollments.operations import ActivityData, close_cycles, enroll, record_activity, unenroll
from rewards.models import Grant, Reward
from targets.enums import Allocation
from tests.factories import START, CustomerFactory, make_programme, own_rewards

pytestmark = pytest.mark.django_db

MONTH = timedelta(days=30)
ACT = {"by": "test", "source": Source.API}


def two_cycles(allocation, *, rewarded=True):
    """c2 pays a reward of its own."""
    target = make_programme(cycles=2, allocation=allocation, target_value=1, rewarded=rewarded)
    own_rewards(target)
    Reward.objects.filter(target=target, cycle__number=1).delete()
    return target


def achieved_in_both(target):
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=START, **ACT)
    for number in (1, 2):
        achieved(customer, START + (number - 1) * MONTH + timedelta(days=1))
    return customer


def achieved(customer, at):
    event = ActivityData(f"{customer.pk} at {at}", "purchase", customer.customer_id, at)
    record_activity(brand=customer.brand, activity=event, at=at)


def given():
    return [*Grant.objects.order_by("cycle_number").values_list("cycle_number", "reward_name", "reward_value")]


@pytest.mark.parametrize("allocation", Allocation)
@pytest.mark.parametrize(
    ("rewarded", "paid"), [(True, [(1, "100 points", 100), (2, "Of c2", 2)]), (False, [(2, "Of c2", 2)])]
)
def test_cycle_pays_its_own_reward_and_others_what_the_target_pays(allocation, rewarded, paid):
    target = two_cycles(allocation, rewarded=rewarded)

    achieved_in_both(target)
    list(close_cycles(brand=target.brand, at=START + 2 * MONTH))

    assert given() == paid
    assert list(all_violations()) == []


@pytest.mark.parametrize(("cycle", "verdict"), [(1, Verdict.LEFT), (2, Verdict.LEFT_REWARD_FORFEITED)])
def test_leaving_forfeits_a_reward_of_the_cycle_alone_only_in_that_cycle(cycle, verdict):
    target = two_cycles(Allocation.PERIOD_END, rewarded=False)
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=START, **ACT)
    at = START + (cycle - 1) * MONTH + timedelta(days=1)
    achieved(customer, at)

    receipt = unenroll(customer=customer, target=target, at=at, **ACT)

    assert receipt.running_verdict == verdict


def test_staff_see_before_unenrolling_that_the_reward_of_the_cycle_itself_is_lost(admin_client):
    target = two_cycles(Allocation.PERIOD_END)
    target.brand.sandbox, target.brand.clock_at = True, START + MONTH + timedelta(days=1)
    target.brand.save()
    customer = achieved_in_both(target)

    participation = Participation.objects.get(customer=customer)
    page = admin_client.get(f"/admin/enrollments/participation/unenroll/?id={participation.pk}").content.decode()

    assert "Of c2" in page
    assert "100 points" not in page
