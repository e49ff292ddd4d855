"""Editing a live programme (domain.md 7)."""

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Max

from enrollments.differences import differences, plain
from enrollments.editing import ProgrammeEdit, ProgrammeState, edited
from enrollments.enums import Source
from enrollments.locks import bar_calendar
from enrollments.models import Participation, Progress
from targets.errors import ChangedMeanwhile, InvalidInput, StaleInstant
from targets.models import Cycle, Target, TargetGroup, TargetValue
from targets.operations import REFUSAL_OF_CONSTRAINT, Author, Change, record_change


@dataclass(frozen=True)
class Edited:
    """The version that the edit made, or the one that stands where it changed nothing; and what it changed."""

    version: int
    changes: list[Change]


def edit_programme(
    *,
    target_group: TargetGroup,
    edit: ProgrammeEdit,
    at: datetime,
    by: str,
    source: Source,
    request_id: str = "",
    expected_version: int | None = None,
) -> Edited:
    """Change a programme in which customers are enrolled, as a whole or not at all, and put it on record.

    Waits for everybody who writes in the group, and makes those wait who come after: each of them acted on the
    calendar before, or acts on the one after. An edit that changes nothing makes no version. Inactive groups too.
    Raises `InvalidInput`, `ImpossibleCombination`, `NameTaken` with the path of the field (see `edited`),
    `ChangedMeanwhile` where the programme is not at `expected_version` any more, and `StaleInstant`.
    """
    try:
        with transaction.atomic():
            bar_calendar(target_group)
            TargetGroup.objects.select_for_update(of=("self",), no_key=True).get(pk=target_group.pk)
            before = programme_state(target_group)
            if expected_version not in (None, before.group.version):
                raise ChangedMeanwhile()
            _refuse_stale(before, at)
            after = edited(before, edit, at)
            _refuse_early_achievement(before, after)
            changes = differences(before, after)
            if not changes:
                return Edited(before.group.version, changes)
            _write(before, after)
            author = Author(at, by, source, request_id)
            return Edited(record_change(before.group, changes, author), changes)
    except IntegrityError as error:
        constraint = error.__cause__.diag.constraint_name  # type: ignore[union-attr]  # psycopg2's
        refusal = REFUSAL_OF_CONSTRAINT.get(constraint)
        if refusal is None:
            raise
        raise type(refusal)(refusal.message, field=refusal.field) from None


def preview_edit(*, target_group: TargetGroup, edit: ProgrammeEdit, at: datetime) -> Edited:
    """What `edit_programme` would change, nothing written and nobody kept waiting. Raises what that raises.

    Only that a name is taken by another group or target is left to the database to say.
    """
    before = programme_state(target_group)
    after = edited(before, edit, at)
    _refuse_early_achievement(before, after)
    return Edited(before.group.version, differences(before, after))


def programme_state(target_group: TargetGroup) -> ProgrammeState:
    """The whole programme as it stands, in a constant number of statements."""
    group = TargetGroup.objects.get(pk=target_group.pk)
    cycles = list(Cycle.objects.filter(target_group=group).order_by("number"))
    targets = list(Target.objects.filter(target_group=group).order_by("pk"))
    numbers = {cycle.pk: cycle.number for cycle in cycles}
    values = TargetValue.objects.filter(target__in=targets)
    return ProgrammeState(group, cycles, targets, {(each.target_id, numbers[each.cycle_id]): each for each in values})


def _refuse_stale(state: ProgrammeState, at: datetime) -> None:
    """While we waited, somebody may have acted at a later instant, perhaps in a cycle that had not begun at `at`."""
    is_past = any(cycle.closed_at is not None and not cycle.has_ended(at) for cycle in state.cycles)
    if is_past or Participation.objects.filter(target__in=state.targets, changed_at__gt=at).exists():
        raise StaleInstant(at)


def _refuse_early_achievement(before: ProgrammeState, after: ProgrammeState) -> None:
    """A balance set in a cycle not begun stays below its value, as when it was set (domain.md 4)."""
    lowered = {
        key: value
        for key, value in after.values.items()
        if key in before.values and value.value < before.values[key].value
    }
    if not lowered:
        return
    highest = (
        Progress.objects.filter(
            participation__target__in={target_id for target_id, _ in lowered},
            cycle_number__in={number for _, number in lowered},
        )
        .values_list("participation__target", "cycle_number")
        .annotate(Max("value"))
    )
    for target_id, number, balance in highest:
        value = lowered.get((target_id, number))
        if value is not None and value.value <= balance:
            raise InvalidInput(
                f"A customer has joined {after.cycles[number - 1].ref_code!r} with a balance of {plain(balance)}: "
                "the value to reach stays greater than that.",
                field=f"targets[{target_id}].values[{number}]",
            )


def _write(before: ProgrammeState, after: ProgrammeState) -> None:
    """Former dates and values are kept by the database itself; the version is raised last (see `record_change`)."""
    group = after.group
    TargetGroup.objects.filter(pk=group.pk).update(
        name=group.name, description=group.description, late_days=group.late_days, cycle_count=group.cycle_count
    )
    for cycle in _in_order_of_moving(before.cycles, after.cycles):
        Cycle.objects.filter(pk=cycle.pk).update(
            description=cycle.description,
            starts_at=cycle.starts_at,
            ends_at=cycle.ends_at,
            late_days=cycle.late_days,
            closes_at=cycle.closes_at,
        )
    Cycle.objects.bulk_create(after.cycles[len(before.cycles) :])
    for old, new in zip(before.targets, after.targets, strict=True):
        if (old.name, old.description, old.is_active) != (new.name, new.description, new.is_active):
            Target.objects.filter(pk=new.pk).update(name=new.name, description=new.description, is_active=new.is_active)
    changed = [
        value
        for key, value in after.values.items()
        if key in before.values
        and (value.value, value.allocation) != (before.values[key].value, before.values[key].allocation)
    ]
    TargetValue.objects.bulk_update(changed, ["value", "allocation"], batch_size=500)
    TargetValue.objects.bulk_create(value for key, value in after.values.items() if key not in before.values)


def _in_order_of_moving(before: list[Cycle], after: list[Cycle]) -> list[Cycle]:
    """The cycles that differ, in an order in which no two overlap, nor stand out of order, at any time between.

    First those that do not begin earlier than before, the last one first: whoever is in the way of a new end begins
    later himself, so he has made room. Then those that begin earlier, the first one first: all before them are in
    place, and whoever comes after begins later than they will have ended.
    """
    moved = [
        (old, new)
        for old, new in zip(before, after, strict=False)
        if (old.starts_at, old.ends_at, old.late_days, old.description)
        != (new.starts_at, new.ends_at, new.late_days, new.description)
    ]
    earlier = [new for old, new in moved if new.bounds[0] < old.bounds[0]]
    later = [new for old, new in moved if new.bounds[0] >= old.bounds[0]]
    return [*reversed(later), *earlier]
