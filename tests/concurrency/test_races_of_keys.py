"""Calls with an Idempotency-Key at the same time, and servers that die amid them (api.md 1)."""

import re
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from rest_framework.test import APIClient

from enrollments import recording
from enrollments.models import Activity, ActivityOutcome, Receipt
from enrollments.operations import unenroll
from targets.models import Customer, StoredAnswer, Target
from tests.concurrency.dying_server import AFTER_COMMIT, AMID_THE_WORK, BEFORE_COMMIT, answer_never_sent
from tests.concurrency.racing import FEWER_ROUNDS, ROW_LOCK, UNGUARDED_ROUNDS, Guard, Race, without_constraints
from tests.concurrency.scenes import ACT, customer_of, enrolled, running_programme
from tests.concurrency.test_races_of_erasing import erases
from tests.concurrency.workers import backend_that_waits, url_of_this_database
from tests.factories import SECRET, ApiUserFactory
from tests.idempotency import KEY, Told, tell

BEFORE_STORING = 'UPDATE "targets_storedanswer"'
BEFORE_COUNTING = 'INSERT INTO "enrollments_activityoutcome"'
BEFORE_JOINING = 'INSERT INTO "enrollments_stay"'

CUSTOMERS_FIRST = Guard(re.compile("ORDER BY customer_id FOR NO KEY UPDATE"), "")
PARTICIPATIONS_FIRST = Guard(re.compile("ORDER BY participation.id FOR NO KEY UPDATE OF participation"), "")

# Of batches: each round takes several calls.
A_FEW_ROUNDS = max(FEWER_ROUNDS // 5, 3)
DEADLOCK = (503, 5030)


@pytest.fixture
def target(transactional_db: None) -> Target:
    return running_programme()


@pytest.fixture
def client(target: Target, client_of: Callable[[str, str], APIClient]) -> APIClient:
    return client_of(ApiUserFactory(brand=target.brand).user.username, SECRET)


def path_of(target: Target, call: str) -> str:
    return f"/v3/targetGroups/{target.target_group_id}/targets/{target.pk}/{call}"


def record(customer: Customer) -> list[dict[str, Any]]:
    return [{"customerId": customer.customer_id}]


def purchases(*customers: Customer) -> list[dict[str, Any]]:
    now = timezone.now().isoformat()
    events = [f"{each.customer_id} {now}" for each in customers]
    return [
        {"eventId": event, "eventName": "purchase", "customerId": each.customer_id, "occurredAt": now}
        for each, event in zip(customers, events, strict=True)
    ]


def short(told: object) -> tuple[int, int | None]:
    assert isinstance(told, Told), told
    return told.status, told.code


# Simultaneous calls


def test_simultaneous_calls_do_the_work_once_and_are_answered_the_same(
    race: Race, target: Target, client: APIClient
) -> None:
    """The unique key holds the second one up. Without it he is refused what the first has done."""
    path = path_of(target, "enroll")

    def one_round() -> tuple[object, ...]:
        customer = customer_of(target)
        body, key = record(customer), f"key {customer.customer_id}"
        first, second = race.run(
            lambda: tell(client, "POST", path, body, key), lambda: tell(client, "POST", path, body, key)
        )
        assert isinstance(first, Told)
        assert isinstance(second, Told)
        receipts = Receipt.objects.filter(participation__customer=customer).count()
        return short(first), short(second), first.body == second.body, first.is_repeated, second.is_repeated, receipts

    with without_constraints("targets_storedanswer", "stored_answer_once"):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_STORING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_STORING, BEFORE_STORING))

    done = (200, None)
    assert unguarded == {(done, (409, 310119), False, False, False, 1)}
    assert guarded == {(done, done, True, False, True, 1), (done, done, True, True, False, 1)}


def while_first_is_running(
    client: APIClient, path: str, body: Any, meanwhile: Callable[[Callable[[], Any]], None]
) -> Told:
    """The first call; when it has done its work and is about to store its answer, `meanwhile(execute)` is called."""

    def watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(BEFORE_STORING):
            meanwhile(lambda: execute("SELECT 1 / 0", None, False, context))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        return tell(client, "POST", path, body)


def elsewhere(client: APIClient, path: str, body: Any, lock_timeout: str = "30s") -> Told:
    """The call in a thread of its own, with a connection that waits so long for a lock."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [lock_timeout])
        return tell(client, "POST", path, body)
    finally:
        connection.close()


def test_second_call_does_the_work_when_the_first_one_fails(target: Target, client: APIClient) -> None:
    customer = customer_of(target)
    path, body = path_of(target, "enroll"), record(customer)
    second: list[Future[Told]] = []

    def second_waits_and_first_fails(fail: Callable[[], Any]) -> None:
        if not second:
            second.append(thread.submit(elsewhere, client, path, body))
            backend_that_waits()
            fail()

    with ThreadPoolExecutor(1) as thread:
        first = while_first_is_running(client, path, body, second_waits_and_first_fails)
    done = second[0].result()

    assert (first.status, short(done), done.is_repeated) == (500, (200, None), False)
    assert Receipt.objects.count() == 1


def test_second_call_that_waits_too_long_is_told_to_come_back(target: Target, client: APIClient) -> None:
    customer = customer_of(target)
    path, body = path_of(target, "enroll"), record(customer)
    second = []

    with ThreadPoolExecutor(1) as thread:
        first = while_first_is_running(
            client,
            path,
            body,
            lambda fail: second.append(thread.submit(elsewhere, client, path, body, "1ms").result()),
        )
    again = tell(client, "POST", path, body)

    assert [short(each) for each in second] == [(409, 300010)]
    assert (first.status, again) == (200, first._replace(is_repeated=True))
    assert Receipt.objects.count() == 1


def test_call_that_is_told_to_come_back_is_told_when(target: Target, client: APIClient) -> None:
    customer = customer_of(target)
    path, body = path_of(target, "enroll"), record(customer)
    waits = []

    def come_back(fail: Callable[[], Any]) -> None:
        with ThreadPoolExecutor(1) as thread:
            waits.append(thread.submit(retry_after).result())

    def retry_after() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1ms'")
        response = client.post(path, body, format="json", headers={"Idempotency-Key": KEY})
        connection.close()
        return response["Retry-After"]

    while_first_is_running(client, path, body, come_back)

    assert waits == ["2"]


# Locks that are held longer


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are recorded as where somebody else was in the way."""

    def in_the_way(**details: Any) -> None:
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr(recording, "record_activities", in_the_way)


