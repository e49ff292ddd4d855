"""Many activities in one call are recorded just as one after the other (domain.md 6)."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
from random import Random

import pytest
from hypothesis import Phase

from enrollments.enums import Effective, Source
from enrollments.operations import (
    ActivityData,
    Recorded,
    enroll,
    record_activities,
    record_activity,
    set_target_active,
    unenroll,
)
from targets.enums import Allocation, EvaluationType, FrequencyType, Kpi, TrackingType
from targets.models import Brand, Target
from tests.factories import START, BrandFactory, CustomerFactory, make_programme, own_rewards
from tests.properties.delivering import Delivering, taken_back
from tests.properties.test_histories import Histories, PersonalHistories, play

pytestmark = pytest.mark.django_db

ACT = {"by": "test", "source": Source.API}
DAY = timedelta(days=1)
NOW = START + 62 * DAY  # the third cycle has begun, and the first two still accept activity
ACTIVITIES = 25
KINDS = (
    {"late_days": 40, "target_value": Decimal(2)},
    {"late_days": 40, "kpi": Kpi.SALES, "allocation": Allocation.PERIOD_END, "target_value": Decimal(5)},
    {"late_days": 40, "kpi": Kpi.VISIT, "target_value": Decimal(2), "time_zone": "Asia/Kolkata"},
    {"late_days": 40, "tracking_type": TrackingType.STREAKS, "levels": (1, 2, 3), "target_value": Decimal(1)},
    {"late_days": 40, "tracking_type": TrackingType.NON_CONTINUOUS_STREAKS, "levels": (2,), "target_value": Decimal(1)},
    {"kpi": Kpi.QUANTITY, "counts_before_enrolment": False, "event_name": ""},
    {"window": EvaluationType.CYCLIC_WINDOW, "length": (FrequencyType.CUSTOM, 3), "target_value": Decimal(2)},
    {"window": EvaluationType.PERIOD_AGNOSTIC_WINDOW, "target_value": Decimal(2)},
)


def test_what_is_recorded_together_is_as_if_recorded_one_by_one():
    compare(batches=2)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_what_is_recorded_together_is_as_if_recorded_one_by_one_in_many_more_batches():
    compare(batches=200)


def compare(*, batches: int) -> None:
    brand, random = a_brand(), Random(1)
    before = deliveries(random, "b")[:8]
    record_activities(brand=brand, activities=before, at=NOW - DAY)

    for _ in range(batches):
        batch = deliveries(random, "e")
        batch += random.sample(before, 3) + random.sample(batch, 3)
        one_by_one = taken_back(brand, partial(one_after_the_other, brand, batch))
        together = taken_back(brand, partial(record_activities, brand=brand, activities=batch, at=NOW))

        assert together == one_by_one
        assert len(together.told) == ACTIVITIES + 6


def one_after_the_other(brand: Brand, batch: list[ActivityData]) -> list[Recorded]:
    return [record_activity(brand=brand, activity=each, at=NOW) for each in batch]


def a_brand() -> Brand:
    """Four customers in programmes of all kinds: there from the start; gone; come back, anew, and as scheduled."""
    brand = BrandFactory(sandbox=True, clock_at=NOW)
    targets = [make_programme(brand=brand, **kind) for kind in KINDS]
    own_rewards(targets[0])
    members = [CustomerFactory(brand=brand, customer_id=number) for number in range(1, 5)]
    for target in targets:
        for member in members:
            enroll(customer=member, target=target, at=START, initial_balance=Decimal(1), **ACT)
        come_and_go(target, members)
    frozen = make_programme(brand=brand)
    enroll(customer=members[0], target=frozen, at=START, **ACT)
    set_target_active(target=frozen, is_active=False, at=NOW - DAY, by="test")
    return brand


def come_and_go(target: Target, members: list) -> None:
    _, gone, anew, as_scheduled = members
    unenroll(customer=gone, target=target, at=START + 40 * DAY, **ACT)
    unenroll(customer=anew, target=target, at=START + 20 * DAY, **ACT)
    enroll(customer=anew, target=target, at=START + 32 * DAY, reset_streak=True, **ACT)
    if not target.target_group.has_own_calendars:
        effective = Effective.END_OF_CYCLE
        unenroll(customer=as_scheduled, target=target, at=START + 20 * DAY, effective=effective, **ACT)
        enroll(customer=as_scheduled, target=target, at=START + 35 * DAY, **ACT)


def deliveries(random: Random, prefix: str) -> list[ActivityData]:
    """Mostly sales of known customers in the cycles that are open; some events have the same id."""
    return [
        ActivityData(
            event_id=f"{prefix}{random.randrange(2 * ACTIVITIES)}",
            event_name=random.choice(("purchase",) * 5 + ("return",)),
            customer_id=random.choice((1, 1, 1, 2, 3, 3, 4, 4, 9)),
            occurred_at=START + random.choice((1, 25, 31, 33, 50, 61, 61.5, 61.9, 70)) * DAY,
            amount=random.choice((Decimal(1), Decimal("2.5"), Decimal(6), Decimal(-4), None)),
            quantity=random.choice((Decimal(1), Decimal(-1), None)),
        )
        for _ in range(ACTIVITIES)
    ]


class DeliveringHistories(Delivering, Histories):
    pass


class PersonalDeliveringHistories(Delivering, PersonalHistories):
    pass


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("histories", [DeliveringHistories, PersonalDeliveringHistories])
def test_what_is_recorded_together_is_as_if_recorded_one_by_one_in_random_histories(database, histories):
    for seed in range(1, 11):
        play(seed, histories, phases=(Phase.generate,))
