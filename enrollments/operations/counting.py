"""Counting an activity in one participation, or saying why it does not count (domain.md 6)."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise

from django.db.models import Max

from enrollments.calendars import CyclicCalendar, filled, has_begun, own_calendar
from enrollments.enums import NotCounted
from enrollments.measuring import Event, measure
from enrollments.models import Activity, ActivityOutcome, Participation, Progress, Run, Stay
from enrollments.operations.granting import settle
from enrollments.queries import out_since
from targets.calendar import LATEST_YEAR
from targets.enums import EvaluationType
from targets.models import Brand, Cycle, Target, TargetValue

AHEAD_OF_NOW = timedelta(minutes=5)


def see_who_is_active(participations: list[Participation]) -> None:
    """Look again now that the calendars are shared: a group or target may have been frozen while we waited."""
    ids = [participation.target_id for participation in participations]
    active = set(
        Target.objects.filter(pk__in=ids, is_active=True, target_group__is_active=True).values_list("pk", flat=True)
    )
    for participation in participations:
        participation.target.is_active = participation.target_id in active


def count_activity(activity: Activity, participation: Participation, brand: Brand, at: datetime) -> ActivityOutcome:
    """Count the activity in one participation, or find why not, and store that outcome.

    The caller has locked the participation, shares its calendar, and has seen whether its target is active.
    """
    outcome = _count(activity, participation, brand, at)
    outcome.save(force_insert=True)
    return outcome


def count_again(first: ActivityOutcome, participation: Participation, brand: Brand, at: datetime) -> bool:
    """Count an activity that did not count only because of a leave that is being undone; whether it counts now.

    Judged as of its arrival, as if he had been a member then; what it achieves is achieved, and given, at `at`. If it
    does not count, its first outcome stays as it is. The caller has locked the participation, shares its calendar, and
    has put the stay back.
    """
    outcome = _count(first.activity, participation, brand, at, first=first)
    if outcome.reason:
        return False
    outcome.pk, outcome.left_by_id = first.pk, first.left_by_id
    outcome.save(force_update=True)
    first.grant_ids = outcome.grant_ids
    return True


def _count(
    activity: Activity,
    participation: Participation,
    brand: Brand,
    at: datetime,
    *,
    first: ActivityOutcome | None = None,
) -> ActivityOutcome:
    """The outcome, which is not saved yet. `first`: see `count_again`."""
    target = participation.target
    arrived_at = at if first is None else activity.recorded_at
    stays = list(Stay.objects.filter(participation=participation))
    is_anchor = _is_anchor(activity, participation, stays)
    cycle = _find_cycle(activity, participation, stays, is_anchor=is_anchor, first=first)
    stay = next((stay for stay in stays if cycle is not None and stay.covers(cycle.number)), None)
    progress = None
    if cycle is not None and stay is not None:
        progress = Progress.objects.filter(
            participation=participation, run_number=stay.run_number, cycle_number=cycle.number
        ).first()

    reason = why_not_counted(
        activity, participation, brand, cycle, stay, stays, progress, arrived_at, is_anchor=is_anchor
    )
    measured = None
    if reason is None and cycle is not None and stay is not None:
        measured = measure(target, activity, partial(_was_visited, participation, stay.run_number, cycle.number))
        reason = NotCounted.NO_NUMBER if measured is None else None
    if measured is None or cycle is None or stay is None:
        return ActivityOutcome(
            activity=activity,
            participation=participation,
            run_number=stay.run_number if stay else None,
            cycle_number=cycle.number if cycle else None,
            reason=reason or NotCounted.NOT_ENROLLED,
            left_by_id=left_by(cycle, stays) if reason == NotCounted.NOT_ENROLLED else None,
        )

    progress = progress or Progress(
        participation=participation, run_number=stay.run_number, cycle_number=cycle.number, value=Decimal(0)
    )
    progress.value += measured.delta
    was_achieved = progress.achieved_at is not None
    grants = settle(
        participation=participation,
        target=target,
        progress=progress,
        target_value=TargetValue.objects.get(target=target, cycle=cycle),
        stays=stays,
        at=at,
    )
    participation.changed_at = at
    changed = ["changed_at"]
    if is_anchor:
        participation.anchored_at, participation.closes_next_at = activity.occurred_at, cycle.closes_at
        changed += ["anchored_at", "closes_next_at"]
        _tell_end(stay, cycle.ends_at)
    elif cycle.ends_at is None and progress.achieved_at is not None and not was_achieved:
        _tell_end(stay, at)
    participation.save(update_fields=changed)
    return ActivityOutcome(
        activity=activity,
        participation=participation,
        run_number=stay.run_number,
        cycle_number=cycle.number,
        delta=measured.delta,
        visit_on=measured.visit_on,
        value=progress.value,
        achieved=progress.achieved_at is not None,
        grant_ids=[grant.pk for grant in grants],
    )


def why_not_counted(
    activity: Event,
    participation: Participation,
    brand: Brand,
    cycle: Cycle | None,
    stay: Stay | None,
    stays: list[Stay],
    progress: Progress | None,
    at: datetime,
    *,
    is_anchor: bool,
) -> NotCounted | None:
    """The first reason that applies, else None (domain.md 6)."""
    occurred_at = activity.occurred_at
    target = participation.target
    if not target.is_active:  # nor its group: see_who_is_active
        return NotCounted.TARGET_INACTIVE
    if cycle is None:
        return NotCounted.NO_CYCLE
    if stay is None:
        return NotCounted.NOT_ENROLLED
    if not has_begun(cycle, target.target_group, at):
        return NotCounted.CYCLE_NOT_BEGUN
    if cycle.is_closed(at):
        return NotCounted.CYCLE_CLOSED
    is_any_instant_fine = brand.sandbox and not cycle.has_ended(at) and not is_anchor
    if occurred_at > at + AHEAD_OF_NOW and not is_any_instant_fine:
        return NotCounted.IN_FUTURE
    if _was_away(occurred_at, stays, target):
        return NotCounted.WHILE_AWAY
    balance_at = _last_balance_at(participation, stay, progress)
    if balance_at is not None and occurred_at < balance_at:
        return NotCounted.BEFORE_ENROLMENT
    if _was_before_run(occurred_at, participation, stay):
        return NotCounted.BEFORE_ENROLMENT
    return None


def left_by(cycle: Cycle | None, stays: list[Stay]) -> int | None:
    """The receipt of the leave but for which he had been a member of the cycle, which no stay covers."""
    last = stays[-1] if stays else None
    if cycle is None or last is None or cycle.number < last.first_cycle:
        return None
    return last.leave_receipt_id


def _is_anchor(activity: Activity, participation: Participation, stays: list[Stay]) -> bool:
    """Whether the activity, if it counts, begins his own calendar: the first one since he enrolled (domain.md 10)."""
    is_cyclic = participation.target.target_group.evaluation_type == EvaluationType.CYCLIC_WINDOW
    return (
        is_cyclic
        and participation.anchored_at is None
        and activity.occurred_at.year <= LATEST_YEAR  # its last cycle must end in years that can be counted
        and any(stay.covers(1) and stay.enrolled_at <= activity.occurred_at for stay in stays)
    )


def _find_cycle(
    activity: Activity,
    participation: Participation,
    stays: list[Stay],
    *,
    is_anchor: bool,
    first: ActivityOutcome | None,
) -> Cycle | None:
    """The cycle in which the activity would count: in a calendar of his own with his instants.

    In a calendar for everybody what has arrived stays in its cycle, though an edit may have moved its end since.
    """
    group = participation.target.target_group
    occurred_at = activity.occurred_at
    cycles = Cycle.objects.filter(target_group=group)
    if first is not None and not group.has_own_calendars:
        return cycles.get(number=first.cycle_number or 0)
    if not group.has_own_calendars:
        return cycles.filter(starts_at__lte=occurred_at, ends_at__gt=occurred_at).first()
    calendar = CyclicCalendar(group, occurred_at) if is_anchor else own_calendar(group, participation)
    number = calendar.containing(occurred_at)
    is_waiting = isinstance(calendar, CyclicCalendar) and calendar.anchored_at is None
    if is_waiting and not any(stay.covers(1) for stay in stays):
        number = 1  # that is what he is no member of
    found = cycles.filter(number=number or 0).first()
    return None if found is None else filled(found, calendar)


def _tell_end(stay: Stay, ends_at: datetime | None) -> None:
    """A scheduled leave from a calendar of his own takes effect at an instant that has just become known."""
    if stay.leaves_after is not None:
        Stay.objects.filter(pk=stay.pk).update(leaves_at=ends_at)


def _was_away(occurred_at: datetime, stays: list[Stay], target: Target) -> bool:
    """Between a leave and the enrolment that followed it."""
    followed = [stay.leaves_after for stay in stays[:-1] if stay.leaves_after and stay.leaves_at is None]
    ends = {}
    if followed:
        cycles = Cycle.objects.filter(target_group=target.target_group_id, number__in=followed)
        ends = dict(cycles.values_list("number", "ends_at"))
    for stay, following in pairwise(stays):
        out = out_since(stay, ends)
        if out is not None and out <= occurred_at < following.enrolled_at:
            return True
    return False


def _was_before_run(occurred_at: datetime, participation: Participation, stay: Stay) -> bool:
    """In run 1 before the first enrolment, unless the group counts that; in a later run before that began."""
    if stay.run_number == 1:
        counts = participation.target.target_group.counts_before_enrolment
        return not counts and occurred_at < participation.first_enrolled_at
    started_at = Run.objects.values_list("started_at", flat=True).get(
        participation=participation, number=stay.run_number
    )
    return occurred_at < started_at


def _last_balance_at(participation: Participation, stay: Stay, progress: Progress | None) -> datetime | None:
    """When the balance was set that covers all earlier activity: of the cycle, or, where an activity counts for
    whichever cycle is open, of any."""
    if not _counts_for_the_open_cycle(participation):
        return None if progress is None else progress.balance_at
    set_at = Progress.objects.filter(participation=participation, run_number=stay.run_number)
    return set_at.aggregate(last=Max("balance_at"))["last"]


def _was_visited(participation: Participation, run_number: int, cycle_number: int, day: date) -> bool:
    """A day counts once: in its cycle, or, where an activity counts for whichever cycle is open, in any."""
    visits = ActivityOutcome.objects.filter(participation=participation, run_number=run_number, visit_on=day)
    if not _counts_for_the_open_cycle(participation):
        visits = visits.filter(cycle_number=cycle_number)
    return visits.exists()


def _counts_for_the_open_cycle(participation: Participation) -> bool:
    return participation.target.target_group.evaluation_type == EvaluationType.PERIOD_AGNOSTIC_WINDOW
