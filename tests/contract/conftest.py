"""The scene of the document's examples: the brand, the customers and the programmes that they speak of."""

from dataclasses import dataclass

import pytest

from tests.conftest import Site
from tests.factories import CustomerFactory

CUSTOMER = 423789336


@dataclass
class Scene:
    """A milestone, a customer in it who has bought, and the ids that stand in paths."""

    site: Site
    ids: dict[str, int]

    def path(self, template: str) -> str:
        for name, number in self.ids.items():
            template = template.replace(f"{{{name}}}", str(number))
        return template


def milestone(name: str = "Running", **details: object) -> dict[str, object]:
    return {
        "name": name,
        "trackingType": "DEFAULT",
        "targetEvaluationType": "FIXED_CALENDAR_WINDOW",
        "frequencyType": "MONTHLY",
        "frequency": 1,
        "totalPeriods": 5,
        "targetCycleStartDate": "2026-01-01T00:00:00",
        "targets": [
            {
                "name": name,
                "targetEntity": "TRANSACTION",
                "targetType": "COUNT",
                "eventName": "purchase",
                "defaultValues": [{"defaultValue": 1}],
                "rewardAllocationType": "PERIOD_END",
                "reward": {"name": "100 points", "kind": "POINTS", "value": 100},
            }
        ],
    } | details


@pytest.fixture
def scene(site: Site) -> Scene:
    return new_scene(site)


def new_scene(site: Site) -> Scene:
    CustomerFactory(brand=site.brand, customer_id=CUSTOMER)
    status, answer = site.post("/v3/targetGroups", milestone())
    assert status == 201
    group, target = answer["data"]["id"], answer["data"]["targets"][0]["id"]
    scene = Scene(site, {"targetGroupId": group, "targetId": target, "customerId": CUSTOMER})
    assert site.post(scene.path("/v3/targetGroups/{targetGroupId}/targets/{targetId}/enroll"), record())[0] == 200
    buy(site)
    scene.ids["receiptId"] = site.get(
        scene.path("/v3/targetGroups/{targetGroupId}/targets/{targetId}/enrollments/{customerId}")
    )[1]["data"]["receipts"][0]["receiptId"]
    return scene


def record(**details: object) -> list[dict[str, object]]:
    return [{"customerId": CUSTOMER} | details]


def buy(site: Site) -> None:
    activity = {
        "eventId": "bought",
        "eventName": "purchase",
        "customerId": CUSTOMER,
        "occurredAt": "2026-01-01T12:00:00Z",
    }
    assert site.post("/v3/activities", activity)[0] == 200
