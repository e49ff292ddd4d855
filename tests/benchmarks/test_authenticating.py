"""What authentication costs of a call, in one process and without a web server. Measures and reports; asserts no time.

Of a real request (meant: less than 15 %) it is measured by test_over_http.py.
"""

import statistics
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.hashers import make_password
from django.test import RequestFactory
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.test import APIClient

from config.authentication import BrandBasicAuthentication
from config.bearer import BearerAuthentication
from targets.authorization import find_caller
from targets.enums import SecretForm
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.test_benchmarks import Contender, publish, timed
from tests.config.token_scene import Credentials, bearer, caller, token_of
from tests.conftest import basic
from tests.factories import SECRET, START, ApiUserFactory, UserFactory

PASSWORD = "correct horse battery"
CALLS = 40  # in a round: short ones, so that a slow moment of the machine meets all alike
ROUNDS = 25

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]


def test_authentication(client_of):
    crowd = Crowd()
    api_user = ApiUserFactory(brand=crowd.brand)
    generated, token = api_user.user.username, token_of(Credentials.of(api_user))
    person = UserFactory(password=make_password(PASSWORD), is_superuser=True)
    ApiUserFactory(brand=crowd.brand, user=person, secret_form=SecretForm.PASSWORD, secret_digest="")
    known = APIClient(raise_request_exception=False)
    allowed = find_caller(username=generated, permission="enrollments.unenroll", at=START)
    known.force_authenticate(user=api_user.user, token=allowed)
    contenders = [
        Contender("unEnroll, without authentication", calls(crowd, known)),
        Contender("unEnroll, Basic, generated secret", calls(crowd, client_of(generated, SECRET))),
        Contender("unEnroll, Basic, remembered password", calls(crowd, client_of(person.username, PASSWORD))),
        Contender("unEnroll, bearer", calls(crowd, caller(token))),
        Contender("Basic alone, generated secret", alone(BrandBasicAuthentication(), basic(generated, SECRET))),
        Contender(
            "Basic alone, remembered password", alone(BrandBasicAuthentication(), basic(person.username, PASSWORD))
        ),
        Contender("bearer alone", alone(BearerAuthentication(), bearer(token))),
    ]
    for number in range(ROUNDS):
        for place in range(len(contenders)):
            contenders[(place + number) % len(contenders)].run_round()
    publish("Authentication", table(contenders))

    assert timed(contenders) == [CALLS * ROUNDS] * len(contenders)


def calls(crowd: Crowd, client: APIClient) -> Iterator[list[Callable[[], object]]]:
    """`unEnroll` by `client`, which has called before."""
    target = crowd.target
    path = f"/v3/targetGroups/{target.target_group_id}/targets/{target.pk}/unEnroll"
    while True:
        before = crowd.enrol(1 + CALLS)
        post(client, path, before)
        yield [lambda each=each: post(client, path, each) for each in range(before + 1, before + 1 + CALLS)]


def post(client: APIClient, path: str, customer_id: int):
    response = client.post(path, [{"customerId": customer_id}], format="json")
    assert response.status_code == 200, response.content


def alone(authentication: BaseAuthentication, header: str) -> Iterator[list[Callable[[], object]]]:
    request = Request(RequestFactory().get("/", HTTP_AUTHORIZATION=header))
    authentication.authenticate(request)
    while True:
        yield [lambda: authentication.authenticate(request)] * CALLS


def table(contenders: list[Contender]) -> list[list[str]]:
    """The share is that of an `unEnroll` with a generated secret."""
    whole = contenders[1]
    whole_median, whole_cpu = statistics.median(whole.milliseconds), statistics.median(whole.cpu_milliseconds)
    rows = [["", "a second", "median ms", "CPU ms", "% of the call's time", "% of its CPU"]]
    for each in contenders:
        median, cpu = statistics.median(each.milliseconds), statistics.median(each.cpu_milliseconds)
        shares = [f"{100 * median / whole_median:.1f}", f"{100 * cpu / whole_cpu:.1f}"]
        rows.append([each.name, f"{1000 / median:,.0f}", f"{median:.2f}", f"{cpu:.2f}", *shares])
    return rows
