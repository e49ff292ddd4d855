"""Everything that ever happened to a customer, newest first, a page at a time: merged by the database.

Receipts, activities with what they did (archived or not), achievements and grants, each by an index and no further than
the page needs. So a page costs the same in the first year and in the tenth, and the tenth page what the first does.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Model, Q, QuerySet

from enrollments.enums import ReceiptKind, Verdict
from enrollments.models import EveryActivity, EveryOutcome, Participation, Progress, Receipt
from rewards.models import Grant
from targets.enums import Allocation
from targets.models import Customer, Cycle
from targets.queries import as_id
from targets.wording import amount, instant

AT_ONCE = 30
MOST_OUTCOMES = 5  # said of one activity


class Kind(IntEnum):
    """Of what happened at one instant, in the order in which it did."""

    REGISTERED = 0
    ENROLLED = 1  # for the first time in that target
    ACTIVITY = 2
    ACHIEVED = 3
    GRANTED = 4
    CHANGED = 5  # all later changes of an enrolment
    ERASED = 6


class Moment(NamedTuple):
    """Where one entry stands among all of a customer. What comes next is what is less."""

    at: datetime
    kind: Kind
    pk: int

    def __str__(self) -> str:
        return f"{self.at.isoformat()}~{self.kind.value}~{self.pk}"

    @classmethod
    def read(cls, text: str) -> "Moment | None":
        """What `str` wrote; None of anything else."""
        at, _, rest = text.partition("~")
        kind, _, pk = rest.partition("~")
        try:
            said = datetime.fromisoformat(at)
            # In UTC: the database knows fewer offsets than Python does.
            found = cls(said.astimezone(UTC), Kind(as_id(kind) or 0), as_id(pk) or 0)
        except (ValueError, OverflowError):
            return None
        return found if found.pk and said.tzinfo is not None else None


@dataclass(frozen=True)
class Entry:
    """What happened, in words. `row`: where more of it is told. Where nobody in particular did it, `who` is empty."""

    moment: Moment
    what: str
    where: Participation | None = None
    details: tuple[str, ...] = ()
    who: str = ""
    door: str = ""
    why: str = ""
    row: Model | None = None

    @property
    def at(self) -> datetime:
        return self.moment.at

    @property
    def kind(self) -> str:
        return self.moment.kind.name.lower()


@dataclass(frozen=True)
class Page:
    entries: list[Entry]
    before: Moment | None  # to ask for the next page with; None on the last one


# A row of a few columns for each entry that may be on the page. The first condition is the one that an index serves.
BRANCHES = {
    "registered": """
SELECT created_at AS at, 0 AS kind, id FROM targets_customer WHERE id = %(customer)s
 UNION ALL
SELECT erased_at, 6, id FROM targets_customer WHERE id = %(customer)s AND erased_at IS NOT NULL""",
    # Of one enrolment a later receipt never has an earlier instant.
    "receipts": """
SELECT receipt.at, receipt.kind, receipt.id
  FROM enrollments_participation participation
 CROSS JOIN LATERAL (
       SELECT recorded_at AS at, CASE kind WHEN 'ENROLLED' THEN 1 ELSE 5 END AS kind, id
         FROM enrollments_receipt
        WHERE participation_id = participation.id AND recorded_at <= %(at)s
          AND (recorded_at, CASE kind WHEN 'ENROLLED' THEN 1 ELSE 5 END, id) < (%(at)s, %(kind)s, %(pk)s)
        ORDER BY id DESC LIMIT %(limit)s) receipt
 WHERE participation.customer_id = %(customer)s""",
    "achieved": """
SELECT progress.achieved_at, 3, progress.id
  FROM enrollments_participation participation
  JOIN enrollments_progress progress ON progress.participation_id = participation.id
 WHERE participation.customer_id = %(customer)s AND progress.achieved_at IS NOT NULL""",
    "grants": """
SELECT granted_at, 4, id FROM rewards_grant
 WHERE customer_id = %(customer)s AND granted_at <= %(at)s AND (granted_at, 4, id) < (%(at)s, %(kind)s, %(pk)s)
 ORDER BY granted_at DESC, id DESC LIMIT %(limit)s""",
    "activities": """
