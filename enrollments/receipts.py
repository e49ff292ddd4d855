"""Receipts as people and clients read them: every cycle and level with its verdict (domain.md 5, api.md 7).

Rendered from what the receipt stores, from the calendar at the version of the programme that it names, and from
grants and closed cycles as they were known when it was written.
So the same receipt reads the same for ever. The number of statements does not depend on how many are rendered.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from django.db.models import prefetch_related_objects

from enrollments.calendars import CyclicCalendar, OwnCalendar, filled, own_calendar
from enrollments.enums import LevelVerdict, ReceiptKind, Verdict
from enrollments.models import Progress, Receipt, Stay
from rewards.models import Grant
from targets.enums import EvaluationType
from targets.errors import WarningCode
from targets.feeds import is_visible
from targets.models import Cycle, FormerCycle, FormerValue, StreakLevel, TargetValue

Row = TypeVar("Row")

LEAVING = (ReceiptKind.UNENROLLED, ReceiptKind.LEAVE_SCHEDULED)
JOINING = (ReceiptKind.ENROLLED, ReceiptKind.REENROLLED)


@dataclass(frozen=True)
class CycleLine:
    """One cycle of an account. `value` is None where the receipt does not speak of it."""

    cycle: Cycle
    verdict: Verdict
    value: Decimal | None
    target_value: Decimal
    achieved_at: datetime | None
    grant: Grant | None


@dataclass(frozen=True)
class LevelLine:
    level: StreakLevel
    verdict: LevelVerdict
    grant: Grant | None


@dataclass(frozen=True)
class Account:
    """A receipt with all it says. `from_cycle` is None past the last cycle: a leave at the end of the programme."""

    receipt: Receipt
    from_cycle: Cycle | None
    cycles: list[CycleLine]
    levels: list[LevelLine]
    warnings: list[tuple[WarningCode, str]] = field(default_factory=list)

    @property
    def forfeited(self) -> list[CycleLine]:
        return [line for line in self.cycles if is_forfeited(line)]


def is_forfeited(line: CycleLine) -> bool:
    return line.verdict == Verdict.LEFT_REWARD_FORFEITED


def account(receipt: Receipt) -> Account:
    """One receipt, saved or a preview."""
    return accounts([receipt])[0]


def accounts(receipts: Sequence[Receipt]) -> list[Account]:
    """Many, in their order, in a constant number of statements."""
    prefetch_related_objects(receipts, "participation__target__target_group", "participation__customer")
    return _Renderer(receipts).render()


class _Renderer:
    """What the receipts need, loaded at once."""

    def __init__(self, receipts: Sequence[Receipt]) -> None:
        self.receipts = receipts
        participations = {receipt.participation_id: receipt.participation for receipt in receipts}
        targets = {each.target_id for each in participations.values()}
        groups = {each.target.target_group_id for each in participations.values()}
        self.cycles = grouped(Cycle.objects.filter(target_group__in=groups).order_by("number"), "target_group_id")
        self.levels = grouped(
            StreakLevel.objects.filter(target_group__in=groups).order_by("target_count"), "target_group_id"
        )
        self.target_values = {
            (each.target_id, each.cycle_id): each for each in TargetValue.objects.filter(target__in=targets)
        }
        # After what they precede: an edit between the two statements is then seen by the second at least.
        self.former_cycles = grouped(
            FormerCycle.objects.filter(cycle__target_group__in=groups).order_by("until_version"), "cycle_id"
        )
        self.former_values = grouped(
            FormerValue.objects.filter(target_value__target__in=targets).order_by("until_version"), "target_value_id"
        )
        self.stays = grouped(Stay.objects.filter(participation__in=participations).order_by("pk"), "participation_id")
        self.progress = {
            (each.participation_id, each.run_number, each.cycle_number): each
            for each in Progress.objects.filter(participation__in=participations)
        }
        self.grants: dict[tuple[int, int], list[Grant]] = defaultdict(list)
        customers = {each.customer_id for each in participations.values()}
        for grant in Grant.objects.filter(customer__in=customers, target__in=targets).order_by("pk"):
            self.grants[grant.customer_id, grant.target_id].append(grant)

    def render(self) -> list[Account]:
        return [self._account(receipt) for receipt in self.receipts]

    def _account(self, receipt: Receipt) -> Account:
        group_id = receipt.participation.target.target_group_id
        cycles = [
            self._cycle_then(cycle, receipt.programme_version)
            for cycle in self.cycles[group_id]
            if cycle.number <= receipt.cycle_count
        ]
        if receipt.participation.target.target_group.has_own_calendars:
            calendar = self._own_calendar(receipt)
            cycles = [filled(cycle, calendar) for cycle in cycles]
        grants = self._grants_known(receipt)
        by_cycle = {grant.cycle_number: grant for grant in grants if grant.level_id is None}
        by_level = {grant.level_id: grant for grant in grants if grant.run_number == receipt.run_number}
        lines = [self._line(receipt, cycle, by_cycle.get(cycle.number)) for cycle in cycles]
        return Account(
            receipt=receipt,
            from_cycle=next((cycle for cycle in cycles if cycle.number == receipt.from_cycle), None),
            cycles=lines,
            levels=[_level_line(level, by_level.get(level.pk)) for level in self.levels[group_id]],
            warnings=_warnings(receipt, next((line.cycle.ref_code for line in lines if is_forfeited(line)), None)),
        )

    def _own_calendar(self, receipt: Receipt) -> OwnCalendar:
        """As it was then: begun or not, and with the cycles that had been achieved."""
        group = receipt.participation.target.target_group
        if group.evaluation_type == EvaluationType.CYCLIC_WINDOW:
            return CyclicCalendar(group, receipt.anchored_at)
        running = receipt.running_cycle or receipt.cycle_count + 1  # none: all of them were achieved
        achieved_at = {
            number: progress.achieved_at
            for (participation_id, _, number), progress in self.progress.items()
            if participation_id == receipt.participation_id and number < running and progress.achieved_at is not None
        }
        if receipt.running_achieved_at is not None:  # by a balance that came with enrolling
            achieved_at[running] = receipt.running_achieved_at
        return own_calendar(group, receipt.participation, achieved_at)

    def _grants_known(self, receipt: Receipt) -> list[Grant]:
        participation = receipt.participation
        grants = self.grants[participation.customer_id, participation.target_id]
        if receipt.pk is None:
            return grants
        return [
            grant
            for grant in grants
            if grant.transaction_id == receipt.transaction_id or is_visible(grant.transaction_id, receipt.snapshot)
        ]

    def _line(self, receipt: Receipt, cycle: Cycle, grant: Grant | None) -> CycleLine:
        stay = self._stay_then(receipt, cycle.number)
        value = achieved_at = None
        if cycle.number == receipt.running_cycle:
            value, achieved_at = receipt.running_value, receipt.running_achieved_at
        elif cycle.closes_at is not None and cycle.closes_at <= receipt.recorded_at and stay is not None:
            # It accepts nothing any more, so today's value is the value then.
            progress = self.progress.get((receipt.participation_id, stay.run_number, cycle.number))
            value, achieved_at = (progress.value, progress.achieved_at) if progress else (Decimal(0), None)
        if grant is not None:
            achieved_at = grant.achieved_at
        return CycleLine(
            cycle=cycle,
            verdict=_verdict(receipt, cycle.number, is_member=stay is not None, is_granted=grant is not None),
            value=value,
            target_value=self._value_then(receipt, cycle),
            achieved_at=achieved_at,
            grant=grant,
        )

    def _cycle_then(self, cycle: Cycle, version: int) -> Cycle:
        """With the dates it had in that version of the programme."""
        former = next((each for each in self.former_cycles[cycle.pk] if each.until_version >= version), None)
        if former is None:
            return cycle
        then = copy(cycle)
        then.starts_at, then.ends_at, then.closes_at = former.starts_at, former.ends_at, former.closes_at
        return then

    def _value_then(self, receipt: Receipt, cycle: Cycle) -> Decimal:
        """What was to be reached in that version of the programme."""
        now = self.target_values[receipt.participation.target_id, cycle.pk]
        former = (each for each in self.former_values[now.pk] if each.until_version >= receipt.programme_version)
        return next((each.value for each in former), now.value)

    def _stay_then(self, receipt: Receipt, cycle_number: int) -> Stay | None:
        """The stay that covered the cycle right after the change."""
        for stay in self.stays[receipt.participation_id]:
            if stay.pk < receipt.stay_id and stay.covers(cycle_number):
                return stay
        then = Stay(run_number=receipt.run_number, first_cycle=receipt.first_cycle, end_cycle=receipt.end_cycle)
        return then if then.covers(cycle_number) else None


def _verdict(receipt: Receipt, cycle_number: int, *, is_member: bool, is_granted: bool) -> Verdict:
    if receipt.kind in LEAVING and receipt.end_cycle is not None and cycle_number >= receipt.end_cycle:
        if is_granted:
            return Verdict.LEFT_REWARD_KEPT
        if cycle_number == receipt.running_cycle:
            return Verdict(receipt.running_verdict)
        return Verdict.LEFT
    if not is_member:
        return Verdict.NOT_MEMBER
    joined = receipt.first_cycle
    if receipt.kind not in JOINING:  # what has ended is kept; where none is running that is all
        joined = max(joined, receipt.running_cycle or receipt.cycle_count + 1)
    return Verdict.MEMBER if receipt.kind not in LEAVING and cycle_number >= joined else Verdict.KEPT


def _level_line(level: StreakLevel, grant: Grant | None) -> LevelLine:
    return LevelLine(level, LevelVerdict.NOT_REACHED if grant is None else LevelVerdict.KEPT, grant)


def forfeited_period(receipt: Receipt) -> str | None:
    """The name of the period whose reward this leave forfeits. One statement, and none where nothing is forfeited."""
    if receipt.running_verdict != Verdict.LEFT_REWARD_FORFEITED or receipt.running_cycle is None:
        return None
    return Cycle.objects.values_list("ref_code", flat=True).get(
        target_group=receipt.participation.target.target_group_id, number=receipt.running_cycle
    )


def warnings_of(receipt: Receipt) -> list[tuple[WarningCode, str]]:
    """What the answer of a change has to warn of, without rendering its account."""
    return _warnings(receipt, forfeited_period(receipt))


def _warnings(receipt: Receipt, forfeited: str | None) -> list[tuple[WarningCode, str]]:
    warnings = []
    if forfeited is not None:
        warnings.append(
            (
                WarningCode.REWARD_FORFEITED,
                f"The reward of period {forfeited!r} is forfeited: the target was reached, "
                "but the reward is given when the period ends, and the customer leaves before.",
            )
        )
    kind = "streak" if receipt.participation.target.target_group.is_streak else "milestone"
    warnings += [
        (WarningCode.FIELD_IGNORED, f"The field {name!r} was ignored: it has no meaning for a {kind}.")
        for name in receipt.ignored_fields
    ]
    return warnings


def grouped(rows: Iterable[Row], attribute: str) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, attribute)].append(row)
    return groups
