"""The story of the demo for people: what each customer kept, left and forfeited."""

from itertools import groupby
from typing import Any

from rich.console import Console
from rich.text import Text

from enrollments.demo.playing import Outcome
from enrollments.enums import Verdict

STYLES = {"kept": "green", "rewarded": "green", "paid later": "green", "left": "yellow", "forfeited": "bold red"}


def print_story(console: Console, outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        print_outcome(console, outcome)
    wrong = sum(1 for outcome in outcomes if outcome.differences())
    right = len(outcomes) - wrong
    style = "bold red" if wrong else "bold green"
    console.print(f"{right} of {len(outcomes)} outcomes are as published.", style=style)


def print_outcome(console: Console, outcome: Outcome) -> None:
    console.print(Text(outcome.case.title, style="bold"))
    console.print(Text(f"  {outcome.case.programme}, customer {outcome.customer_id}", style="dim"))
    for what, text in account(outcome).items():
        console.print(Text(f"  {what:<11}", style=STYLES.get(what, "")).append(text, style="default"))
    differences = outcome.differences()
    for difference in differences:
        console.print(Text(f"  ✗ {difference}", style="bold red"))
    if not differences:
        console.print(Text("  ✓ as published", style="green"))
    console.print()


def account(outcome: Outcome) -> dict[str, str]:
    """What was kept, left, forfeited and given, a phrase for each; `paid later` only where something was."""
    lines = outcome.receipt["cycles"]
    forfeited = [line["refCode"] for line in lines if line["verdict"] == Verdict.LEFT_REWARD_FORFEITED]
    at_leaving = len(outcome.granted_when_leaving)
    later = outcome.granted[at_leaving:]
    found = {
        "kept": spans(lines, lambda line: line["verdict"] == Verdict.KEPT),
        "left": spans(lines, lambda line: line["verdict"].startswith(Verdict.LEFT)),
        "forfeited": f"the reward of {', '.join(forfeited)}" if forfeited else "-",
        "rewarded": ", ".join(outcome.granted[:at_leaving]) or "-",
    }
    return found | {"paid later": ", ".join(later)} if later else found


def spans(lines: list[dict[str, Any]], holds: Any) -> str:
    """Which cycles, consecutive ones together: `c1 to c12`; a dash for none."""
    found = []
    for is_held, group in groupby(lines, key=holds):
        names = [line["refCode"] for line in group]
        if is_held:
            found.append(names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}")
    return ", ".join(found) or "-"
