"""When a reward is given is a fact of each cycle of a target (domain.md 7): at once in one, at its close in another."""

from datetime import timedelta
from decimal import Decimal

import pytest

from enrollments.enums import Source, Verdict
from enrollments.integrity import all_violations
from enrollments.models import Participation, Progress
from enrollments.operations import ActivityData, close_cycles, enroll, record_activity, unenroll
from rewards.models import Grant
from targets.enums import Allocation
from tests.factories import START, CustomerFactory, make_programme

pytestmark = pytest.mark.django_db

MONTH = timedelta(days=30)
AT_ONCE, AT_END = Allocation.IMMEDIATE, Allocation.PERIOD_END
ACT = {"by": "test", "source": Source.API}


@pytest.fixture
def target():
    """Rewarded at once in c1 and c3, at its end in c2."""
    return make_programme(cycles=3, allocation=[AT_ONCE, AT_END, AT_ONCE], target_value=1)


def achieved_in(target, *cycles):
    """A customer who reaches the value in each of these cycles, on its second day."""
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=START, **ACT)
    for number in cycles:
        at = START + (number - 1) * MONTH + timedelta(days=1)
        event = ActivityData(f"{customer.customer_id} in {number}", "purchase", customer.customer_id, at)
        record_activity(brand=target.brand, activity=event, at=at)
    return customer


def grants(target):
    return [*Grant.objects.order_by("pk").values_list("cycle_number", "allocation")]


def test_each_cycle_is_rewarded_at_its_own_time(target):
    achieved_in(target, 1, 2)

    before = grants(target)
    closed = [(each.cycle.number, each.granted) for each in close_cycles(brand=target.brand, at=START + 2 * MONTH)]
    after = grants(target)

    assert before == [(1, AT_ONCE)]
    assert closed == [(1, 0), (2, 1)]
    assert after == [(1, AT_ONCE), (2, AT_END)]
    assert list(all_violations()) == []


@pytest.mark.parametrize(("cycle", "verdict"), [(1, Verdict.LEFT_REWARD_KEPT), (2, Verdict.LEFT_REWARD_FORFEITED)])
def test_leaving_forfeits_only_where_the_running_cycle_is_rewarded_at_its_end(target, cycle, verdict):
    customer = achieved_in(target, cycle)

    receipt = unenroll(customer=customer, target=target, at=START + cycle * MONTH - timedelta(days=1), **ACT)
    list(close_cycles(brand=target.brand, at=START + 3 * MONTH))

    assert receipt.running_verdict == verdict
    assert grants(target) == ([(1, AT_ONCE)] if cycle == 1 else [])


@pytest.mark.parametrize(("cycle", "is_final"), [(1, True), (2, False)])
def test_return_takes_an_achievement_away_only_where_the_cycle_is_rewarded_at_its_end(target, cycle, is_final):
    customer = achieved_in(target, cycle)
    at = START + (cycle - 1) * MONTH + timedelta(days=2)

    returned = ActivityData("r", "purchase", customer.customer_id, at, amount=Decimal(-1))
    record_activity(brand=target.brand, activity=returned, at=at)

    progress = Progress.objects.get(cycle_number=cycle)
    assert (progress.value, progress.achieved_at is not None) == (0, is_final)


def test_staff_read_which_cycles_are_rewarded_when(target, admin_client):
    customer = achieved_in(target)

    page = admin_client.get(
        f"/admin/enrollments/participation/{Participation.objects.get(customer=customer).pk}/change/"
    )

    assert "c1, c3: as soon as the target is reached; c2: when the cycle closes" in page.content.decode()


def test_target_answers_the_allocation_of_its_last_cycle_and_that_of_each(site):
    make_programme(brand=site.brand, cycles=2, allocation=[AT_ONCE, AT_END])

    (group,) = site.get("/v3/targetGroups")[1]["data"]

    (answered,) = group["targets"]
    assert answered["rewardAllocationType"] == "PERIOD_END"
    assert [each["rewardAllocationType"] for each in answered["defaultValues"]] == ["IMMEDIATE", "PERIOD_END"]
