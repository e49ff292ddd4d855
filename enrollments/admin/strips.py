"""Cycles side by side, as many as are shown at once; and an account as such a strip."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from enrollments.enums import Verdict
from enrollments.receipts import Account, CycleLine
from enrollments.standing import CycleStanding

CYCLES_AT_ONCE = 24
CYCLES_TO_COME = 6  # of them, so that most are of what has been

# Beside the colour and the words: told apart also where neither is seen.
SIGNS = {
    Verdict.KEPT: "✓",
    Verdict.LEFT_REWARD_KEPT: "✓",
    Verdict.LEFT_REWARD_FORFEITED: "✕",
    Verdict.LEFT: "↩",
    Verdict.NOT_MEMBER: "○",
    Verdict.MEMBER: "▸",
}

Line = TypeVar("Line", CycleLine, CycleStanding)


def around_now(lines: Sequence[Line], at: datetime) -> Sequence[Line]:
    """At most as many as are shown at once: those to come soon, and before them those that have been."""
    begun = sum(1 for line in lines if line.cycle.has_begun(at))
    end = min(len(lines), max(begun + CYCLES_TO_COME, CYCLES_AT_ONCE))
    return lines[max(0, end - CYCLES_AT_ONCE) : end]


@dataclass(frozen=True)
class VerdictBox:
    """One cycle with its verdict. `is_running`: at the instant of the account."""

    line: CycleLine
    is_running: bool

    @property
    def sign(self) -> str:
        return SIGNS[self.line.verdict]


@dataclass(frozen=True)
class Strip:
    """`others`: how many more cycles there are."""

    boxes: list[VerdictBox]
    others: int


def strip_of(account: Account) -> Strip:
    """The cycles around the instant of the account."""
    lines = around_now(account.cycles, account.receipt.effective_at)
    running = account.receipt.running_cycle
    boxes = [VerdictBox(line, line.cycle.number == running) for line in lines]
    return Strip(boxes, len(account.cycles) - len(lines))
