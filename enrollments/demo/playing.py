"""Playing the cases as an integrator would: nothing but HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import requests
import simplejson

from enrollments.demo.cases import BEGINNING, CASES, END, PROGRAMMES, Case, Step

FIRST_CUSTOMER = 423789336
NAMES = ("Ada", "Ben", "Chen", "Dara", "Emre", "Fay", "Gita", "Hugo", "Ines", "Jun", "Kofi", "Lena")  # one a case
SECONDS = 30  # until a call is given up


class CallFailed(Exception):
    """A call was refused that should not be."""


@dataclass
class Outcome:
    """What came of a case, in the words of the API."""

    case: Case
    customer_id: int
    preview: dict[str, Any] = field(default_factory=dict)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    receipt: dict[str, Any] = field(default_factory=dict)
    granted_when_leaving: list[str] = field(default_factory=list)
    grants: list[dict[str, Any]] = field(default_factory=list)

    @property
    def granted(self) -> list[str]:
        return [grant_name(grant) for grant in self.grants]

    def differences(self) -> list[str]:
        """What is not as it must be; nothing when all is right."""
        case = self.case
        at_leaving = list(case.granted[: len(case.granted) - len(case.paid_later)])
        compared = {
            "verdicts": (list(case.verdicts), verdicts(self.receipt)),
            "verdicts of the preview": (list(case.verdicts), verdicts(self.preview)),
            "levels": (list(case.levels), [line["verdict"] for line in self.receipt["levels"]]),
            "warnings": (list(case.warnings), [warning["code"] for warning in self.warnings]),
            "rewards given by the time of leaving": (at_leaving, self.granted_when_leaving),
            "rewards given in the end": (list(case.granted), self.granted),
        }
        return [f"{what}: {found}, not {wanted}" for what, (wanted, found) in compared.items() if found != wanted]


def verdicts(receipt: dict[str, Any]) -> list[str]:
    return [line["verdict"] for line in receipt["cycles"]]


def grant_name(grant: dict[str, Any]) -> str:
    return str(grant["streakName"] or grant["periodRefCode"])


class Player:
    """Defines the programmes in an empty sandbox brand, and lets every customer live his story on its clock."""

    def __init__(self, address: str, username: str, password: str) -> None:
        self.address = address
        self.session = requests.Session()
        self.session.auth = (username, password)
        self.session.trust_env = False  # no proxy between us and our own site
        self.outcomes = [Outcome(case, FIRST_CUSTOMER + number) for number, case in enumerate(CASES)]
        self.paths: dict[str, str] = {}
        self.events = 0

    def play(self) -> Iterator[int]:
        """Yields the number of steps done; `outcomes` are complete when it ends. Raises `CallFailed`."""
        self._define()
        now = BEGINNING
        for done, (step, outcome) in enumerate(self.steps()):
            if step.at > now:
                now = step.at
                self.set_clock(now)
            self._act(step, outcome)
            yield done + 1
        self.set_clock(END)
        for outcome in self.outcomes:
            outcome.grants = self._standing(outcome)["grants"]

    def steps(self) -> list[tuple[Step, Outcome]]:
        """Everybody's, in the order in which they happen."""
        everybody = [(step, outcome) for outcome in self.outcomes for step in outcome.case.steps]
        return sorted(everybody, key=lambda each: each[0].at)

    def set_clock(self, now: datetime) -> None:
        self.call("PUT", "/v3/clock", {"now": now.isoformat()})

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The envelope of the answer. Raises `CallFailed` unless it is a success."""
        content = None if body is None else simplejson.dumps(body)
        headers = {"Content-Type": "application/json"}
        try:
            response = self.session.request(method, self.address + path, data=content, headers=headers, timeout=SECONDS)
            envelope: dict[str, Any] = response.json()
        except requests.RequestException as error:
            raise CallFailed(f"{method} {path}: {error}") from error
        if not response.ok:
            raise CallFailed(f"{method} {path}: {response.status_code} {envelope['errors']}")
        return envelope

    def _define(self) -> None:
        self.set_clock(BEGINNING)
        for body in PROGRAMMES:
            group = self.call("POST", "/v3/targetGroups", body)["data"]
            self.paths[group["name"]] = f"/v3/targetGroups/{group['id']}/targets/{group['targets'][0]['id']}"
        for outcome, name in zip(self.outcomes, NAMES, strict=True):
            self.call("PUT", f"/v3/customers/{outcome.customer_id}", {"firstName": name})

    def _act(self, step: Step, outcome: Outcome) -> None:
        path = self.paths[outcome.case.programme]
        record = {"customerId": outcome.customer_id} | step.record
        match step.action:
            case "enroll":
                self.call("POST", f"{path}/enroll", [record])
            case "buy":
                self.events += 1
                event = {"eventId": f"demo-{self.events}", "eventName": "purchase", "occurredAt": step.at.isoformat()}
                self.call("POST", "/v3/activities", record | event)
            case "leave":
                outcome.preview = self.call("POST", f"{path}/unEnroll/preview", [record])["data"]
                outcome.warnings = self.call("POST", f"{path}/unEnroll", [record])["warnings"] or []
                standing = self._standing(outcome)
                outcome.granted_when_leaving = [grant_name(grant) for grant in standing["grants"]]
                receipt_id = standing["receipts"][-1]["receiptId"]
                outcome.receipt = self.call("GET", f"/v3/receipts/{receipt_id}")["data"]

    def _standing(self, outcome: Outcome) -> dict[str, Any]:
        path = f"{self.paths[outcome.case.programme]}/enrollments/{outcome.customer_id}"
        standing: dict[str, Any] = self.call("GET", path)["data"]
        return standing
