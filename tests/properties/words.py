"""What the product holds and answers, in the words of the reference, so that both can be compared."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from enrollments.enums import Verdict
from enrollments.models import Participation
from enrollments.operations import Recorded
from enrollments.receipts import Account
from enrollments.standing import Standing, standings
from enrollments.why import Known, why_cycle, why_level
from rewards.models import Grant
from targets.errors import DomainError, WarningCode
from targets.errors import StaleInstant as ProductStaleInstant
from targets.models import Brand
from tests.properties import programme as model
from tests.properties.reference import Reference

FACTS = """
SELECT participation.customer_id, participation.target_id, participation.run_number, participation.changed_at,
       (SELECT json_agg(json_build_array(run_number, first_cycle, end_cycle) ORDER BY id)
          FROM enrollments_stay WHERE participation_id = participation.id),
       (SELECT json_agg(json_build_array(run_number, cycle_number, value::text, achieved_at IS NOT NULL))
          FROM enrollments_progress WHERE participation_id = participation.id),
       (SELECT json_agg(json_build_array(cycle_number, run_number, target_count))
          FROM rewards_grant given LEFT JOIN targets_streaklevel level ON level.id = given.level_id
         WHERE given.customer_id = participation.customer_id AND given.target_id = participation.target_id),
       (SELECT count(*) FROM enrollments_receipt WHERE participation_id = participation.id)
  FROM enrollments_participation participation
 WHERE participation.brand_id = %s
