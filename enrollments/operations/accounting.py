"""What every receipt says, whatever it accounts for."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from enrollments.enums import Source
from enrollments.models import Participation, Receipt, Stay
from targets.callers import current_caller
from targets.models import Cycle

MADE_BY_DATABASE = ("id", "transaction_id", "snapshot")
WRITTEN = [field for field in Receipt._meta.concrete_fields if field.name not in MADE_BY_DATABASE]


class Origin(NamedTuple):
    """Who asked for a change, when, through which door, and why."""

    at: datetime
    by: str
    source: Source
    reason: str = ""
    request_id: str = ""
    batch_id: UUID | None = None


def account_fields(
    origin: Origin,
    *,
    participation: Participation,
    stay: Stay,
    streak_count: int,
    running: Cycle,
) -> dict[str, Any]:
    """The fields of a receipt that do not depend on its kind. `running`: the cycle running at `at`, or the next,
    with its group as read under the shared calendar.
    """
    caller = current_caller()
    return {
        "brand_id": participation.brand_id,
        "participation": participation,
        "stay": stay,
        "batch_id": origin.batch_id,
        "effective_at": origin.at,
        "recorded_at": origin.at,
        "source": origin.source,
        "actor": origin.by,
        "reason": origin.reason,
        "request_id": origin.request_id,
        "address": caller.address,
        "credential": caller.credential,
        "run_number": stay.run_number,
        "streak_count": streak_count,
        "cycle_count": running.target_group.cycle_count,
        "programme_version": running.target_group.version,
        "first_cycle": stay.first_cycle,
        "running_cycle": running.number,
        "anchored_at": participation.anchored_at,
    }
