"""“Why did I get this, and not that?”: one sentence for each cycle and each level of a standing.

The sentences follow from the verdicts that the API answers (standing.py) and from the rules (domain.md 4 to 6). They
may be handed to the customer as they are: they name no member of staff, who is said apart.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection

from enrollments.calendars import has_begun
from enrollments.enums import CycleStatus, NotCounted, Verdict
from enrollments.models import Receipt, Stay
from enrollments.standing import CycleStanding, LevelStanding, Standing
from rewards.models import Reward
from rewards.queries import promised_of
from targets.enums import Allocation, EvaluationType, TrackingType
from targets.models import Cycle
from targets.wording import amount, day, instant

# How many of the newest are looked through for each enrolment.
MOST_UNCOUNTED = 50

BECAUSE = {
    NotCounted.NO_CYCLE: "no cycle contains it",
    NotCounted.TARGET_INACTIVE: "the programme was inactive",
    NotCounted.NOT_ENROLLED: "no enrolment covered this cycle when it arrived",
    NotCounted.CYCLE_NOT_BEGUN: "the cycle had not begun",
    NotCounted.CYCLE_CLOSED: "it arrived after the cycle had closed",
    NotCounted.IN_FUTURE: "it was dated more than 5 minutes ahead",
    NotCounted.WHILE_AWAY: "it lies between leaving and enrolling again",
    NotCounted.BEFORE_ENROLMENT: "it lies before the enrolment",
    NotCounted.NO_NUMBER: "the number to add up is missing in it",
}


@dataclass(frozen=True)
class Uncounted:
    """An activity that did not count, and why."""

    event_name: str
    occurred_at: datetime
    reason: NotCounted


@dataclass(frozen=True)
class Known:
    """What has to be known beside a standing: as of `at`, of one participation.

    `rewards`: what the target has ever promised, but for levels. `uncounted`: the newest activity that did not count,
    by the number of the cycle.
    """

    at: datetime
    rewards: Sequence[Reward] = ()
    uncounted: Mapping[int, Uncounted] = field(default_factory=dict)


@dataclass(frozen=True)
class Why:
    """`text` is fit for the customer. `left_by`: who ended the enrolment, for staff; None where that is not why."""

    text: str
    left_by: Receipt | None = None


def cycle_status(line: CycleStanding, at: datetime) -> CycleStatus:
    """What a strip of cycles shows of one."""
    if line.grant is not None or (line.achieved_at is not None and line.allocation == Allocation.IMMEDIATE):
        return CycleStatus.ACHIEVED
    if line.verdict == Verdict.LEFT_REWARD_FORFEITED:
        return CycleStatus.FORFEITED
    if line.verdict == Verdict.LEFT:
        return CycleStatus.LEFT
    if line.verdict == Verdict.NOT_MEMBER:
        return CycleStatus.NOT_MEMBER
    if line.achieved_at is not None:
        return CycleStatus.REACHED
    if line.verdict == Verdict.KEPT:
        return CycleStatus.NOT_ACHIEVED
    return CycleStatus.RUNNING if line.cycle.has_begun(at) else CycleStatus.TO_COME


def why_cycle(standing: Standing, line: CycleStanding, known: Known) -> Why:
    """Why this cycle was rewarded, will be, or was not."""
    zone = standing.participation.target.target_group.time_zone
    if line.grant is not None:
        text = f"Granted on {day(line.grant.granted_at, zone)}: {line.grant.reward_name}."
        if line.verdict != Verdict.LEFT_REWARD_KEPT or line.stay is None:
            return Why(text)
        return Why(f"{text} {_stays(standing, line.stay)}", standing.leaves.get(line.stay.pk))
    if line.verdict == Verdict.LEFT_REWARD_FORFEITED and line.stay is not None:
        return Why(
            f"Not granted: the target was reached, {_reached(line)}, but this reward is given only when the cycle "
            f"closes, and the enrolment ended before, on {_end_of(standing, line.stay)}.",
            standing.leaves.get(line.stay.pk),
        )
    if line.verdict == Verdict.LEFT and line.stay is not None:
        return Why(_left(standing, line, line.stay, known), standing.leaves.get(line.stay.pk))
    if line.verdict == Verdict.NOT_MEMBER:
        return Why(_not_yet_enrolled(standing))
    if line.achieved_at is not None:
        return Why(_achieved(standing, line, known))
    if line.verdict == Verdict.KEPT:
        return Why(_ended(standing, line, known))
    if not has_begun(line.cycle, standing.participation.target.target_group, known.at):
        return Why(_to_come(standing, line.cycle))
    until = f", and the cycle runs until {_last_day(line.cycle, zone)}" if line.cycle.ends_at else ""
    return Why(f"Not achieved yet: {_reached(line)}{until}.{_hindered(standing, line, known)}")


def why_level(standing: Standing, line: LevelStanding) -> Why:
    """Why a level of a streak was rewarded, or was not."""
    participation = standing.participation
    group = participation.target.target_group
    zone = group.time_zone
    if line.grant is not None:
        cycle = next(
            (each.cycle.ref_code for each in standing.cycles if each.cycle.number == line.grant.cycle_number), ""
        )
        in_run = f", in run {line.grant.run_number}" if participation.run_number > 1 else ""
        return Why(
            f"Granted on {day(line.grant.granted_at, zone)}: {line.grant.reward_name}. Reached with {cycle}{in_run}."
        )
    if line.achieved_at is not None:
        return Why(f"Reached on {day(line.achieved_at, zone)}, when no reward was promised for it.")
    is_in_a_row = group.tracking_type != TrackingType.NON_CONTINUOUS_STREAKS
    text = (
        f"Not reached: {standing.streak_count} of {line.level.target_count} cycles{' in a row' if is_in_a_row else ''}."
    )
    begun = next((stay.enrolled_at for stay in standing.stays if stay.run_number == participation.run_number), None)
    if standing.broken_by is not None:
        text += f" {standing.broken_by.ref_code} ended without being achieved, so the count began anew."
    elif participation.run_number > 1 and begun is not None:
        text += f" The count began anew with the enrolment of {day(begun, zone)}."
    if standing.is_enrolled or not standing.stays:
        return Why(text)
    last = standing.stays[-1]
    return Why(f"{text} The enrolment ended on {_end_of(standing, last)}.", standing.leaves.get(last.pk))


def _reached(line: CycleStanding) -> str:
    return f"{amount(line.value)} of {amount(line.target_value)}"


def _achieved(standing: Standing, line: CycleStanding, known: Known) -> str:
    """Of a cycle that a stay covers, and that has no grant."""
    group = standing.participation.target.target_group
    if group.is_streak or line.allocation == Allocation.IMMEDIATE:
        return _achieved_at_once(standing, line)
    if line.cycle.paid_at is not None or (group.has_own_calendars and line.cycle.closed_at is not None):
        return f"Reached, {_reached(line)}, but no reward was promised for it when the cycle closed."
    if promised_of(known.rewards, line.cycle.pk, line.cycle.closed_at or known.at) is None:
        return f"Reached, {_reached(line)}. No reward is promised for it."
    if line.cycle.closed_at is not None:
        return f"Will be granted: {_reached(line)} reached, and the rewards of the cycle are being given."
    if line.cycle.closes_at is None:
        return f"Will be granted when the cycle closes: {_reached(line)} reached."
    on = day(line.cycle.closes_at, group.time_zone)
    if line.cycle.is_closed(known.at):
        return f"Will be granted: {_reached(line)} reached, and the cycle has been due to close since {on}."
    return f"Will be granted when the cycle closes on {on}: {_reached(line)} reached."


def _achieved_at_once(standing: Standing, line: CycleStanding) -> str:
    """It is final: returns, or a balance set since, may have lowered the value."""
    group = standing.participation.target.target_group
    is_lower = line.value < line.target_value
    on = day(line.achieved_at, group.time_zone) if line.achieved_at else ""
    achieved = f"Achieved on {on}" if is_lower else f"Achieved on {on}, {_reached(line)}"
    for_what = ", when no reward was promised for it"
    if group.is_streak:
        for_what = f": {_for_the_streak(standing, line)}"
    since = f" It stands at {_reached(line)} now, which takes nothing away." if is_lower else ""
    return f"{achieved}{for_what}.{since}"


def _for_the_streak(standing: Standing, line: CycleStanding) -> str:
    """Of an achieved cycle: whether it is one of those that are counted now."""
    if line.stay is not None and line.stay.run_number != standing.participation.run_number:
        return f"it counted for the streak in run {line.stay.run_number}"
    if standing.broken_by is not None and line.cycle.number < standing.broken_by.number:
        return "it counted for the streak, which was broken since"
    return "it counts for the streak"


def _ended(standing: Standing, line: CycleStanding, known: Known) -> str:
    zone = standing.participation.target.target_group.time_zone
    if line.cycle.is_closed(known.at) or line.cycle.closes_at is None:
        return f"Not achieved: {_reached(line)}.{_hindered(standing, line, known)}"
    return (
        f"Not achieved so far: {_reached(line)}. What happened in this cycle still counts if it arrives before "
        f"{day(line.cycle.closes_at, zone)}.{_hindered(standing, line, known)}"
    )


def _left(standing: Standing, line: CycleStanding, stay: Stay, known: Known) -> str:
    """Of a cycle that was left with no reward: neither given nor forfeited."""
    receipt = standing.leaves.get(stay.pk)
    was_running = receipt is not None and receipt.running_verdict and receipt.running_cycle == line.cycle.number
    if line.achieved_at is not None and line.allocation == Allocation.IMMEDIATE:
        return f"{_achieved_at_once(standing, line)} {_stays(standing, stay)}"
    if not was_running:
        return f"{_out_of(standing, stay, known)}{_hindered(standing, line, known)}"
    ended = f"when the enrolment ended on {_end_of(standing, stay)}"
    if line.achieved_at is not None:
        return f"Reached, {_reached(line)}, but no reward was promised for it {ended}."
    return f"Not achieved: {_reached(line)} {ended}.{_hindered(standing, line, known)}"


def _out_of(standing: Standing, stay: Stay, known: Known) -> str:
    out_at = standing.left_at[stay.pk]
    ends = "ended" if out_at is not None and out_at <= known.at else "ends"
    if stay.leaves_after is None:
        return f"Not a member: the enrolment {ends} on {_end_of(standing, stay)}."
    last = next(each.cycle.ref_code for each in standing.cycles if each.cycle.number == stay.leaves_after)
    return f"Not a member: the enrolment {ends} with {last}{f', on {_end_of(standing, stay)}' if out_at else ''}."


def _stays(standing: Standing, stay: Stay) -> str:
    return f"That stays so, although the enrolment ended on {_end_of(standing, stay)}."


def _end_of(standing: Standing, stay: Stay) -> str:
    """The day on which he left; of a scheduled leave the last day of the cycle, or the one on which it was achieved."""
    out_at = standing.left_at[stay.pk]
    if out_at is None:
        return ""
    group = standing.participation.target.target_group
    is_end_of_days = stay.leaves_after is not None and group.evaluation_type != EvaluationType.PERIOD_AGNOSTIC_WINDOW
    return day(out_at - timedelta(microseconds=is_end_of_days), group.time_zone)


def _not_yet_enrolled(standing: Standing) -> str:
    """The stays that begin later are all there are: otherwise he would have left it."""
    names = {each.cycle.number: each.cycle.ref_code for each in standing.cycles}
    first = min(standing.stays, key=lambda stay: stay.first_cycle, default=None)
    if first is None:
        return "Not a member: never enrolled."
    on = day(first.enrolled_at, standing.participation.target.target_group.time_zone)
    return f"Not a member: the enrolment of {on} begins with {names[first.first_cycle]}."


def _to_come(standing: Standing, cycle: Cycle) -> str:
    group = standing.participation.target.target_group
    if cycle.starts_at is not None:
        return f"Has not begun: it begins on {day(cycle.starts_at, group.time_zone)}."
    if group.evaluation_type == EvaluationType.CYCLIC_WINDOW:
        return "Has not begun: the calendar begins with the first activity that counts."
    return "Has not begun: it begins when the cycle before is achieved."


def _last_day(cycle: Cycle, zone: str) -> str:
    return day(cycle.ends_at - timedelta(microseconds=1), zone) if cycle.ends_at else ""


def _hindered(standing: Standing, line: CycleStanding, known: Known) -> str:
    """What more there is to say of a cycle that was not achieved."""
    target = standing.participation.target
    zone = target.target_group.time_zone
    found = known.uncounted.get(line.cycle.number)
    text = ""
    if found is not None:
        text = (
            f" The activity “{found.event_name}” of {instant(found.occurred_at, zone)} was not counted because "
            f"{BECAUSE[found.reason]}."
        )
    is_frozen = not (target.is_active and target.target_group.is_active)
    may_still_count = line.verdict in (Verdict.MEMBER, Verdict.KEPT) and not line.cycle.is_closed(known.at)
    return f"{text} The programme is inactive: nothing counts at present." if is_frozen and may_still_count else text


# Loading

UNCOUNTED = """
SELECT DISTINCT ON (outcome.participation_id, outcome.cycle_number)
       outcome.participation_id, outcome.cycle_number, outcome.reason, activity.event_name, activity.occurred_at
  FROM unnest(%s::bigint[]) AS of_participation (id)
 CROSS JOIN LATERAL (
       SELECT every.id, every.participation_id, every.cycle_number, every.reason, every.activity_id
         FROM enrollments_everyoutcome every
        WHERE every.participation_id = of_participation.id AND every.reason <> ''
        ORDER BY every.id DESC LIMIT %s) outcome
 CROSS JOIN LATERAL (
       SELECT event_name, occurred_at FROM enrollments_everyactivity each WHERE each.id = outcome.activity_id) activity
 WHERE outcome.cycle_number IS NOT NULL
 ORDER BY outcome.participation_id, outcome.cycle_number, outcome.id DESC
"""


def known_of(standings: Sequence[Standing], at: datetime) -> list[Known]:
    """For each of them, in two statements."""
    participations = [each.participation for each in standings]
    rewards: dict[int, list[Reward]] = defaultdict(list)
    for reward in Reward.objects.filter(level=None, target__in={each.target_id for each in participations}):
        rewards[reward.target_id].append(reward)
    uncounted = _uncounted([each.pk for each in participations])
    return [Known(at, rewards[each.target_id], uncounted.get(each.pk, {})) for each in participations]


def _uncounted(participations: list[int]) -> dict[int, dict[int, Uncounted]]:
    found: dict[int, dict[int, Uncounted]] = {}
    with connection.cursor() as cursor:
        cursor.execute(UNCOUNTED, [participations, MOST_UNCOUNTED])
        for participation, cycle_number, reason, event_name, occurred_at in cursor.fetchall():
            of_cycles = found.setdefault(participation, {})
            of_cycles[cycle_number] = Uncounted(event_name, occurred_at, NotCounted(reason))
    return found