"""


@dataclass(frozen=True)
class Refused:
    """A refusal, of either side."""

    code: int | str
    left_at: datetime | None = None


@dataclass(frozen=True)
class Facts:
    """What the tables hold of one customer in one target."""

    stays: list[tuple[int, int, int | None]]
    run: int | None
    changed_at: datetime | None
    values: dict[tuple[int, int], Decimal]
    achieved: frozenset[tuple[int, int]]
    grants: frozenset[tuple]


NEVER_ENROLLED = Facts([], None, None, {}, frozenset(), frozenset())


@dataclass(frozen=True)
class View:
    """How he stands, as the reading side tells it."""

    is_enrolled: bool
    leaves_after: int | None
    count: int
    cycles: dict[int, model.CycleView]
    levels: dict[int, str]


def answer_of(operation: Callable[[], Any]) -> Any:
    """What the operation answers, of either side; a refusal becomes a value."""
    try:
        return operation()
    except (model.StaleInstant, ProductStaleInstant):
        return Refused("stale")
    except model.Refusal as refusal:
        return Refused(refusal.code, refusal.left_at)
    except DomainError as refusal:
        return Refused(refusal.error.value.code, getattr(refusal, "left_at", None))


def agree(product: Any, expected: Any) -> None:
    """Raises `AssertionError` that names what differs."""
    if product == expected:
        return
    lines = [f"the product says {product!r}", f"the reference {expected!r}"]
    if type(product) is type(expected) and isinstance(product, Facts | View | model.Outcome):
        lines = [
            f"{field.name}: the product says {getattr(product, field.name)!r}, "
            f"the reference {getattr(expected, field.name)!r}"
            for field in fields(product)
            if getattr(product, field.name) != getattr(expected, field.name)
        ]
    raise AssertionError("\n".join(lines))


def outcome(told: Account) -> model.Outcome:
    receipt = told.receipt
    forfeited = [line.cycle.number for line in told.forfeited]
    codes = [code for code, _ in told.warnings]
    agree(
        codes,
        [WarningCode.REWARD_FORFEITED] * len(forfeited) + [WarningCode.FIELD_IGNORED] * len(receipt.ignored_fields),
    )
    return model.Outcome(
        kind=receipt.kind,
        run=receipt.run_number,
        verdicts={line.cycle.number: str(line.verdict) for line in told.cycles},
        values={line.cycle.number: line.value for line in told.cycles},
        levels={line.level.target_count: str(line.verdict) for line in told.levels},
        count=receipt.streak_count,
        paid=frozenset(line.cycle.number for line in told.cycles if line.grant is not None),
        forfeited=forfeited,
        ignored=receipt.ignored_fields,
    )


def everything(told: Account) -> tuple:
    """All that a receipt says, for comparing it with itself later."""
    return (
        outcome(told),
        told.from_cycle and told.from_cycle.pk,
        [(line.target_value, line.achieved_at, line.grant and line.grant.pk) for line in told.cycles],
        [line.grant and line.grant.pk for line in told.levels],
        told.warnings,
        told.receipt.effective_at,
        told.receipt.recorded_at,
        told.receipt.undoes_id,
        told.receipt.reason,
        told.receipt.request_id,
    )


def without_texts(reads: tuple) -> tuple:
    """How a receipt reads when its customer is erased: the reason and the request id are empty."""
    return (*reads[:-2], "", "")


def outcomes(recorded: Recorded) -> tuple[dict[int, Any], str | None]:
    """What became of an activity, by target; and why it counted nowhere."""
    if isinstance(recorded, Refused):
        return {}, str(recorded)
    by_target: dict[int, Any] = {}
    for each in recorded.outcomes:
        if each.reason:
            by_target[each.participation.target_id] = model.NotCounted(str(each.reason))
            continue
        granted = Grant.objects.filter(pk__in=each.grant_ids).select_related("level") if each.grant_ids else ()
        by_target[each.participation.target_id] = model.Counted(
            run=each.run_number,
            cycle=each.cycle_number,
            value=each.value,
            is_achieved=each.achieved,
            granted=frozenset(key_of(grant) for grant in granted),
        )
    return by_target, recorded.not_counted, recorded.is_duplicate


def key_of(grant: Grant) -> tuple:
    return key(grant.cycle_number, grant.run_number, grant.level and grant.level.target_count)


def key(cycle: int, run: int, level: int | None) -> tuple:
    return ("cycle", cycle) if level is None else ("level", run, level)


def stored_facts(brand: Brand) -> tuple[dict[tuple[int, int], Facts], int]:
    """(customer, target) -> facts, of everybody who ever enrolled; and the number of receipts."""
    with connection.cursor() as cursor:
        cursor.execute(FACTS, [brand.pk])
        rows = cursor.fetchall()
    facts = {}
    for customer, target, run, changed_at, stays, progress, grants, _ in rows:
        progress = progress or []
        facts[customer, target] = Facts(
            stays=[tuple(stay) for stay in stays],
            run=run,
            changed_at=changed_at,
            values={(of_run, cycle): Decimal(value) for of_run, cycle, value, _ in progress},
            achieved=frozenset((of_run, cycle) for of_run, cycle, _, is_achieved in progress if is_achieved),
            grants=frozenset(key(*grant) for grant in grants or []),
        )
    return facts, sum(row[-1] for row in rows)


def expected_facts(reference: Reference) -> Facts:
    return Facts(
        stays=reference.stays,
        run=reference.run,
        changed_at=reference.changed_at,
        values=reference.values(),
        achieved=reference.achieved(),
        grants=reference.grants(),
    )


def view(participation: Participation, at: datetime) -> View:
    standing = standings([participation], at)[0]
    expect_sentences_to_agree(standing, at)
    return View(
        is_enrolled=standing.is_enrolled,
        leaves_after=standing.leaves_at_end_of and standing.leaves_at_end_of.number,
        count=standing.streak_count,
        cycles={
            line.cycle.number: model.CycleView(str(line.verdict), line.value, line.grant is not None)
            for line in standing.cycles
        },
        levels={line.level.target_count: str(line.verdict) for line in standing.levels},
    )


def expect_sentences_to_agree(standing: Standing, at: datetime) -> None:
    """Whoever reads that something was granted has it; whoever reads that it was not has forfeited it."""
    said = [why_cycle(standing, line, Known(at)).text for line in standing.cycles]
    assert [text.startswith("Granted on ") for text in said] == [line.grant is not None for line in standing.cycles]
    forfeited = [line.verdict == Verdict.LEFT_REWARD_FORFEITED for line in standing.cycles]
    assert [text.startswith("Not granted: ") for text in said] == forfeited
    for text, line in zip(said, standing.cycles, strict=True):
        if line.grant is None and line.verdict != Verdict.LEFT_REWARD_FORFEITED:
            is_achieved = line.achieved_at is not None
            assert text.startswith(("Achieved on ", "Reached, ")) == is_achieved, (text, line)
            is_out = not any(stay.covers(line.cycle.number) for stay in standing.stays)
            assert is_out or not text.startswith("Not a member"), (text, line)
            is_missed = not is_out and line.cycle.has_ended(at) and not is_achieved
            assert text.startswith("Not achieved") or not is_missed, (text, line)
    said = [why_level(standing, line).text for line in standing.levels]
    assert [text.startswith("Granted on ") for text in said] == [line.grant is not None for line in standing.levels]


def expected_view(reference: Reference, at: datetime) -> View | None:
    if not reference.stays:
        return None
    return View(
        is_enrolled=reference.is_enrolled(at),
        leaves_after=reference.leaves_after(at),
        count=reference.count(at),
        cycles=reference.cycles(at),
        levels=reference.levels(),
    )