@pytest.mark.usefixtures("one_by_one")
def test_batches_that_name_the_same_customers_take_turns(race: Race, target: Target, client: APIClient) -> None:
    """Whatever the order in which they name them; with what is locked first taken away they wait in a ring."""

    def one_round() -> tuple[object, ...]:
        one, other = enrolled(target), enrolled(target)
        there, back = purchases(one, other), purchases(other, one)
        first, second = race.run(
            lambda: tell(client, "POST", "/v3/activities", there, f"there {one.customer_id}"),
            lambda: tell(client, "POST", "/v3/activities", back, f"back {one.customer_id}"),
        )
        counted = ActivityOutcome.objects.filter(participation__customer__in=[one, other], reason="").count()
        return short(first), short(second), counted

    stops = (BEFORE_COUNTING, BEFORE_COUNTING)
    with race.without(CUSTOMERS_FIRST, PARTICIPATIONS_FIRST):
        unguarded = race.rounds(1, one_round, stops=stops)
    guarded = race.rounds(A_FEW_ROUNDS, one_round, stops=stops)

    done = (200, None)
    assert unguarded <= {(done, DEADLOCK, 2), (DEADLOCK, done, 2)}
    assert guarded == {(done, done, 4)}


@pytest.mark.usefixtures("one_by_one")
def test_batch_and_bulk_enrolment_of_the_same_customers_take_turns(
    race: Race, target: Target, client: APIClient
) -> None:
    """The latter has no key, and locks those who were in the target before in the order of their participations."""

    def one_round() -> tuple[object, ...]:
        customers = [enrolled(target), enrolled(target)]
        for each in customers:
            unenroll(customer=each, target=target, at=timezone.now(), **ACT)
        events, records = purchases(*reversed(customers)), [record(each)[0] for each in customers]
        first, second = race.run(
            lambda: tell(client, "POST", "/v3/activities", events, f"key {events[0]['eventId']}"),
            lambda: tell(client, "POST", path_of(target, "enroll/bulk"), {"records": records}, None),
        )
        stored = Activity.objects.filter(customer__in=customers).count()
        assert isinstance(second, Told)
        return short(first), stored, tuple(each["outcome"] for each in second.data["results"])

    stops = (BEFORE_COUNTING, BEFORE_JOINING)
    with race.without(PARTICIPATIONS_FIRST):
        unguarded = race.rounds(1, one_round, stops=stops)
    guarded = race.rounds(A_FEW_ROUNDS, one_round, stops=stops)

    done = (200, None)
    joined = ("reenrolled", "reenrolled")
    assert unguarded <= {(DEADLOCK, 0, joined), (done, 2, ("reenrolled", "try_again"))}
    assert guarded == {(done, 2, joined)}


def test_answer_that_is_being_stored_is_found_by_the_erasure(race: Race, target: Target, client: APIClient) -> None:
    """A refusal locks nothing of its own: that the customer is locked for every call with a key holds it."""
    path = path_of(target, "unEnroll")

    def one_round() -> tuple[object, ...]:
        customer = customer_of(target)
        number = customer.customer_id
        refused, erased = race.run(
            lambda: tell(client, "POST", path, record(customer), f"key {number}"), erases(customer)
        )
        return short(refused), erased, StoredAnswer.objects.filter(body__contains=f"Customer {number} is not").count()

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_STORING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_STORING, ""))

    assert unguarded == {((409, 310126), "erased", 1)}
    assert guarded == {((409, 310126), "erased", 0), ((404, 310011), "erased", 0)}


# Servers that die


@pytest.mark.parametrize("moment", [AMID_THE_WORK, BEFORE_COMMIT])
def test_server_killed_before_the_commit_has_done_nothing_and_the_repeat_does_it(
    target: Target, client: APIClient, moment: str
) -> None:
    customer = enrolled(target)
    path, body = path_of(target, "unEnroll"), record(customer)

    answer_never_sent(moment, url_of_this_database(), path, body, headers_of(client))
    repeated = tell(client, "POST", path, body)

    assert (short(repeated), repeated.is_repeated) == ((200, None), False)
    assert list(Receipt.objects.order_by("pk").values_list("kind", flat=True)) == ["ENROLLED", "UNENROLLED"]


def test_server_killed_between_commit_and_answer_has_done_it_and_the_repeat_is_told_so(
    target: Target, client: APIClient
) -> None:
    customer = enrolled(target)
    path, body = path_of(target, "unEnroll"), record(customer)

    ready = answer_never_sent(AFTER_COMMIT, url_of_this_database(), path, body, headers_of(client))
    repeated = tell(client, "POST", path, body)

    assert (short(repeated), repeated.is_repeated) == ((200, None), True)
    assert repeated.body == ready
    assert list(Receipt.objects.order_by("pk").values_list("kind", flat=True)) == ["ENROLLED", "UNENROLLED"]


def headers_of(client: APIClient) -> dict[str, str]:
    return {"Authorization": client._credentials["HTTP_AUTHORIZATION"], "Idempotency-Key": KEY}
