"""The scene of the tests of the page that defines programmes: a marketing person, and what is typed."""

import re
from html import unescape
from typing import Any

from django.http import HttpResponse
from django.test import Client

from tests.enrollments.admin_scene import signed_in, staff

ADD = "/admin/targets/targetgroup/add/"
MAY_DEFINE = ("targets.add_targetgroup", "targets.view_targetgroup")
HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
TYPED_IN_TABLE = re.compile(r'<input type="text" name="(cycle-[^"]*)" value="([^"]*)"')


def marketing(**details: Any) -> Client:
    return signed_in(staff(*MAY_DEFINE, **details))


def typed(brand: Any, **changes: str) -> dict[str, str]:
    """A milestone of three months from 31 January, as typed into a fresh page; double underscores become dashes."""
    fields = {
        "kind": "DEFAULT",
        "brand": str(brand.pk),
        "name": "ABC",
        "window": "FIXED_CALENDAR_WINDOW",
        "time_zone": "Europe/Berlin",
        "first_day": "2026-01-31",
        "length": "1",
        "unit": "MONTHLY",
        "cycle_count": "3",
        "late_days": "2",
        "counts_before_enrolment": "on",
        "targets": "1",
        "levels": "3",
    }
    return fields | target(0) | {name.replace("__", "-"): value for name, value in changes.items()}


def target(number: int, **changes: str) -> dict[str, str]:
    fields = {
        "name": "Spend" if number == 0 else f"Spend {number}",
        "kpi": "SALES",
        "entity": "TRANSACTION",
        "event_name": "purchase",
        "value": "500",
        "allocation": "IMMEDIATE",
        "reward-kind": "POINTS",
        "reward-name": "Fifty",
        "reward-value": "50",
    }
    fields |= {name.replace("__", "-"): value for name, value in changes.items()}
    return {f"target-{number}-{name}": value for name, value in fields.items()}


def condition(number: int, attribute: str, comparison: str, value: str) -> dict[str, str]:
    fields = {"attribute": attribute, "comparison": comparison, "value": value}
    return {f"target-0-condition-{number}-{name}": text for name, text in fields.items()}


def untouched_target(number: int) -> dict[str, str]:
    """What a browser sends of a target in which nothing was typed."""
    reward = {"reward-kind": "", "reward-name": "", "reward-value": "", "reward-payload": ""}
    fields = {"name": "", "kpi": "COUNT", "entity": "TRANSACTION", "value": "", "allocation": "IMMEDIATE"} | reward
    fields |= {f"condition-{row}-comparison": "text" for row in range(4)}
    return {f"target-{number}-{name}": text for name, text in fields.items()}


def level(number: int, count: int, name: str, **changes: str) -> dict[str, str]:
    fields = {"count": str(count), "name": name} | {key.replace("__", "-"): value for key, value in changes.items()}
    return {f"level-{number}-{name}": value for name, value in fields.items()}


def streak(brand: Any, **changes: str) -> dict[str, str]:
    """The same as a streak with two levels."""
    no_reward = {f"target-0-reward-{name}": "" for name in ("kind", "name", "value")}
    reward = {"reward__kind": "BADGE", "reward__name": "Silver badge"}
    return (
        typed(brand, kind="STREAKS")
        | no_reward
        | level(0, 1, "Bronze")
        | level(1, 3, "Silver", **reward)
        | {name.replace("__", "-"): value for name, value in changes.items()}
    )


def press(client: Client, button: str, fields: dict[str, str]) -> HttpResponse:
    return client.post(ADD, fields | {button: "x"})


def sent_by(response: HttpResponse, **changes: str) -> dict[str, str]:
    """What the preview sends: its hidden fields and what stands in its table."""
    html = response.content.decode()
    found = [*HIDDEN.findall(html), *TYPED_IN_TABLE.findall(html)]
    fields = {name: unescape(value) for name, value in found if name != "csrfmiddlewaretoken"}
    return fields | {name.replace("__", "-"): value for name, value in changes.items()}


def create(client: Client, fields: dict[str, str], **changes: str) -> HttpResponse:
    """By way of the preview, as a person does."""
    return press(client, "create", sent_by(press(client, "preview", fields), **changes))
