"""What a preview or a plan foresaw of one leave, small enough for a hidden field, and what is different now."""

from typing import NamedTuple

from enrollments.enums import ReceiptKind, Verdict
from enrollments.models import Receipt

NOTHING = "none"


class Foreseen(NamedTuple):
    """The facts of a leave that somebody agrees to. A value that rises without changing a verdict is none of them."""

    stay: str
    kind: str
    end_cycle_before: str
    end_cycle: str
    running_cycle: str
    running_verdict: str
    run_number: str
    streak_count: str
    cycle_count: str

    @classmethod
    def of(cls, receipt: Receipt) -> "Foreseen":
        """Of a receipt, saved or a preview."""
        return cls(*(_text(getattr(receipt, column)) for column in FACTS))

    @classmethod
    def of_facts(cls, text: str) -> "Foreseen":
        """Of what `str` has written, or the database."""
        return cls(*text.split("."))

    @classmethod
    def read(cls, text: str) -> "Foreseen | None":
        """What `str` has written; None for anything else."""
        parts = text.split(".")
        return cls(*parts) if len(parts) == len(cls._fields) else None

    def __str__(self) -> str:
        return ".".join(self)


# The facts as columns of a receipt, in this order.
FACTS = tuple("stay_id" if name == "stay" else name for name in Foreseen._fields)


def _text(value: object) -> str:
    return NOTHING if value in (None, "") else str(value)


def what_changed(before: Foreseen | None, now: Foreseen) -> list[str]:
    """The differences in words, the weightiest first; empty when what was foreseen still holds."""
    if before is None:
        return ["he was not to be unenrolled, now he would be"]
    return [
        sentence.format(before=_word(name, getattr(before, name)), now=_word(name, getattr(now, name)))
        for name, sentence in _SENTENCES
        if getattr(before, name) != getattr(now, name)
    ]


_SENTENCES = (
    ("stay", "he left and enrolled again"),
    ("running_verdict", "the verdict on the running cycle was {before}, now it is {now}"),
    ("running_cycle", "the running cycle was number {before}, now it is number {now}"),
    ("end_cycle", "he was to leave from cycle {before} on, now from cycle {now} on"),
    ("end_cycle_before", "a leave at the end of a cycle was scheduled or cancelled"),
    ("kind", "he was to be {before}, now {now}"),
    ("run_number", "the run was {before}, now it is {now}"),
    ("streak_count", "the streak count was {before}, now it is {now}"),
    ("cycle_count", "the programme had {before} cycles, now it has {now}"),
)


def _word(name: str, value: str) -> str:
    labels: dict[str, str] = {}
    if name == "running_verdict":
        labels = {str(each.value): f"“{each.label.lower()}”" for each in Verdict}
    elif name == "kind":
        labels = {str(each.value): f"“{each.label.lower()}”" for each in ReceiptKind}
    return labels.get(value, value)
