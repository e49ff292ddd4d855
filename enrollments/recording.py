"""Recording many activities, each answered for itself."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.db import IntegrityError, OperationalError, connection

from enrollments.locks import lock_counting
from enrollments.operations import ActivityData, Recorded, record_activities, record_activity
from targets.clock import run_at_now
from targets.errors import StaleInstant
from targets.models import Brand
from targets.queries import LARGEST_ID


def record_each(brand: Brand, activities: Sequence[ActivityData]) -> list[Recorded]:
    """Record the activities, at the brand's now; what became of each, in the order given.

    All in one transaction. Where somebody else is in the way - a lock that takes too long, a change between the two
    instants, a customer who is being erased - each is a transaction of its own: what raises leaves those before it
    recorded. Inside a transaction of the caller (a call with an Idempotency-Key) it is all or nothing.
    """
    if len(activities) > 1:
        try:
            return run_at_now(brand, lambda at: record_activities(brand=brand, activities=activities, at=at))
        except (StaleInstant, IntegrityError, OperationalError):
            if not connection.is_usable():
                raise
    return _one_by_one(brand, activities)


def _one_by_one(brand: Brand, activities: Sequence[ActivityData]) -> list[Recorded]:
    """Inside a transaction of the caller whatever they may count in is locked first."""
    if connection.in_atomic_block and len(activities) > 1:
        customer_ids = {each.customer_id for each in activities if 0 < each.customer_id <= LARGEST_ID}
        lock_counting(brand, sorted(customer_ids), sorted({each.event_name for each in activities}))
    return [run_at_now(brand, partial(_record, brand, each)) for each in activities]


def _record(brand: Brand, activity: ActivityData, at: datetime) -> Recorded:
    return record_activity(brand=brand, activity=activity, at=at)
