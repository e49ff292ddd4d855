"""What of an activity a target measures, and which activities: as POST /v3/targetGroups takes it (api.md 6)."""

from decimal import Decimal

import pytest
import simplejson

from rewards.models import Reward
from targets.models import Target, TargetGroup
from tests.rewards.test_api_target_groups import MILESTONE, changed

MATCH = {"store": {"in": ["Berlin", 7, True]}, "items": {"atLeast": Decimal("1.10"), "atMost": 10}}
OF_SALES = ["COUNT", "SALES", "GROSS_SALES", "QUANTITY", "VISIT"]
POSSIBLE = {
    "TRANSACTION": OF_SALES,
    "LINEITEM": OF_SALES,
    "EVENT": ["COUNT", "VISIT", "EVENT_ATTRIBUTE"],
    "CUSTOMER": ["COUNT", "VISIT"],
}
KPIS = [*OF_SALES, "EVENT_ATTRIBUTE"]


def milestone(**details):
    return changed(MILESTONE, ["targets", 0], MILESTONE["targets"][0] | details)


def target_of(answer):
    return answer["data"]["targets"][0]


def written(match):
    """So that 1.10 is not 1.1, and true not 1."""
    return simplejson.dumps(match, use_decimal=True, sort_keys=True)


@pytest.mark.parametrize(("entity", "kpi"), [(entity, kpi) for entity, kpis in POSSIBLE.items() for kpi in kpis])
def test_each_kpi_is_defined_for_what_it_can_be_measured_of(site, entity, kpi):
    name = "steps" if kpi == "EVENT_ATTRIBUTE" else None

    status, answer = site.post("/v3/targetGroups", milestone(targetEntity=entity, targetType=kpi, attributeName=name))

    made = target_of(answer)
    assert status == 201
    assert (made["targetEntity"], made["targetType"], made["attributeName"]) == (entity, kpi, name)
    assert target_of(site.get(f"/v3/targetGroups/{answer['data']['id']}")[1]) == made


@pytest.mark.parametrize(
    ("entity", "kpi"), [(entity, kpi) for entity in POSSIBLE for kpi in KPIS if kpi not in POSSIBLE[entity]]
)
def test_kpi_that_cannot_be_measured_of_the_entity_is_refused(site, entity, kpi):
    body = milestone(targetEntity=entity, targetType=kpi, attributeName="x" if kpi == "EVENT_ATTRIBUTE" else "")

    status, answer = site.post("/v3/targetGroups", body)

    assert (status, [each["code"] for each in answer["errors"]]) == (400, [310033])
    assert answer["errors"][0]["message"].startswith("targets[0].targetEntity: ")
    assert TargetGroup.objects.count() == 0


@pytest.mark.parametrize(
    ("details", "field"),
    [
        ({"targetEntity": "EVENT", "targetType": "EVENT_ATTRIBUTE"}, "attributeName"),
        ({"targetEntity": "EVENT", "targetType": "EVENT_ATTRIBUTE", "attributeName": ""}, "attributeName"),
        ({"targetEntity": "EVENT", "targetType": "EVENT_ATTRIBUTE", "attributeName": 7}, "attributeName"),
        ({"targetEntity": "EVENT", "targetType": "EVENT_ATTRIBUTE", "attributeName": "x" * 101}, "attributeName"),
        ({"attributeName": "steps"}, "attributeName"),
        ({"match": []}, "match"),
        ({"match": "store"}, "match"),
        ({"match": False}, "match"),
        ({"match": {"store": {"like": "B%"}}}, "match.store.like"),
        ({"match": {"items": {"atLeast": 3, "atMost": 2}}}, "match.items"),
        ({"match": {"items": {"in": [1, None]}}}, "match.items.in[1]"),
        ({"filters": [{"store": "Berlin"}]}, "filters"),
        ({"extendedFieldInfo": {"name": "steps", "aggregateFunction": "SUM"}}, "extendedFieldInfo"),
    ],
)
def test_wrong_attribute_or_match_is_refused_by_its_path_and_makes_nothing(site, details, field):
    status, answer = site.post("/v3/targetGroups", milestone(**details))

    assert (status, [each["code"] for each in answer["errors"]]) == (400, [300004])
    assert answer["errors"][0]["message"].startswith(f"targets[0].{field}")
    assert (TargetGroup.objects.count(), Target.objects.count(), Reward.objects.count()) == (0, 0, 0)


def test_match_is_kept_exactly_and_echoed(site):
    status, answer = site.post("/v3/targetGroups", milestone(match=MATCH))

    assert status == 201
    read = site.get(f"/v3/targetGroups/{answer['data']['id']}")[1]
    kept = [target_of(answer)["match"], target_of(read)["match"], Target.objects.get().match]
    assert [written(each) for each in kept] == [written(MATCH)] * 3


@pytest.mark.parametrize("match", [None, {}])
def test_no_condition_is_echoed_as_null(site, match):
    status, answer = site.post("/v3/targetGroups", milestone(match=match))

    assert (status, target_of(answer)["match"], Target.objects.get().match) == (201, None, {})
