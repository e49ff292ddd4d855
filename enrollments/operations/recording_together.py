"""The set-based twin of `record_activity`, for many activities in one call (domain.md 6)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

import simplejson
from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from enrollments.enums import NotCounted
from enrollments.locks import share_calendar
from enrollments.measuring import measure
from enrollments.models import (
    Activity,
    ActivityOutcome,
    ArchivedActivity,
    EveryActivity,
    EveryOutcome,
    Participation,
    Progress,
    Stay,
)
from enrollments.operations import recording_statements as sql
from enrollments.operations.activity import ActivityData, Outcome, Recorded, is_known_event, is_same
from enrollments.operations.counting import count_activity, left_by, see_who_is_active, why_not_counted
from enrollments.operations.granting import judge
from enrollments.operations.granting_together import Achievement, give
from enrollments.operations.recording_statements import array_of
from targets.enums import Kpi
from targets.errors import StaleInstant
from targets.matching import matches
from targets.models import Brand, Cycle, Target, TargetValue
from targets.queries import LARGEST_ID
from targets.rows import Row


@dataclass
class _New:
    """An event that is delivered for the first time in this call. Without `pk` it was stored before."""

    activity: ActivityData
    customer_id: int
    pk: int = 0
    outcomes: list[ActivityOutcome | Outcome] = field(default_factory=list)
    not_counted: NotCounted | None = None

    def recorded(self, *, is_duplicate: bool = False) -> Recorded:
        return Recorded(self.activity.event_id, tuple(self.outcomes), self.not_counted, is_duplicate)


def record_activities(*, brand: Brand, activities: Sequence[ActivityData], at: datetime) -> list[Recorded]:
    """Record the activities just as `record_activity` does one after the other at the same instant.

    In one transaction, and in a constant number of statements, but for customers whose calendar is their own, who are
    in a later run, or who returned from a scheduled leave: what they do is counted activity by activity. What became
    of each, in the order given. Raises `StaleInstant`; `IntegrityError` where a customer was erased meanwhile: then
    nothing is recorded, and `record_activity` is to be asked for each.
    """
    numbers = {each.customer_id for each in activities if 0 < each.customer_id <= LARGEST_ID}
    with connection.cursor() as cursor:
        cursor.execute(sql.FIND, {"brand": brand.pk, "numbers": list(numbers)})
        customers: dict[int, int] = dict(cursor.fetchall())
    events: dict[str, _New] = {}
    for each in activities:
        if each.customer_id in customers and each.event_id not in events:
            events[each.event_id] = _New(each, customers[each.customer_id])
    try:
        stored_before = _record(brand, events, at)
    except IntegrityError as error:
        if not is_known_event(error):
            raise
        # Some were sent again after they had been archived, which is rare: nobody else looks for them beforehand.
        archived = ArchivedActivity.objects.filter(brand=brand, event_id__in=list(events))
        stored_before = _record(brand, events, at, set(archived.values_list("event_id", flat=True)))
    recorded, told = [], set()
    for each in activities:
        customer_id = customers.get(each.customer_id)
        if customer_id is None:
            recorded.append(Recorded(each.event_id, not_counted=NotCounted.UNKNOWN_CUSTOMER))
            continue
        event = events[each.event_id]
        if event.pk and each.event_id not in told:
            told.add(each.event_id)
            recorded.append(event.recorded())
            continue
        first, first_recorded = stored_before.get(each.event_id) or (event, event.recorded(is_duplicate=True))
        content = first.activity if isinstance(first, _New) else first
        if first.customer_id == customer_id and is_same(content, each):
            recorded.append(first_recorded)
        else:
            recorded.append(Recorded(each.event_id, not_counted=NotCounted.EVENT_ID_CONFLICT))
    return recorded


def _record(
    brand: Brand, events: dict[str, _New], at: datetime, archived: Collection[str] = ()
) -> dict[str, tuple[EveryActivity, Recorded]]:
    """Store and count what is new; what was said of the others. Raises `IntegrityError` if some that are not in
    `archived` are: then nothing is recorded.
    """
    with transaction.atomic():
        _store(brand, [each for event_id, each in events.items() if event_id not in archived], at)
        _count(brand, [each for each in events.values() if each.pk], at)
        return _stored_before(brand, [event_id for event_id, each in events.items() if not each.pk])


def _store(brand: Brand, events: list[_New], at: datetime) -> None:
    """Give each its number; those that are there already get none. Waits for simultaneous deliveries to end."""
    rows = [
        {
            "customer": each.customer_id,
            "event_id": each.activity.event_id,
            "event_name": each.activity.event_name,
            "occurred_at": each.activity.occurred_at.isoformat(),
            "amount": each.activity.amount,
            "quantity": each.activity.quantity,
            "attributes": dict(each.activity.attributes),
        }
        for each in events
    ]
    content = simplejson.dumps(rows, use_decimal=True, allow_nan=False)
    with connection.cursor() as cursor:
        cursor.execute(sql.STORE, {"brand": brand.pk, "at": at, "activities": content})
        numbers = dict(cursor.fetchall())
    for each in events:
        each.pk = numbers.get(each.activity.event_id, 0)


def _stored_before(brand: Brand, event_ids: list[str]) -> dict[str, tuple[EveryActivity, Recorded]]:
    """The first delivery of each event, and what is said when it is sent again."""
    if not event_ids:
        return {}
    activities = list(EveryActivity.objects.filter(brand=brand, event_id__in=event_ids))
    outcomes: dict[int, list[EveryOutcome]] = defaultdict(list)
    found = EveryOutcome.objects.filter(activity__in=activities).select_related("participation")
    for outcome in found.order_by("participation"):
        outcomes[outcome.activity_id].append(outcome)
    return {
        each.event_id: (
            each,
            Recorded(
                each.event_id,
                tuple(outcomes[each.pk]),
                NotCounted(each.not_counted) if each.not_counted else None,
                is_duplicate=True,
            ),
        )
        for each in activities
    }


def _count(brand: Brand, events: list[_New], at: datetime) -> None:
    """Count the stored events where they count, in the order given, and give what that achieves."""
    if not events:
        return
    names = {each.activity.event_name for each in events}
    counting = Target.objects.select_related("target_group").filter(
        Q(event_name__in=names) | Q(event_name=""), brand=brand
    )
    targets = {target.pk: target for target in counting}
    participations = _lock(targets, events)
    matching = [
        [
            each
            for each in participations[event.customer_id]
            if each.target.event_name in ("", event.activity.event_name)
            and matches(each.target.match, event.activity.attributes)
        ]
        for event in events
    ]
    matched = {each.pk: each for each in chain.from_iterable(matching)}
    if any(participation.changed_at > at for participation in matched.values()):
        raise StaleInstant(at)
    # In one order, all before anything is read: see record_activity.
    for group_id in sorted({each.target.target_group_id for each in matched.values()}):
        share_calendar(group_id)
    see_who_is_active(list({each.target_id: each for each in matched.values()}.values()))
    count = _Count(brand, at, list(matched.values()), [each.activity for each in events])
    for event, his in zip(events, matching, strict=True):
        event.outcomes = [count.outcome(event, participation) for participation in his]
    count.save()
    _pass_over(targets.values(), [event for event, his in zip(events, matching, strict=True) if not his])


def _lock(targets: dict[int, Target], events: list[_New]) -> dict[int, list[Participation]]:
    """The participations in these targets by customer, locked in order of their ids."""
    locked: dict[int, list[Participation]] = defaultdict(list)
    names = {"customers": list({each.customer_id: each for each in events}), "targets": list(targets)}
    with connection.cursor() as cursor:
        cursor.execute(sql.LOCK, names)
        found = [Row(row).take(Participation) for row in cursor.fetchall()]
    for participation in found:
        participation.target = targets[participation.target_id]
        locked[participation.customer_id].append(participation)
    return locked


def _pass_over(targets: Iterable[Target], events: list[_New]) -> None:
    """Say why an event counted for no target at all."""
    if not events:
        return
    for event in events:
        name, attributes = event.activity.event_name, event.activity.attributes
        exists = any(each.event_name in ("", name) and matches(each.match, attributes) for each in targets)
        event.not_counted = NotCounted.NOT_ENROLLED if exists else NotCounted.NO_TARGET
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SAY_WHY_NOT,
            {
                "activities": array_of(each.pk for each in events),
                "reasons": array_of(each.not_counted for each in events),
            },
        )


class _Count:
    """Counting in locked participations whose calendars are shared: loads, counts in memory, and saves at the end."""

    def __init__(
        self, brand: Brand, at: datetime, participations: list[Participation], activities: list[ActivityData]
    ) -> None:
        self.brand = brand
        self.at = at
        self.stays: dict[int, list[Stay]] = defaultdict(list)
        with connection.cursor() as cursor:
            cursor.execute(sql.STAYS, {"participations": [each.pk for each in participations]})
            for row in cursor.fetchall():
                stay = Row(row).take(Stay)
                self.stays[stay.participation_id].append(stay)
        self.simple = {each.pk for each in participations if self._is_simple(each)}
        simple = [each for each in participations if each.pk in self.simple]

        instants = [each.occurred_at for each in activities]
        values = TargetValue.objects.select_related("cycle").filter(
            target__in={each.target_id for each in simple},
            cycle__starts_at__lte=max(instants),
            cycle__ends_at__gt=min(instants),
        )
        self.target_values = {(each.target_id, each.cycle_id): each for each in values}
        # Of each target: its cycles, of which each has a value.
        self.cycles: dict[int, list[Cycle]] = defaultdict(list)
        for each in self.target_values.values():
            self.cycles[each.target_id].append(each.cycle)
        found = list(chain.from_iterable(self.cycles.values()))
        names = {"participations": [each.pk for each in simple], "cycles": list({cycle.number for cycle in found})}
        with connection.cursor() as cursor:
            cursor.execute(sql.PROGRESS, names)
            rows = [Row(row).take(Progress) for row in cursor.fetchall()]
        self.progress: dict[tuple[int, int], Progress] = {(row.participation_id, row.cycle_number): row for row in rows}
        self.visits = self._visits([each for each in simple if each.target.kpi == Kpi.VISIT], instants)
        self.reached: dict[tuple[int, int], Progress] = {}
        self.outcomes: list[Outcome] = []
        self.achievements: list[tuple[Achievement, Outcome]] = []

    def _is_simple(self, participation: Participation) -> bool:
        """Whether all that decides is loaded here: see `record_activities`."""
        stays = self.stays[participation.pk]
        return (
            not participation.target.target_group.has_own_calendars
            and stays[-1].run_number == 1  # runs only ever follow each other
            and (len(stays) == 1 or all(stay.leaves_after is None for stay in stays[:-1]))
        )

    def _visits(
        self, participations: list[Participation], instants: list[datetime]
    ) -> set[tuple[int, int | None, date | None]]:
        """The days that have counted, by participation and cycle."""
        if not participations:
            return set()
        days = (min(instants).date() - timedelta(days=1), max(instants).date() + timedelta(days=1))
        visits = ActivityOutcome.objects.filter(participation__in=participations, run_number=1, visit_on__range=days)
        return set(visits.values_list("participation", "cycle_number", "visit_on"))

    def outcome(self, event: _New, participation: Participation) -> ActivityOutcome | Outcome:
        """The twin of `count_activity`."""
        if participation.pk not in self.simple:
            return self._apply(event, participation)
        stays = self.stays[participation.pk]
        cycle = self._cycle(participation, event.activity.occurred_at)
        stay = next((stay for stay in stays if cycle is not None and stay.covers(cycle.number)), None)
        progress = self.progress.get((participation.pk, cycle.number)) if cycle is not None and stay else None
        reason = why_not_counted(
            event.activity, participation, self.brand, cycle, stay, stays, progress, self.at, is_anchor=False
        )
        measured = None
        if reason is None and cycle is not None:
            days = self.visits
            measured = measure(
                participation.target,
                event.activity,
                lambda day: (participation.pk, cycle.number, day) in days,
            )
            reason = NotCounted.NO_NUMBER if measured is None else None
        if measured is None or cycle is None or stay is None:
            outcome = Outcome(
                event.pk,
                participation,
                stay.run_number if stay else None,
                cycle.number if cycle else None,
                reason or NotCounted.NOT_ENROLLED,
                left_by_id=left_by(cycle, stays) if reason == NotCounted.NOT_ENROLLED else None,
            )
            self.outcomes.append(outcome)
            return outcome

        if progress is None:
            progress = Progress(participation_id=participation.pk, run_number=1, cycle_number=cycle.number)
            progress.value = Decimal(0)
            self.progress[participation.pk, cycle.number] = progress
        self.reached[participation.pk, cycle.number] = progress
        progress.value += measured.delta
        if measured.visit_on is not None:
            self.visits.add((participation.pk, cycle.number, measured.visit_on))
        is_due = judge(progress, self.target_values[participation.target_id, cycle.pk], self.at)
        outcome = Outcome(
            event.pk,
            participation,
            run_number=1,
            cycle_number=cycle.number,
            delta=measured.delta,
            visit_on=measured.visit_on,
            value=progress.value,
            achieved=progress.achieved_at is not None,
        )
        self.outcomes.append(outcome)
        if is_due:
            self.achievements.append((Achievement(participation, cycle.pk, cycle.number, stays), outcome))
        return outcome

    def _apply(self, event: _New, participation: Participation) -> ActivityOutcome:
        details = event.activity
        stored = Activity(
            pk=event.pk,
            brand=self.brand,
            customer_id=event.customer_id,
            event_id=details.event_id,
            event_name=details.event_name,
            occurred_at=details.occurred_at,
            amount=details.amount,
            quantity=details.quantity,
            attributes=dict(details.attributes),
            recorded_at=self.at,
        )
        return count_activity(stored, participation, self.brand, self.at)

    def _cycle(self, participation: Participation, occurred_at: datetime) -> Cycle | None:
        cycles = self.cycles[participation.target_id]
        return next((each for each in cycles if each.has_begun(occurred_at) and not each.has_ended(occurred_at)), None)

    def save(self) -> None:
        give([achievement for achievement, _ in self.achievements], self.at)
        for achievement, outcome in self.achievements:
            outcome.grant_ids = achievement.grant_ids
        if not self.outcomes:
            return
        reached = self.reached.values()
        names: dict[str, Any] = {
            "at": self.at,
            "reached": array_of(each.participation_id for each in reached),
            "reached_cycles": array_of(each.cycle_number for each in reached),
            "reached_values": array_of(each.value for each in reached),
            "reached_at": array_of(each.achieved_at for each in reached),
            "activities": array_of(each.activity_id for each in self.outcomes),
            "participations": array_of(each.participation.pk for each in self.outcomes),
            "runs": array_of(each.run_number for each in self.outcomes),
            "cycles": array_of(each.cycle_number for each in self.outcomes),
            "reasons": array_of(each.reason for each in self.outcomes),
            "deltas": array_of(each.delta for each in self.outcomes),
            "visits": array_of(each.visit_on for each in self.outcomes),
            "values": array_of(each.value for each in self.outcomes),
            "achieved": array_of(each.achieved for each in self.outcomes),
            "grants": array_of(f"{{{','.join(map(str, each.grant_ids))}}}" for each in self.outcomes),
            "leaves": array_of(each.left_by_id for each in self.outcomes),
        }
        with connection.cursor() as cursor:
            cursor.execute(sql.SAVE, names)
