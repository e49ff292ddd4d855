"""The examples of the OpenAPI document are carried out, and the answers are what the document says."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import simplejson
from django.db import transaction

from targets.models import ApiClient
from targets.operations import create_api_client
from tests.contract.conftest import Scene, record
from tests.contract.test_document import OPERATIONS, resolved

TARGET = "/v3/targetGroups/{targetGroupId}/targets/{targetId}"


def out(scene: Scene) -> None:
    """He is not enrolled any more, so that he can be enrolled."""
    assert scene.site.post(scene.path(f"{TARGET}/unEnroll"), record())[0] == 200


def leaving(scene: Scene) -> None:
    """He leaves at the end of the period, which can be cancelled."""
    assert scene.site.post(scene.path(f"{TARGET}/unEnroll"), record(effective="endOfCycle"))[0] == 200


def with_the_client(scene: Scene) -> None:
    """The client whose credentials the example sends."""
    create_api_client(username=scene.site.username, brand_name=None, group_name=None)
    client = ApiClient.objects.get()
    client.client_id, client.client_secret = "q3ZkX0bV8yT1mL5n", "its secret"
    client.save()


def left_in_a_batch(scene: Scene) -> None:
    """Which can be undone, by receipt or by batch."""
    answer = scene.site.post(scene.path(f"{TARGET}/unEnroll/bulk"), {"customerIds": [scene.ids["customerId"]]})[1]
    scene.ids |= {"batchId": answer["data"]["batchId"], "receiptId": answer["data"]["results"][0]["receiptId"]}


BEFORE = {
    "undoUnEnroll": left_in_a_batch,
    "undoBatch": left_in_a_batch,
    "enroll": out,
    "unEnrollCancel": leaving,
    "generateToken": with_the_client,
}
CALLS = [
    pytest.param(name, operation, example, id=f"{name}-{title}")
    for name, operation in OPERATIONS.items()
    for title, example in operation.get("requestBody", {"content": {"application/json": {"examples": {"": None}}}})[
        "content"
    ]["application/json"]["examples"].items()
]


@pytest.mark.parametrize(("name", "operation", "example"), CALLS)
def test_example_is_carried_out_and_answered_as_described(scene, name, operation, example):
    BEFORE.get(name, lambda scene: None)(scene)
    body = simplejson.dumps(example["value"]) if example else ""

    response = scene.site.client.generic(
        operation["method"].upper(), scene.path(operation["path"]), body, "application/json"
    )

    assert response.status_code in (200, 201), response.content
    schema = operation["responses"][str(response.status_code)]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator(resolved(schema)).validate(simplejson.loads(response.content))


ONE_OF_EACH = list({each.values[0]: each for each in CALLS if each.values[2]}.values())


@pytest.mark.parametrize(("name", "operation", "example"), ONE_OF_EACH)
def test_unknown_field_is_refused_where_the_document_forbids_it(scene, name, operation, example):
    """In the object itself, and in the first of each list in it."""
    BEFORE.get(name, lambda scene: None)(scene)
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    document = jsonschema.Draft202012Validator(resolved(schema))

    for body in with_an_unknown_field(example["value"]):
        with transaction.atomic():
            response = scene.site.client.generic(
                operation["method"].upper(), scene.path(operation["path"]), simplejson.dumps(body), "application/json"
            )
            transaction.set_rollback(True)

        assert (response.status_code == 400) == (not document.is_valid(body)), (body, response.content)


def with_an_unknown_field(value: Any) -> Iterator[Any]:
    """Copies of `value`, each with one at another place."""
    if isinstance(value, dict):
        yield value | {"bogus": 1}
        for name, each in value.items():
            yield from ({**value, name: changed} for changed in with_an_unknown_field(each))
    elif isinstance(value, list) and value:
        yield from ([changed, *value[1:]] for changed in with_an_unknown_field(value[0]))


def test_every_parameter_example_is_accepted(scene):
    refused = []
    for operation in OPERATIONS.values():
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query" and parameter["name"] != "after":
                own = {"periodId": period_of(scene), "targetRuleId": scene.ids["targetId"]}
                value = own.get(parameter["name"], parameter["schema"]["examples"][0])
                path = f"{scene.path(operation['path'])}?{parameter['name']}={str(value).lower()}"
                status, _ = scene.site.get(path)
                refused += [] if status == 200 else [(path, status)]

    assert refused == []


def period_of(scene: Scene) -> int:
    path = scene.path("/v3/targetGroups/{targetGroupId}/targetPeriods")
    return scene.site.get(path)[1]["data"][0]["id"]
