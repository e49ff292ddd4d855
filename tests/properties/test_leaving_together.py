"""Many at once leave, and are brought back, just as each would be for himself, whatever has happened (domain.md 5)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from django.db import connection, transaction
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import rule

from enrollments.enums import Effective, LeaveOutcome, ReceiptKind, Source
from enrollments.foreseen import Foreseen
from enrollments.models import Participation, Receipt, Stay
from enrollments.operations import unenroll, unenroll_together
from enrollments.receipts import forfeited_period
from targets.errors import CycleNotFound, DomainError, NotEnrolled, StaleInstant
from targets.models import Customer, Cycle, Target
from tests.properties.regretted import MADE_BY_DATABASE, RegrettedHistories, without
from tests.properties.situations import Situations
from tests.properties.test_histories import BY_STAFF, EARLY, play

NOBODY = 999_999
SITUATIONS = 16
ACT = {"by": "crowd", "source": Source.COMMAND, "reason": "over", "request_id": "r2"}


class Told(NamedTuple):
    """What became of one customer. `receipt_in_force`: id of a receipt that was there before."""

    outcome: LeaveOutcome
    left_at: datetime | None = None
    forfeited: str | None = None
    facts: str = ""
    receipt_in_force: int | None = None


class After(NamedTuple):
    """All that a leave may touch, whatever ids new receipts have."""

    told: dict[int, Told] | str
    receipts: list[dict[str, Any]]
    stays: list[dict[str, Any]]
    participations: list[dict[str, Any]]


class CrowdedHistories(RegrettedHistories):
    """After any step everybody is unenrolled, once one by one and once together, and both are taken back."""

    @rule(
        which=st.integers(0, 3),
        scheduled=st.booleans(),
        early=EARLY,
        by_staff=BY_STAFF,
        dry_run=st.sampled_from((False, False, True)),
    )
    def leave_together(self, which: int, scheduled: bool, early: timedelta, by_staff: bool, dry_run: bool) -> None:
        target = self.world.targets[which % len(self.world.targets)]
        numbers = [pair.number for pair in self.world.pairs if pair.target is target]
        leave: dict[str, Any] = {
            "target": Target.objects.select_related("target_group").get(pk=target.pk),
            "at": self.world.now - early,
            "effective": Effective.END_OF_CYCLE if scheduled else Effective.NOW,
            "even_if_inactive": by_staff,
            "dry_run": dry_run,
        }

        one_by_one = taken_back(target, lambda: told_one_by_one([*numbers, NOBODY], leave))
        together = taken_back(target, lambda: told_together([NOBODY, *numbers[::-1]], leave))

        assert together == one_by_one


def taken_back(target: Target, leave: Callable[[], dict[int, Told] | str]) -> After:
    with transaction.atomic():
        known = Receipt.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        told = leave()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        rows = {"participation__target": target}
        receipts = Receipt.objects.filter(**rows, pk__gt=known).order_by("stay")
        after = After(
            told,
            [without(each, *MADE_BY_DATABASE) for each in receipts.values()],
            [
                each | {"leave_receipt_id": min(each["leave_receipt_id"] or 0, known + 1)}
                for each in Stay.objects.filter(**rows).order_by("pk").values()
            ],
            list(Participation.objects.filter(target=target).order_by("pk").values()),
        )
        transaction.set_rollback(True)
    return after


def told_one_by_one(numbers: list[int], leave: dict[str, Any]) -> dict[int, Told] | str:
    """Where the programme is frozen or closed each is told the same, and all together it once."""
    told: dict[int, Told] = {}
    cycles = Cycle.objects.filter(target_group=leave["target"].target_group_id, ends_at__gt=leave["at"])
    is_closed = cycles.filter(closed_at__isnull=False).exists()
    for number in numbers:
        customer = Customer.objects.filter(brand=leave["target"].brand_id, customer_id=number).first()
        if customer is None:
            told[number] = Told(LeaveOutcome.UNKNOWN_CUSTOMER)
            continue
        try:
            told[number] = told_of(unenroll(customer=customer, **leave, **ACT))
        except NotEnrolled as refusal:
            outcome = LeaveOutcome.ALREADY_LEFT if refusal.left_at else LeaveOutcome.NEVER_ENROLLED
            told[number] = Told(outcome, refusal.left_at)
        except CycleNotFound:
            told[number] = Told(LeaveOutcome.PERIOD_OVER)
        except StaleInstant as refusal:
            if is_closed:
                return str(refusal)
            told[number] = Told(LeaveOutcome.TRY_AGAIN)
        except DomainError as refusal:
            return str(refusal)
    return told


def told_of(receipt: Receipt) -> Told:
    scheduled = receipt.kind == ReceiptKind.LEAVE_SCHEDULED
    outcome = LeaveOutcome.SCHEDULED if scheduled else LeaveOutcome.UNENROLLED
    if receipt.request_id != ACT["request_id"]:
        return Told(outcome, receipt_in_force=receipt.pk)
    return Told(outcome, forfeited=forfeited_period(receipt), facts=str(Foreseen.of(receipt)))


def told_together(numbers: list[int], leave: dict[str, Any]) -> dict[int, Told] | str:
    try:
        lefts = unenroll_together(customer_ids=numbers, **leave, **ACT)
    except DomainError as refusal:
        return str(refusal)
    return {
        number: Told(
            left.outcome,
            left.left_at,
            left.forfeited,
            left.facts,
            left.receipt_id if left.is_repeated else None,
        )
        for number, left in lefts.items()
    }


def compare(seed: int) -> set[str]:
    """Everybody in some situation leaves, now and at the end of the cycle; outcomes and refusals that came of it."""
    outcomes: set[str] = set()
    with transaction.atomic():
        scene = Situations(seed)
        target = Target.objects.select_related("target_group").get(pk=scene.target.pk)
        for effective in Effective:
            leave: dict[str, Any] = {
                "target": target,
                "at": scene.at,
                "effective": effective,
                "even_if_inactive": seed % 8 == 2,
                "dry_run": seed % 6 == 0,
            }
            one_by_one = taken_back(target, lambda leave=leave: told_one_by_one(scene.numbers, leave))
            together = taken_back(target, lambda leave=leave: told_together(scene.numbers[::-1], leave))
            assert together == one_by_one, seed
            told = one_by_one.told
            outcomes |= {told} if isinstance(told, str) else {each.outcome for each in told.values()}
        transaction.set_rollback(True)
    return outcomes


@pytest.mark.django_db
def test_in_every_situation_that_the_tables_hold_many_leave_as_each_would_alone():
    outcomes = set().union(*map(compare, range(SITUATIONS)))

    refusals = {each.split()[0] for each in outcomes - set(LeaveOutcome)}
    assert refusals == {"Something", "Target"}  # newer: it was closed; not found, as it is inactive
    assert outcomes & set(LeaveOutcome) == {
        LeaveOutcome.UNENROLLED,
        LeaveOutcome.SCHEDULED,
        LeaveOutcome.ALREADY_LEFT,
        LeaveOutcome.NEVER_ENROLLED,
        LeaveOutcome.UNKNOWN_CUSTOMER,
        LeaveOutcome.PERIOD_OVER,
        LeaveOutcome.TRY_AGAIN,
    }


@pytest.mark.soak
@pytest.mark.django_db
@pytest.mark.timeout(0)
def test_in_thousands_of_situations_many_leave_as_each_would_alone():
    for seed in range(SITUATIONS, 2_000):
        compare(seed)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_whoever_leaves_together_leaves_as_he_would_alone_in_many_histories(database):
    for seed in range(1, 14):
        play(seed, CrowdedHistories, phases=(Phase.generate,))
