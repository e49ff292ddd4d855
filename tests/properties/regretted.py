"""Many leaves undone together are undone as each would be for itself, whatever has happened before (domain.md 5).

Played by test_leaving_together.py.
"""

from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import rule

from enrollments.enums import NotCounted, ReceiptKind, Source
from enrollments.models import ActivityOutcome, Participation, Receipt, Stay
from enrollments.operations import undo_leave, undo_together
from enrollments.queries import find_receipt
from targets.errors import DomainError
from targets.models import Target
from tests.properties.test_histories import EARLY, Histories

MADE_BY_DATABASE = ("id", "transaction_id", "snapshot")
ACT = {"by": "crowd", "source": Source.COMMAND, "reason": "the wrong list", "request_id": "r2"}


class RegrettedHistories(Histories):
    """After any step every leave is undone, once one by one and once together, and both are taken back."""

    @rule(which=st.integers(0, 3), hours=st.sampled_from((0, 0, 1, 30)), early=EARLY)
    def undo_together(self, which: int, hours: int, early: timedelta) -> None:
        self.world.now += timedelta(hours=hours)
        target = self.world.targets[which % len(self.world.targets)]
        target = Target.objects.select_related("target_group", "brand").get(pk=target.pk)
        if target.target_group.has_own_calendars:
            return
        leaves = Receipt.objects.filter(participation__target=target, kind=ReceiptKind.UNENROLLED)
        ids = list(leaves.order_by("pk").values_list("pk", flat=True))
        undo = {"at": self.world.now - early, **ACT}

        together, undone = taken_back(target, lambda: undone_together(target, ids[::-1], undo))
        alone, _ = taken_back(target, lambda: undone_one_by_one(target, undone, undo))
        _, all_alone = taken_back(target, lambda: undone_one_by_one(target, ids, undo))

        assert together == alone
        assert set(undone) <= all_alone.keys()
        assert all_of_which_something_is_to_be_counted(all_alone, undone)


def all_of_which_something_is_to_be_counted(all_alone: dict[int, bool], undone: list[int]) -> bool:
    """Nobody is left to be undone for himself without need: else a million would be."""
    return all(has_more for each, has_more in all_alone.items() if each not in undone)


def undone_together(target: Target, ids: list[int], undo: dict[str, Any]) -> list[int]:
    try:
        return sorted(undo_together(target=target, receipt_ids=ids, **undo))
    except DomainError:
        return []


def undone_one_by_one(target: Target, ids: list[int], undo: dict[str, Any]) -> dict[int, bool]:
    """Those that could be, and whether that was more than putting the end of the stay back."""
    undone = {}
    for each in ids:
        try:
            done = undo_leave(receipt=find_receipt(target.brand, each), **undo)
        except DomainError:
            continue
        was_scheduled = done.receipt.end_cycle is not None
        is_over = done.receipt.running_cycle is None
        has_missed = ActivityOutcome.objects.filter(left_by=each, reason=NotCounted.NOT_ENROLLED).exists()
        undone[each] = bool(done.counted) or was_scheduled or is_over or has_missed
    return undone


def taken_back(target: Target, undo: Any) -> tuple[tuple[Any, ...], Any]:
    """All that an undoing may touch, whatever ids new receipts have; and what it answered."""
    with transaction.atomic():
        known = Receipt.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        answer = undo()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        rows = {"participation__target": target}
        after = (
            [
                without(each, *MADE_BY_DATABASE)
                for each in Receipt.objects.filter(**rows, pk__gt=known).order_by("stay").values()
            ],
            list(Stay.objects.filter(**rows).order_by("pk").values()),
            list(Participation.objects.filter(target=target).order_by("pk").values()),
        )
        transaction.set_rollback(True)
    return after, answer


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
