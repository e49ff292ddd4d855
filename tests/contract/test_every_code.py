"""Every code of the catalogue can be provoked over HTTP: one row each. A code without a row fails."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from enrollments.operations import erase_customer
from targets.enums import Source
from targets.errors import ErrorCode, WarningCode
from targets.models import ApiUser, Customer
from targets.quota import Leases
from tests.conftest import basic
from tests.contract.conftest import CUSTOMER, Scene, milestone, record
from tests.factories import SECRET, ApiUserFactory, BrandFactory

TARGET = "/v3/targetGroups/{targetGroupId}/targets/{targetId}"
Answered = tuple[int, dict[str, Any]]


def post(path: str, body: Callable[[Scene], Any]) -> Callable[[Scene, Any], Answered]:
    return lambda scene, monkeypatch: scene.site.post(scene.path(path), body(scene))


def get(path: str) -> Callable[[Scene, Any], Answered]:
    return lambda scene, monkeypatch: scene.site.get(scene.path(path))


def not_enrolled(scene: Scene, monkeypatch: Any) -> Answered:
    scene.site.post(scene.path(f"{TARGET}/unEnroll"), record())
    return scene.site.post(scene.path(f"{TARGET}/unEnroll"), record())


def no_record(scene: Scene, monkeypatch: Any) -> Answered:
    scene.site.put("/v3/customers/2", {})
    return scene.site.get(scene.path("/v3/users/2/trackedTargetEvents/{targetId}"))


def not_a_sandbox(scene: Scene, monkeypatch: Any) -> Answered:
    api_user = ApiUserFactory(brand=BrandFactory(sandbox=False))
    scene.site.client.credentials(HTTP_AUTHORIZATION=basic(api_user.user.username, SECRET))
    return scene.site.get("/v3/clock")


def erased(scene: Scene, monkeypatch: Any) -> Answered:
    customer = Customer.objects.get(brand=scene.site.brand, customer_id=CUSTOMER)
    erase_customer(customer=customer, at=scene.site.brand.clock_at, by="test", source=Source.ADMIN)
    return scene.site.put(f"/v3/customers/{CUSTOMER}", {})


def undo(scene: Scene, kind: str = "UNENROLLED") -> Answered:
    """Of the last receipt of this kind."""
    receipts = scene.site.get(scene.path(f"{TARGET}/enrollments/{{customerId}}"))[1]["data"]["receipts"]
    receipt_id = next(each["receiptId"] for each in reversed(receipts) if each["kind"] == kind)
    return scene.site.post(f"/v3/receipts/{receipt_id}/undo", {})


def not_a_leave(scene: Scene, monkeypatch: Any) -> Answered:
    return undo(scene, "ENROLLED")


def already_undone(scene: Scene, monkeypatch: Any) -> Answered:
    scene.site.post(scene.path(f"{TARGET}/unEnroll"), record())
    undo(scene)
    return undo(scene)


def changed_since(scene: Scene, monkeypatch: Any) -> Answered:
    scene.site.post(scene.path(f"{TARGET}/unEnroll"), record())
    scene.site.post(scene.path(f"{TARGET}/enroll"), record())
    return undo(scene)


def too_late_to_undo(scene: Scene, monkeypatch: Any) -> Answered:
    scene.site.post(scene.path(f"{TARGET}/unEnroll"), record())
    scene.site.set_clock("2026-01-20T00:00:00Z")
    return undo(scene)


def without_credentials(scene: Scene, monkeypatch: Any) -> Answered:
    scene.site.client.credentials()
    return scene.site.get("/v3/receipts")


def without_permission(scene: Scene, monkeypatch: Any) -> Answered:
    api_user = ApiUserFactory(brand=scene.site.brand, with_default_access=False)
    scene.site.client.credentials(HTTP_AUTHORIZATION=basic(api_user.user.username, SECRET))
    return scene.site.get("/v3/receipts")


def by_another_method(scene: Scene, monkeypatch: Any) -> Answered:
    return scene.site.put("/v3/receipts", {})


def too_large(scene: Scene, monkeypatch: Any) -> Answered:
    return scene.site.post("/v3/activities", [{"eventId": "x" * 1024 * 1024}])


def as_a_form(scene: Scene, monkeypatch: Any) -> Answered:
    return scene.site._answered(scene.site.client.generic("POST", "/v3/activities", "a=b", "text/plain"))


def our_fault(scene: Scene, monkeypatch: Any) -> Answered:
    monkeypatch.setattr("enrollments.api.reading.find_customer", raising(ZeroDivisionError()))
    return scene.site.get(f"/v3/users/{CUSTOMER}/targetGroups")


def database_away(scene: Scene, monkeypatch: Any) -> Answered:
    monkeypatch.setattr("enrollments.api.reading.find_customer", raising(OperationalError("away")))
    return scene.site.get(f"/v3/users/{CUSTOMER}/targetGroups")


def with_key(scene: Scene, customer_id: int) -> Answered:
    response = scene.site.client.put(f"/v3/customers/{customer_id}", {}, headers={"Idempotency-Key": "again"})
    return scene.site._answered(response)


def key_reused(scene: Scene, monkeypatch: Any) -> Answered:
    with_key(scene, 7)
    return with_key(scene, 8)


def still_running(scene: Scene, monkeypatch: Any) -> Answered:
    """As if the first answer were not there yet. The race itself: tests/concurrency/test_races_of_keys.py."""
    monkeypatch.setattr("targets.operations.answers._claim", lambda call: None)
    return with_key(scene, 7)


def too_many(scene: Scene, monkeypatch: Any) -> Answered:
    monkeypatch.setattr("targets.quota.leases", Leases())
    ApiUser.objects.filter(brand=scene.site.brand).update(requests_per_minute=1)
    scene.site.get("/v3/clock")
    return scene.site.get("/v3/clock")


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*args: Any) -> Any:
        raise error

    return fail


def of_a_customer(scene: Scene) -> dict[str, object]:
    [target] = milestone("Other")["targets"]
    return milestone("Other", targets=[target | {"targetEntity": "CUSTOMER", "targetType": "SALES"}])


PROVOKED = {
    ErrorCode.ALREADY_ENROLLED: post(f"{TARGET}/enroll", lambda scene: record()),
    ErrorCode.NOT_ENROLLED: not_enrolled,
    ErrorCode.CUSTOMER_NOT_FOUND: get("/v3/customers/999"),
    ErrorCode.TARGET_GROUP_NOT_FOUND: get("/v3/targetGroups/999999999"),
    ErrorCode.TARGET_NOT_FOUND: get("/v3/targetGroups/{targetGroupId}/targets/999999999/enrollments/{customerId}"),
    ErrorCode.CYCLE_NOT_FOUND: get("/v3/users/{customerId}/trackedTargetEvents/{targetId}?periodId=999999999"),
    ErrorCode.NO_RECORD: no_record,
    ErrorCode.NAME_TAKEN: post("/v3/targetGroups", lambda scene: milestone()),
    ErrorCode.IMPOSSIBLE_COMBINATION: post("/v3/targetGroups", of_a_customer),
    ErrorCode.INVALID_INPUT: post(f"{TARGET}/unEnroll", lambda scene: []),
    ErrorCode.KEY_REUSED: key_reused,
    ErrorCode.STILL_RUNNING: still_running,
    ErrorCode.TOO_MANY_REQUESTS: too_many,
    ErrorCode.NOT_A_SANDBOX: not_a_sandbox,
    ErrorCode.CUSTOMER_ERASED: erased,
    ErrorCode.NOT_A_LEAVE: not_a_leave,
    ErrorCode.ALREADY_UNDONE: already_undone,
    ErrorCode.CHANGED_SINCE: changed_since,
    ErrorCode.TOO_LATE_TO_UNDO: too_late_to_undo,
    ErrorCode.NOT_AUTHENTICATED: without_credentials,
    ErrorCode.NOT_PERMITTED: without_permission,
    ErrorCode.NOT_FOUND: get("/v3/receipts/999999999"),
    ErrorCode.METHOD_NOT_ALLOWED: by_another_method,
    ErrorCode.BODY_TOO_LARGE: too_large,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: as_a_form,
    ErrorCode.INTERNAL_ERROR: our_fault,
    ErrorCode.UNAVAILABLE: database_away,
}
WARNED = {
    WarningCode.REWARD_FORFEITED: post(f"{TARGET}/unEnroll", lambda scene: record()),
    WarningCode.FIELD_IGNORED: post("/v3/targetGroups", lambda scene: milestone("Other", toDate="2030-01-01")),
}


def test_every_code_has_a_row():
    assert set(PROVOKED) == set(ErrorCode)
    assert set(WarningCode) == set(WARNED)


@pytest.mark.parametrize("error", PROVOKED, ids=[each.name for each in PROVOKED])
def test_error_can_be_provoked(scene, monkeypatch, error):
    status, answer = PROVOKED[error](scene, monkeypatch)

    assert (status, [each["code"] for each in answer["errors"]]) == (error.value.status, [error.value.code])
    assert (answer["data"], answer["warnings"]) == (None, None)


@pytest.mark.parametrize("warning", WARNED, ids=[each.name for each in WARNED])
def test_warning_can_be_provoked(scene, monkeypatch, warning):
    status, answer = WARNED[warning](scene, monkeypatch)

    assert (status, [each["code"] for each in answer["warnings"]]) in [
        (200, [warning.value.code]),
        (201, [warning.value.code]),
    ]
