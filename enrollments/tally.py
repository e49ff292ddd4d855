"""How many are members, joined and left: what `tally_changes` has counted, and what is newer."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from enrollments.operations.tallying import CHANGES, PER_DAY
from targets.models import Brand

MOST_NEW = 500

# One statement, so one snapshot: what is counted meanwhile is neither missed nor seen twice.
TALLY = f"""
WITH position AS MATERIALIZED (
       SELECT coalesce(max(transaction_id), 0) AS transaction_id, coalesce(max(receipt_id), 0) AS receipt_id
         FROM enrollments_tallyposition WHERE brand_id = %(brand)s),
     changes AS MATERIALIZED ({
    CHANGES.format(
        transaction="(SELECT transaction_id FROM position)",
        receipt="(SELECT receipt_id FROM position)",
        condition="true",
    )
}),
     every AS (
       SELECT target_id, day, joined, departed, taken_back, forfeited
         FROM enrollments_dailychanges JOIN targets_target target ON target.id = target_id
        WHERE target.brand_id = %(brand)s
       UNION ALL {PER_DAY})
SELECT target_id, day, sum(joined)::bigint, sum(departed)::bigint, sum(taken_back)::bigint, sum(forfeited)::bigint,
       (SELECT count(*) FROM changes), (SELECT max(recorded_at) FROM changes)
  FROM every
 GROUP BY GROUPING SETS ((target_id), (target_id, day))
HAVING grouping(day) = 1 OR day >= %(since)s
"""  # noqa: S608 - put together from constants


@dataclass(frozen=True)
class Changes:
    """How many joined, left (or have their leave scheduled), came back because that was undone or cancelled, and had a
    reward forfeited by leaving."""

    joined: int = 0
    departed: int = 0
    taken_back: int = 0
    forfeited: int = 0

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(
            self.joined + other.joined,
            self.departed + other.departed,
            self.taken_back + other.taken_back,
            self.forfeited + other.forfeited,
        )


@dataclass(frozen=True)
class Tally:
    """Of a brand. `members`: of each target, those enrolled with no leave decided.

    `behind_since`: so much is new that the rest, from then on, waits for the closing job to count it.
    """

    by_day: Mapping[date, Changes]
    members: Mapping[int, int]
    behind_since: datetime | None


def tally(brand: Brand, since: date) -> Tally:
    """The changes of each day of the brand's calendar from `since` on, and all members, in one statement.

    What is newer than the last count is read on the spot, `MOST_NEW` receipts at most.
    """
    wanted: dict[str, int | str | date] = {
        "brand": brand.pk,
        "zone": brand.time_zone,
        "at_once": MOST_NEW + 1,
        "since": since,
    }
    by_day: dict[date, Changes] = defaultdict(Changes)
    members: dict[int, int] = {}
    behind_since = None
    with connection.cursor() as cursor:
        cursor.execute(TALLY, wanted)
        for target_id, day, *numbers, new, newest in cursor.fetchall():
            changes = Changes(*numbers)
            if day is None:
                members[target_id] = changes.joined + changes.taken_back - changes.departed
            else:
                by_day[day] += changes
            behind_since = newest if new > MOST_NEW else None
    return Tally(by_day, members, behind_since)
