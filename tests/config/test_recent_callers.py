"""Who called a moment ago is not looked up again; what is taken from him he misses after CALLER_SECONDS."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient, APIRequestFactory

from config.recent_callers import RecentCallers, recent_callers
from targets import quota, replica
from targets.authorization import find_caller
from targets.enums import SecretForm
from targets.models import ApiUser, Customer
from tests.config.token_scene import Credentials, bearer, caller, token_of
from tests.conftest import basic
from tests.factories import SECRET, START, ApiUserFactory, BrandFactory

RECEIPTS = "/v3/receipts"
CUSTOMER = "/v3/customers/7"
SECONDS = 5

pytestmark = pytest.mark.django_db


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(recent_callers, "_clock", clock)
    return clock


@pytest.fixture
def till():
    return ApiUserFactory(user__username="till")


@pytest.fixture(params=["Basic", "Bearer"])
def client(request, till):
    """Calls in the one way or the other; has called already."""
    credentials = Credentials.of(till)
    shown = basic("till", SECRET) if request.param == "Basic" else bearer(token_of(credentials))
    client = APIClient(raise_request_exception=False)
    client.default_format = "json"
    client.credentials(HTTP_AUTHORIZATION=shown)
    assert client.get(RECEIPTS).status_code == 200
    return client


def looked_up(client, path=RECEIPTS):
    """How often a call asks the database who calls."""
    with CaptureQueriesContext(connection) as queries:
        client.get(path)
    return sum("find_caller" in each["sql"] for each in queries)


def deactivate(row):
    type(row).objects.filter(pk=row.pk).update(is_active=False)


ENDS = {
    "API user deactivated": lambda: deactivate(ApiUser.objects.get()),
    "API user deleted": lambda: ApiUser.objects.get().delete(),
    "user deactivated": lambda: deactivate(User.objects.get()),
    "brand deactivated": lambda: deactivate(ApiUser.objects.get().brand),
}


def test_caller_is_looked_up_once_in_five_seconds(client, clock):
    at_once = looked_up(client)
    clock.now += SECONDS - 0.1
    late = looked_up(client)
    clock.now += 0.1

    assert (at_once, late, looked_up(client), looked_up(client)) == (0, 0, 1, 0)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_whatever_is_taken_from_him_he_has_for_five_seconds_at_most(client, clock, end):
    end()

    within = client.get(RECEIPTS).status_code
    clock.now += SECONDS
    assert (within, client.get(RECEIPTS).status_code) == (200, 401)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_without_seconds_it_is_missed_at_once(client, clock, settings, end):
    settings.CALLER_SECONDS = 0
    clock.now += SECONDS
    before = client.get(RECEIPTS).status_code

    end()

    assert (before, client.get(RECEIPTS).status_code) == (200, 401)


def test_permission_taken_away_is_missed_after_five_seconds(client, clock):
    User.objects.get().groups.clear()

    within = client.get(RECEIPTS).status_code
    clock.now += SECONDS
    assert (within, client.get(RECEIPTS).status_code) == (200, 403)


@pytest.mark.parametrize("module", ["config.authentication", "config.bearer"])
def test_seconds_are_counted_from_before_the_look_up(till, client_of, clock, monkeypatch, module):
    token = token_of(Credentials.of(till))
    client = client_of("till", SECRET) if module == "config.authentication" else caller(token)

    def slow(**names):
        clock.now += 3
        return find_caller(**names)

    with monkeypatch.context() as patch:
        patch.setattr(f"{module}.find_caller", slow)
        client.get(RECEIPTS)
    clock.now += SECONDS - 3

    assert looked_up(client) == 1


def test_remembered_for_one_permission_he_is_asked_for_the_next(client):
    User.objects.get().groups.clear()

    response = client.put(CUSTOMER, {})

    assert response.status_code == 403
    assert not Customer.objects.exists()


def test_wrong_secret_beside_the_remembered_one_is_refused(till, client_of):
    right, wrong = client_of("till", SECRET), client_of("till", SECRET + "x")

    answers = [each.get(RECEIPTS).status_code for each in (wrong, right, wrong, right)]

    assert answers == [401, 200, 401, 200]
    assert len(recent_callers) == 1


def test_secret_is_no_token(till, client_of):
    client_of("till", SECRET).get(RECEIPTS)
    shown = basic("till", SECRET)

    answers = [APIClient().get(RECEIPTS, HTTP_AUTHORIZATION=f"Bearer {each}") for each in (shown, shown[6:])]

    assert [each.status_code for each in answers] == [401, 401]


def test_token_ends_when_it_ends(till, monkeypatch):
    client = caller(token_of(Credentials.of(till)))
    client.get(RECEIPTS)
    [recent] = recent_callers._recent.values()
    ends_at = recent.found.ends_at
    answers = []
    for at in (ends_at - timedelta(microseconds=1), ends_at):
        monkeypatch.setattr("config.bearer.timezone.now", lambda at=at: at)
        answers.append(client.get(RECEIPTS).status_code)

    assert answers == [200, 401]


def test_sandbox_is_looked_up_with_every_call_for_its_clock(client_of):
    brand = BrandFactory(sandbox=True, clock_at=START)
    client = client_of(ApiUserFactory(brand=brand).user.username, SECRET)

    assert [looked_up(client), looked_up(client)] == [1, 1]


@pytest.mark.parametrize(("method", "is_known"), [("get", False), ("head", False), ("post", True), ("put", True)])
def test_where_there_is_a_replica_reading_calls_look_him_up(till, monkeypatch, method, is_known):
    found = find_caller(username="till", permission="x.y", at=START)
    recent_callers.keep("till's", found, ends_at=None, since=recent_callers.seconds())
    request = getattr(APIRequestFactory(), method)("/")

    with monkeypatch.context() as patch:
        patch.setitem(connections.settings, replica.REPLICA, {})
        recent = recent_callers.find("till's", "x.y", request, START)

    assert (recent is not None) is is_known


def test_password_of_a_person_is_not_among_them(client_of):
    person = ApiUserFactory(secret_form=SecretForm.PASSWORD, secret_digest="", user__is_superuser=True)
    person.user.set_password("correct horse")
    person.user.save()

    answer = client_of(person.user.username, "correct horse").get(RECEIPTS)

    assert (answer.status_code, len(recent_callers)) == (200, 0)


def test_each_call_has_objects_of_its_own(till, client_of):
    client_of("till", SECRET).get(RECEIPTS)
    [key] = recent_callers._recent

    one, other = [recent_callers._recent[key].found.again() for _ in range(2)]

    assert one == other
    assert one.api_user is not other.api_user
    assert one.api_user.brand is not other.api_user.brand


def test_of_too_many_the_first_is_forgotten(till):
    callers, request = RecentCallers(most=2), APIRequestFactory().get("/")
    found = find_caller(username="till", permission="x.y", at=START)

    for credential in ("one", "two", "one", "three"):
        callers.keep(credential, found, ends_at=None, since=callers.seconds())

    known = [callers.find(each, "x.y", request, START) is not None for each in ("one", "two", "three")]
    assert (known, len(callers)) == ([True, False, True], 2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("headers", "quota_of_all"), [({"Idempotency-Key": "k"}, 0), ({}, 10)], ids=["key", "quota"])
def test_deleted_caller_is_refused_where_something_is_to_be_noted_for_him(
    till, client_of, settings, monkeypatch, headers, quota_of_all
):
    client = client_of("till", SECRET)
    client.put(CUSTOMER, {})
    till.delete()
    settings.REQUESTS_PER_MINUTE = quota_of_all
    monkeypatch.setattr(quota, "leases", quota.Leases())

    response = client.put("/v3/customers/8", {}, headers=headers)

    assert (response.status_code, [each["code"] for each in response.json()["errors"] or []]) == (401, [4010])
    assert "Basic" in response["WWW-Authenticate"]
    assert list(Customer.objects.values_list("customer_id", flat=True)) == [7]
