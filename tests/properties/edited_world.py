"""Editing in the world of `world.py`: a programme changes on both sides, and what was written reads as before."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from enrollments.editing import CycleEdit, NewCycle, ProgrammeEdit, TargetEdit
from enrollments.enums import Source
from enrollments.operations import edit_programme
from targets.models import Target
from targets.operations import PeriodData
from tests.properties.editing import Edit, edited
from tests.properties.programme import NOT_YET, Programme
from tests.properties.words import Refused, agree, answer_of
from tests.properties.world import World


class EditedWorld(World):
    def edit(self, target: Target, edit: Edit, *, at: datetime) -> None:
        """Both refuse it, or both change it, or neither finds anything to change."""
        pairs = self._of(target)
        before = pairs[0].reference.programme
        after = answer_of(lambda: edited(before, edit, [each.reference for each in pairs], at))
        answer = answer_of(
            lambda: edit_programme(
                target_group=target.target_group,
                edit=to_send(before, edit, target, at),
                at=at,
                by="machine",
                source=Source.ADMIN,
            )
        )
        agree(answer if isinstance(answer, Refused) else bool(answer.changes), _expected(before, after))
        if isinstance(after, Programme):
            self._take_over(target, after)
        self.check(*pairs)

    def _take_over(self, target: Target, programme: Programme) -> None:
        for pair in self._of(target):
            pair.reference.programme = programme
            pair.definition = replace(pair.definition, programme=programme)


def _expected(before: Programme, after: Any) -> Any:
    return after if isinstance(after, Refused) else after != before


def to_send(programme: Programme, edit: Edit, target: Target, at: datetime) -> ProgrammeEdit:
    cycle = edit.cycle_of(programme, at)
    if edit.what == "value":
        return ProgrammeEdit(targets={target.pk: TargetEdit(values={cycle.number: edit.value})})
    if edit.what == "end":
        ends_at = cycle.ends_at if cycle.ends_at == NOT_YET else cycle.ends_at + timedelta(days=edit.days)
        return ProgrammeEdit(cycles={cycle.number: CycleEdit(ends_at=ends_at)})
    last = programme.cycles[-1]
    ends_at = last.ends_at if last.ends_at == NOT_YET else last.ends_at + timedelta(days=abs(edit.days) + 1)
    period = PeriodData(f"c{last.number + 1}", last.ends_at, ends_at)
    return ProgrammeEdit(appended=[NewCycle(period, {target.pk: edit.value})])
