"""A brand's programme as its integrator sees it: only HTTP, with the names the published page uses."""

from datetime import date, timedelta
from typing import Any

from tests.conftest import Site

CUSTOMER = 423789336
POINTS = {"name": "100 points", "kind": "POINTS", "value": 100}


class Programme:
    """One target, with periods of 10 days named c1, c2, ... from 1 January 2026 on, and one customer."""

    def __init__(self, site: Site, answer: dict[str, Any]) -> None:
        self.site = site
        self.group = answer
        self.path = f"/targetGroups/{answer['id']}/targets/{answer['targets'][0]['id']}"
        self.events = 0

    @classmethod
    def milestone(cls, site: Site, *, cycles: int = 5, target_value: int = 2, **details: Any) -> "Programme":
        allocation = details.pop("rewardAllocationType", "IMMEDIATE")
        target = target_of("ABC", target_value) | {"rewardAllocationType": allocation, "reward": POINTS}
        body = {"name": "ABC", "trackingType": "DEFAULT", "targets": [target]} | details
        return cls.define(site, body, cycles)

    @classmethod
    def streak(
        cls,
        site: Site,
        *,
        cycles: int = 30,
        levels: tuple[int, ...] = (4, 8, 12),
        reward: Any = POINTS,
        kind: str = "STREAKS",
    ) -> "Programme":
        streaks = [{"name": f"XYZ {level}", "targetCountOfSequence": level, "reward": reward} for level in levels]
        body = {"name": "XYZ", "trackingType": kind, "targets": [target_of("XYZ", 1)], "streaks": streaks}
        return cls.define(site, body, cycles)

    @classmethod
    def define(cls, site: Site, body: dict[str, Any], cycles: int) -> "Programme":
        periods = [
            {
                "refCode": f"c{number}",
                "startDate": f"{first_day(number)}T00:00:00Z",
                "endDate": f"{first_day(number + 1) - timedelta(days=1)}T23:59:59Z",
            }
            for number in range(1, cycles + 1)
        ]
        calendar = {"targetEvaluationType": "FIXED_CALENDAR_WINDOW", "timeZoneName": "UTC", "periods": periods}
        status, answer = site.post("/v3/targetGroups", body | calendar)
        assert status == 201, answer
        assert site.put(f"/v3/customers/{CUSTOMER}", {})[0] == 201
        return cls(site, answer["data"])

    def go_to(self, cycle: int, day: int = 5) -> None:
        """Set the clock to noon of a day of a cycle; day 0 is its first."""
        self.site.set_clock(f"{first_day(cycle) + timedelta(days=day)}T12:00:00Z")

    def enroll(self, **record: Any) -> tuple[int, dict[str, Any]]:
        return self.site.post(f"{self.path}/enroll", [{"customerId": CUSTOMER} | record])

    def unenroll(self, **record: Any) -> tuple[int, dict[str, Any]]:
        return self.site.post(f"{self.path}/unEnroll", [{"customerId": CUSTOMER} | record])

    def preview(self) -> dict[str, Any]:
        return self.site.post(f"{self.path}/unEnroll/preview", [{"customerId": CUSTOMER}])[1]["data"]

    def buy(self, times: int = 1, *, cycle: int | None = None) -> list[dict[str, Any]]:
        """Record purchases now, or on the first day of a cycle."""
        now = self.site.get("/v3/clock")[1]["data"]["now"]
        occurred_at = now if cycle is None else f"{first_day(cycle)}T12:00:00Z"
        answers = []
        for _ in range(times):
            self.events += 1
            event = {"eventId": f"e{self.events}", "eventName": "purchase", "customerId": CUSTOMER}
            answers.append(self.site.post("/v3/activities", event | {"occurredAt": occurred_at})[1]["data"])
        return answers

    def standing(self) -> dict[str, Any]:
        return self.site.get(f"/v3{self.path}/enrollments/{CUSTOMER}")[1]["data"]

    def verdicts(self) -> list[str]:
        return [line["verdict"] for line in self.standing()["cycles"]]

    def receipts(self) -> list[dict[str, Any]]:
        """Whole, oldest first. Not from the feed, which waits for all transactions that are running meanwhile."""
        return [self.site.get(f"/v3/receipts/{each['receiptId']}")[1]["data"] for each in self.standing()["receipts"]]

    def granted(self) -> list[str]:
        """The names of the periods, or of the levels, that paid; in the order in which they did."""
        return [each["streakName"] or each["periodRefCode"] for each in self.standing()["grants"]]


def first_day(cycle: int) -> date:
    return date(2026, 1, 1) + timedelta(days=10 * (cycle - 1))


def target_of(name: str, value: int) -> dict[str, Any]:
    return {
        "name": name,
        "targetEntity": "TRANSACTION",
        "targetType": "COUNT",
        "eventName": "purchase",
        "defaultValues": [{"defaultValue": value}],
    }
