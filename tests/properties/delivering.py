"""Many activities in one call are recorded just as one after the other, whatever has happened before (domain.md 6)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import rule

from enrollments.models import Activity, ActivityOutcome, Participation, Progress, Stay
from enrollments.operations import ActivityData, Recorded, record_activities, record_activity
from rewards.models import Grant
from targets.errors import StaleInstant
from targets.models import Brand
from tests.properties.edited_world import EditedWorld
from tests.properties.strategies import ATTRIBUTE, DAY, EVENT_NAMES, NEAR
from tests.properties.test_histories import AMOUNTS, EARLY

NOBODY = 999_999
MADE_BY_DATABASE = ("id", "transaction_id", "activity_id", "grant_ids")

DELIVERED = st.lists(
    st.tuples(
        st.integers(0, 4),  # customers; beyond the last one, nobody
        st.integers(0, 9),  # event id: mostly new, else of this call or an earlier one
        st.sampled_from(EVENT_NAMES),
        AMOUNTS,
        st.sampled_from((timedelta(0),) * 4 + (-DAY, DAY, -2 * DAY, timedelta(minutes=5), timedelta(minutes=6))),
        NEAR,
    ),
    min_size=2,
    max_size=8,
)


class After(NamedTuple):
    """What was said and all that recording may touch, whatever ids new rows have."""

    told: list[tuple[Any, ...]] | str
    rows: tuple[list[Any], ...]


class Delivering:
    """After any step several activities are delivered, once one by one and once together, and both are taken back."""

    world: EditedWorld

    @rule(delivered=DELIVERED, early=EARLY)
    def record_together(self, delivered: list[tuple[Any, ...]], early: timedelta) -> None:
        brand = Brand.objects.get(pk=self.world.brand.pk)
        numbers = [each.customer_id for each in self.world.customers] + [NOBODY]
        activities = [
            ActivityData(
                event_id=f"e{number}" if number < 2 else f"m{number}",
                event_name=name,
                customer_id=numbers[who % len(numbers)],
                occurred_at=self.world.now + off + near,
                amount=amount,
                quantity=Decimal(-1) if amount is None and off else amount,
                attributes={} if off else {ATTRIBUTE: "many" if amount is None else amount},
            )
            for who, number, name, amount, off, near in delivered
        ]
        at = self.world.now - early

        one_by_one = taken_back(
            brand, lambda: [record_activity(brand=brand, activity=each, at=at) for each in activities]
        )
        together = taken_back(brand, lambda: record_activities(brand=brand, activities=activities, at=at))

        assert together == one_by_one


def taken_back(brand: Brand, record: Callable[[], list[Recorded]]) -> After:
    with transaction.atomic():
        told: list[tuple[Any, ...]] | str
        try:
            told = [said(each) for each in record()]
        except StaleInstant as refusal:
            told = str(refusal)
        else:
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        of_brand = {"participation__brand": brand}
        after = After(
            told,
            (
                list(Activity.objects.filter(brand=brand).order_by("pk").values_list("event_id", "not_counted"))
                if isinstance(told, list)
                else [],
                rows(ActivityOutcome.objects.filter(**of_brand).order_by("activity__event_id", "participation"), told),
                rows(Progress.objects.filter(**of_brand).order_by("participation", "run_number", "cycle_number"), told),
                rows(
                    Grant.objects.filter(brand=brand).order_by(
                        "customer", "target", "run_number", "cycle_number", "level"
                    ),
                    told,
                ),
                rows(Participation.objects.filter(brand=brand).order_by("pk"), told),
                rows(Stay.objects.filter(**of_brand).order_by("pk"), told),
            ),
        )
        transaction.set_rollback(True)
    return after


def said(recorded: Recorded) -> tuple[Any, ...]:
    grants = {grant.pk: grant for grant in Grant.objects.all()}
    outcomes = [
        (
            each.participation_id,
            each.run_number,
            each.cycle_number,
            str(each.reason),
            each.delta,
            each.value,
            each.achieved,
            [(grants[pk].cycle_number, grants[pk].level_id, grants[pk].reward_id) for pk in each.grant_ids],
        )
        for each in recorded.outcomes
    ]
    return recorded.event_id, outcomes, recorded.not_counted, recorded.is_duplicate


def rows(found: Any, told: object) -> list[dict[str, Any]]:
    """Of a refusal nothing: one by one some may have been recorded before it."""
    if isinstance(told, str):
        return []
    return [{name: value for name, value in row.items() if name not in MADE_BY_DATABASE} for row in found.values()]
