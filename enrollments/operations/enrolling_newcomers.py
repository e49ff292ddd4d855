"""The set-based twin of `enroll`, for the many who were never in the target (domain.md 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from enrollments.enums import ReceiptKind, Source, Verdict
from enrollments.locks import share_running_cycle
from enrollments.models import Participation, Receipt, Run, Stay
from enrollments.operations.accounting import Origin, account_fields
from enrollments.operations.enrolling import NONE_TO_JOIN, ignored_fields, joinable
from targets.errors import CycleNotFound, StaleInstant
from targets.models import Customer, Cycle, Target


@dataclass(frozen=True)
class Newcomer:
    """Who joins, and how: see `enroll`. A balance may be given for a streak only, which ignores it."""

    customer: Customer
    period_name: str | None = None
    initial_balance: Decimal | None = None
    reset_streak: bool = False


def enroll_newcomers(
    *,
    target: Target,
    newcomers: Sequence[Newcomer],
    at: datetime,
    by: str,
    source: Source,
    request_id: str = "",
    batch_id: UUID | None = None,
) -> list[Receipt | CycleNotFound]:
    """Enrol customers without a participation, each as `enroll` does, in a constant number of statements.

    The receipt of each, or why not, in the order given. Raises `TargetGroupNotFound`, `TargetNotFound` (inactive) and
    `StaleInstant`; `IntegrityError` where one was enrolled or erased meanwhile: then nothing is written, and `enroll`
    is to be asked for each.
    """
    with transaction.atomic():
        found = _cycles_to_join(target, newcomers, at)
        # As ever, participations are locked (here: made) before the calendar.
        participations = Participation.objects.bulk_create(
            Participation(
                brand_id=target.brand_id,
                customer=newcomer.customer,
                target=target,
                first_enrolled_at=at,
                changed_at=at,
            )
            for newcomer, cycle in zip(newcomers, found, strict=True)
            if isinstance(cycle, Cycle)
        )
        running = share_running_cycle(target, None, at)
        if [_name(each) for each in _cycles_to_join(target, newcomers, at)] != [_name(each) for each in found]:
            raise StaleInstant(at)  # the calendar has changed between the two looks
        joining = [
            (newcomer, cycle) for newcomer, cycle in zip(newcomers, found, strict=True) if isinstance(cycle, Cycle)
        ]
        receipts = iter(
            _store(target, joining, participations, running, Origin(at, by, source, "", request_id, batch_id))
            if running is not None
            else ()
        )
        return [next(receipts) if isinstance(cycle, Cycle) else cycle for cycle in found]


def _cycles_to_join(target: Target, newcomers: Sequence[Newcomer], at: datetime) -> list[Cycle | CycleNotFound]:
    """For each newcomer the cycle he is to join, or why he cannot."""
    cycles = list(Cycle.objects.filter(target_group=target.target_group_id).order_by("number"))
    by_name = {cycle.ref_code: cycle for cycle in cycles}
    running = next((cycle for cycle in cycles if not cycle.has_ended(at)), None)
    found: list[Cycle | CycleNotFound] = []
    for newcomer in newcomers:
        try:
            if running is None:
                raise CycleNotFound(NONE_TO_JOIN)
            name = newcomer.period_name
            if name is None:
                found.append(running)
            else:
                found.append(joinable(by_name.get(name), name, target.target_group, running, at))
        except CycleNotFound as refusal:
            found.append(refusal)
    return found


def _name(cycle: Cycle | CycleNotFound) -> int | str:
    return cycle.number if isinstance(cycle, Cycle) else cycle.message


def _store(
    target: Target,
    joining: list[tuple[Newcomer, Cycle]],
    participations: list[Participation],
    running: Cycle,
    origin: Origin,
) -> list[Receipt]:
    Run.objects.bulk_create(Run(participation=each, number=1, started_at=origin.at) for each in participations)
    stays = Stay.objects.bulk_create(
        Stay(participation=participation, run_number=1, first_cycle=cycle.number, enrolled_at=origin.at)
        for participation, (_, cycle) in zip(participations, joining, strict=True)
    )
    is_streak = target.target_group.is_streak
    return Receipt.objects.bulk_create(
        Receipt(
            **account_fields(
                origin,
                participation=participation,
                stay=stay,
                streak_count=0,  # there is no progress yet
                running=running,
            ),
            kind=ReceiptKind.ENROLLED,
            from_cycle=cycle.number,
            running_verdict=Verdict.MEMBER if running.number >= cycle.number else "",
            running_value=Decimal(0),
            ignored_fields=ignored_fields(is_streak, newcomer.initial_balance, newcomer.reset_streak),
        )
        for participation, stay, (newcomer, cycle) in zip(participations, stays, joining, strict=True)
    )