SELECT occurred_at, 2, id FROM enrollments_everyactivity
 WHERE customer_id = %(customer)s AND occurred_at <= %(at)s AND (occurred_at, 2, id) < (%(at)s, %(kind)s, %(pk)s)
 ORDER BY occurred_at DESC, id DESC LIMIT %(limit)s""",
}
MERGED = """
SELECT at, kind, id FROM ({branches}) AS merged
 WHERE (at, kind, id) < (%(at)s, %(kind)s, %(pk)s)
 ORDER BY at DESC, kind DESC, id DESC LIMIT %(limit)s
"""
# What counted first.
OUTCOMES = """
SELECT outcome.* FROM unnest(%s::bigint[]) AS of_activity (id)
 CROSS JOIN LATERAL (
       SELECT * FROM enrollments_everyoutcome WHERE activity_id = of_activity.id
        ORDER BY reason <> '', id LIMIT %s) outcome
"""
LATEST = Moment(datetime.fromisoformat("9999-12-31T00:00:00+00:00"), Kind.ERASED, 0)


def timeline(
    customer: Customer, *, before: Moment | None = None, with_activities: bool = True, at_once: int = AT_ONCE
) -> Page:
    """The `at_once` entries that come before `before`, newest first. The number of statements is the same for any."""
    names: dict[str, Any] = {**(before or LATEST)._asdict(), "customer": customer.pk, "limit": at_once + 1}
    branches = [f"({sql})" for name, sql in BRANCHES.items() if with_activities or name != "activities"]
    with connection.cursor() as cursor:
        cursor.execute(MERGED.format(branches=" UNION ALL ".join(branches)), names)
        moments = [Moment(at, Kind(kind), pk) for at, kind, pk in cursor.fetchall()]
    shown = moments[:at_once]
    return Page(_Words(customer, shown).entries(), shown[-1] if len(moments) > at_once else None)


class _Words:
    """The rows behind some moments, loaded at once, and what they say."""

    def __init__(self, customer: Customer, moments: Sequence[Moment]) -> None:
        self.customer = customer
        self.moments = moments
        self.zone = customer.brand.time_zone
        self.receipts = self._rows(
            Receipt.objects.select_related("participation__target__target_group"), Kind.ENROLLED, Kind.CHANGED
        )
        self.progress = self._rows(Progress.objects.select_related("participation__target"), Kind.ACHIEVED)
        self.grants = self._rows(Grant.objects.select_related("target", "level"), Kind.GRANTED)
        self.activities = self._rows(EveryActivity.objects.all(), Kind.ACTIVITY)
        self.outcomes: dict[int, list[EveryOutcome]] = defaultdict(list)
        if self.activities:
            for outcome in EveryOutcome.objects.raw(OUTCOMES, [list(self.activities), MOST_OUTCOMES + 1]):
                self.outcomes[outcome.activity_id].append(outcome)
        self.participations = self._participations()
        self.names = self._names_of_cycles()

    def _rows(self, rows: QuerySet[Any], *kinds: Kind) -> dict[int, Any]:
        return rows.in_bulk([moment.pk for moment in self.moments if moment.kind in kinds])

    def _participations(self) -> dict[int, Participation]:
        """Those that outcomes and grants are about, with their targets."""
        ids = {outcome.participation_id for found in self.outcomes.values() for outcome in found}
        targets = {grant.target_id for grant in self.grants.values()}
        if not ids and not targets:
            return {}
        wanted = Q(pk__in=ids) | Q(target__in=targets)
        found = Participation.objects.filter(wanted, customer=self.customer).select_related("target")
        return {each.pk: each for each in found}

    def _names_of_cycles(self) -> dict[tuple[int, int], str]:
        """By target group and number."""
        wanted: dict[int, set[int]] = defaultdict(set)
        for receipt in self.receipts.values():
            group = receipt.participation.target.target_group_id
            wanted[group] |= {receipt.from_cycle, receipt.from_cycle - 1, receipt.running_cycle or 0}
        for row in (*self.progress.values(), *(each for found in self.outcomes.values() for each in found)):
            wanted[self._where(row).target.target_group_id].add(row.cycle_number or 0)
        for grant in self.grants.values():
            wanted[grant.target.target_group_id].add(grant.cycle_number)
        if not wanted:
            return {}
        of_groups = (Q(target_group=group, number__in=numbers) for group, numbers in wanted.items())
        found = Cycle.objects.filter(reduce(or_, of_groups)).values_list("target_group", "number", "ref_code")
        return {(group, number): name for group, number, name in found}

    def _where(self, row: Progress | EveryOutcome) -> Participation:
        return row.participation if isinstance(row, Progress) else self.participations[row.participation_id]

    def _name(self, participation: Participation, number: int | None) -> str:
        return self.names.get((participation.target.target_group_id, number or 0), "")

    def entries(self) -> list[Entry]:
        return [self._entry(moment) for moment in self.moments]

    def _entry(self, moment: Moment) -> Entry:
        match moment.kind:
            case Kind.REGISTERED:
                return Entry(moment, "Registered")
            case Kind.ERASED:
                who, why = self.customer.erased_by, self.customer.erasure_reason
                return Entry(moment, "Erased", who=who, why=why)
            case Kind.ACTIVITY:
                return self._activity(moment, self.activities[moment.pk])
            case Kind.ACHIEVED:
                return self._achievement(moment, self.progress[moment.pk])
            case Kind.GRANTED:
                return self._grant(moment, self.grants[moment.pk])
            case _:
                return self._receipt(moment, self.receipts[moment.pk])

    def _receipt(self, moment: Moment, receipt: Receipt) -> Entry:
        participation = receipt.participation
        return Entry(
            moment,
            receipt.get_kind_display(),
            participation,
            tuple(self._details(receipt, participation)),
            who=receipt.actor,
            door=receipt.get_source_display(),
            why=receipt.reason,
            row=receipt,
        )

    def _details(self, receipt: Receipt, participation: Participation) -> Iterable[str]:
        first = self._name(participation, receipt.from_cycle)
        if receipt.kind in (ReceiptKind.ENROLLED, ReceiptKind.REENROLLED):
            yield f"From {first} on."
            if participation.target.target_group.is_streak and receipt.run_number > 1:
                yield f"Run {receipt.run_number}, count {receipt.streak_count}."
        elif receipt.kind == ReceiptKind.LEAVE_SCHEDULED:
            yield f"Leaves at the end of {self._name(participation, receipt.from_cycle - 1)}."
        elif receipt.kind == ReceiptKind.UNENROLLED and first:
            yield f"Left {first} and all later cycles."
        if receipt.running_verdict == Verdict.LEFT_REWARD_FORFEITED:
            yield f"The reward of {self._name(participation, receipt.running_cycle)} was forfeited."
        if receipt.undoes_id is not None:
            yield f"Takes back receipt {receipt.undoes_id}."

    def _achievement(self, moment: Moment, progress: Progress) -> Entry:
        where = progress.participation
        return Entry(moment, f"Achieved {self._name(where, progress.cycle_number)}", where, row=progress)

    def _grant(self, moment: Moment, grant: Grant) -> Entry:
        where = next((each for each in self.participations.values() if each.target_id == grant.target_id), None)
        name = self.names.get((grant.target.target_group_id, grant.cycle_number), "")
        for_what = f"For level {grant.level.name}, reached with {name}." if grant.level else f"For {name}."
        is_by_close = grant.allocation == Allocation.PERIOD_END
        return Entry(
            moment,
            f"Granted: {grant.reward_name}",
            where,
            (for_what,),
            door="When the cycle closed" if is_by_close else "At once",
            row=grant,
        )

    def _activity(self, moment: Moment, activity: EveryActivity) -> Entry:
        outcomes = self.outcomes[activity.pk]
        details = [self._outcome(each) for each in outcomes[:MOST_OUTCOMES]]
        if len(outcomes) > MOST_OUTCOMES:
            details.append("And in more programmes.")
        if activity.not_counted:
            details = [f"Not counted: {_beginning_small(activity.get_not_counted_display())}."]
        worth = [f"amount {amount(activity.amount)}"] if activity.amount is not None else []
        worth += [f"quantity {amount(activity.quantity)}"] if activity.quantity is not None else []
        if worth:
            details.insert(0, f"{', '.join(worth).capitalize()}.")
        if activity.recorded_at > activity.occurred_at:
            details.append(f"Recorded {instant(activity.recorded_at, self.zone)}.")
        return Entry(moment, f"Activity {activity.event_name}", details=tuple(details), row=activity)

    def _outcome(self, outcome: EveryOutcome) -> str:
        where = self.participations[outcome.participation_id]
        in_cycle = f", {name}" if (name := self._name(where, outcome.cycle_number)) else ""
        if outcome.reason:
            return f"{where.target}{in_cycle}: not counted: {_beginning_small(outcome.get_reason_display())}."
        sign = "+" if outcome.delta >= 0 else ""
        return f"{where.target}{in_cycle}: {sign}{amount(outcome.delta)}, then {amount(outcome.value)}."


def _beginning_small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
