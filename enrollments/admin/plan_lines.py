"""What the page of an uploaded list shows: its counts, and its lines with what leaving means for each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.http import HttpRequest
from django.utils.http import urlencode

from enrollments.enums import LeaveOutcome, PlanState
from enrollments.foreseen import NOTHING, Foreseen
from enrollments.models import LeavePlan, Participation, PlannedLeave, Receipt, Stay
from enrollments.receipts import Account, accounts

FORESEEN = {
    LeaveOutcome.UNENROLLED: "Leaves now",
    LeaveOutcome.SCHEDULED: "Leaves at the end of the running cycle",
    LeaveOutcome.ALREADY_LEFT: "Has left already",
}


@dataclass(frozen=True)
class Tally:
    """How many lines are so. `query` shows just these."""

    label: str
    count: int
    query: str
    is_shown: bool


@dataclass(frozen=True)
class Line:
    """One line of the list, with what leaving means, or has meant."""

    line: PlannedLeave
    account: Account | None

    @property
    def verdict(self) -> str:
        return FORESEEN.get(LeaveOutcome(self.line.verdict), self.line.get_verdict_display())

    @property
    def is_leaving(self) -> bool:
        return bool(self.line.facts)

    @property
    def has_left(self) -> bool:
        return self.line.receipt_id is not None and not self.line.message


def chosen_lines(request: HttpRequest) -> tuple[Q, dict[str, str]]:
    """Which lines the address asks for, and the part of it that does; what is no verdict is passed over."""
    for name in ("verdict", "outcome"):
        if (value := request.GET.get(name)) in LeaveOutcome.values:
            return Q(**{name: value}), {name: str(value)}
    return (~Q(forfeited=""), {"forfeits": "1"}) if "forfeits" in request.GET else (Q(), {})


def counts_of(
    plan: LeavePlan, counted: Sequence[tuple[str, str, int, int, int]], chosen: dict[str, str]
) -> list[Tally]:
    """All lines; by what is planned, or once it runs by what became of them; and those that forfeit."""
    is_run = plan.state in (PlanState.RUNNING, PlanState.DONE)
    name = "outcome" if is_run else "verdict"
    sums: Counter[str] = Counter()
    for verdict, outcome, lines, *_ in counted:
        sums[outcome if is_run else verdict] += lines
    labels = {} if is_run else FORESEEN
    by_word: list[tuple[str, int, dict[str, str]]] = [
        (labels.get(word, word.label), sums[word], {name: word.value}) for word in LeaveOutcome if word in sums
    ]
    forfeiting = sum(row[3] for row in counted)
    found = [("All", plan.rows, {}), *by_word]
    if forfeiting:
        found.append(("Forfeits a reward", forfeiting, {"forfeits": "1"}))
    return [Tally(label, count, urlencode(query), query == chosen) for label, count, query in found]


def lines_of(plan: LeavePlan, rows: Sequence[PlannedLeave]) -> list[Line]:
    """Each with what its leave means: as its receipt says, or as was foreseen. A constant number of statements."""
    receipts = Receipt.objects.in_bulk([row.receipt_id for row in rows if row.receipt_id is not None])
    foreseen = {
        row.pk: found for row in rows if row.receipt_id is None and (found := Foreseen.read(row.facts)) is not None
    }
    customers = [row.customer_id for row in rows if row.pk in foreseen]
    participations = {
        each.customer_id: each for each in Participation.objects.filter(target=plan.target, customer__in=customers)
    }
    stays = Stay.objects.in_bulk([int(each.stay) for each in foreseen.values()])
    told: dict[int, Receipt] = {row.pk: receipts[row.receipt_id] for row in rows if row.receipt_id in receipts}
    for row in rows:
        if row.pk in foreseen and row.customer_id in participations:
            facts = foreseen[row.pk]
            told[row.pk] = receipt_foreseen(plan, facts, participations[row.customer_id], stays[int(facts.stay)])
    rendered = dict(zip(told, accounts(list(told.values())), strict=True))
    return [Line(row, rendered.get(row.pk)) for row in rows]


def receipt_foreseen(plan: LeavePlan, facts: Foreseen, participation: Participation, stay: Stay) -> Receipt:
    """What would be written, as far as an account of it needs that."""
    at = plan.planned_at or plan.uploaded_at
    return Receipt(
        participation=participation,
        stay=stay,
        kind=facts.kind,
        from_cycle=int(facts.end_cycle),
        first_cycle=stay.first_cycle,
        end_cycle_before=_number(facts.end_cycle_before),
        end_cycle=int(facts.end_cycle),
        running_cycle=_number(facts.running_cycle),
        running_verdict=facts.running_verdict.replace(NOTHING, ""),
        run_number=int(facts.run_number),
        streak_count=int(facts.streak_count),
        cycle_count=int(facts.cycle_count),
        programme_version=plan.target.target_group.version,
        effective_at=at,
        recorded_at=at,
    )


def _number(text: str) -> int | None:
    return None if text == NOTHING else int(text)
