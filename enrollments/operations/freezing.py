"""Making a target group or a target inactive, and active again (domain.md 7)."""

from datetime import datetime

from django.db import transaction
from django.db.models import Max

from enrollments.locks import bar_calendar
from enrollments.models import Participation
from targets.models import Inactivity, Target, TargetGroup
from targets.operations import Author, Change, record_change


def set_group_active(
    *, target_group: TargetGroup, is_active: bool, at: datetime, by: str, source: str = "", request_id: str = ""
) -> bool:
    """Freeze the group, or let it run again; whether that changed anything.

    While it is inactive nobody enrols, leaves or counts in it; closes and scheduled leaves take effect, and a cycle
    that ends meanwhile breaks no streak. Waits for everybody who writes in the group, so each of them was before or
    after. Never refused: if `at` was overtaken it takes effect at the last change of somebody in the group - a cycle
    that had broken his chain by then must not cease to - or at the last time it was frozen or let run.
    """
    with transaction.atomic():
        bar_calendar(target_group.pk)
        locked = _lock(target_group.pk)
        if locked.is_active == is_active:
            return False
        at = _not_before_what_was_done(locked, at)
        TargetGroup.objects.filter(pk=locked.pk).update(is_active=is_active)
        if is_active:
            Inactivity.objects.filter(target_group=locked, ended_at=None).update(ended_at=at, ended_by=by)
        else:
            Inactivity.objects.create(target_group=locked, began_at=at, began_by=by)
        _record(locked, "programme", is_active, Author(at, by, source, request_id))
        return True


def set_target_active(
    *, target: Target, is_active: bool, at: datetime, by: str, source: str = "", request_id: str = ""
) -> bool:
    """Freeze one target of a group, or let it run again; whether that changed anything. The calendar goes on."""
    with transaction.atomic():
        bar_calendar(target.target_group_id)
        group = _lock(target.target_group_id)
        if not Target.objects.filter(pk=target.pk).exclude(is_active=is_active).update(is_active=is_active):
            return False
        _record(group, f"target {target.name}", is_active, Author(at, by, source, request_id))
        return True


def _not_before_what_was_done(group: TargetGroup, at: datetime) -> datetime:
    done = Participation.objects.filter(target__target_group=group).aggregate(last=Max("changed_at"))
    frozen = Inactivity.objects.filter(target_group=group).aggregate(began=Max("began_at"), ended=Max("ended_at"))
    return max(each for each in (at, done["last"], frozen["began"], frozen["ended"]) if each is not None)


def _lock(group_id: int) -> TargetGroup:
    return TargetGroup.objects.select_for_update(of=("self",), no_key=True).get(pk=group_id)


def _record(group: TargetGroup, what: str, is_active: bool, author: Author) -> None:
    states = ("inactive", "active") if is_active else ("active", "inactive")
    record_change(group, [Change(what, *states)], author)
