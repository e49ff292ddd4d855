"""What authentication costs of a call (meant: less than 15 %). Measures and reports; asserts no time."""

import statistics
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.hashers import make_password
from django.test import RequestFactory
from rest_framework.request import Request
from rest_framework.test import APIClient

from config.authentication import BrandBasicAuthentication, find_api_user
from targets.enums import SecretForm
from tests.benchmarks.test_benchmarks import CALLS, ROUNDS, Bench, Contender, publish, timed
from tests.conftest import basic
from tests.factories import SECRET, ApiUserFactory, UserFactory, make_programme

PASSWORD = "correct horse battery"

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True)]


def test_authentication(client_of):
    bench = Bench(client_of)
    target = make_programme(brand=bench.brand)
    generated = ApiUserFactory(brand=bench.brand).user.username
    person = UserFactory(password=make_password(PASSWORD), is_superuser=True)
    ApiUserFactory(brand=bench.brand, user=person, secret_form=SecretForm.PASSWORD, secret_digest="")
    known = APIClient(raise_request_exception=False)
    known.force_authenticate(user=person, token=find_api_user(generated))
    contenders = [
        Contender("unEnroll, already authenticated", calls(bench, target, known)),
        Contender("unEnroll, generated secret", calls(bench, target, client_of(generated, SECRET))),
        Contender("unEnroll, remembered password", calls(bench, target, client_of(person.username, PASSWORD))),
        Contender("authentication alone, generated secret", alone(generated, SECRET)),
        Contender("authentication alone, remembered password", alone(person.username, PASSWORD)),
    ]
    for _ in range(ROUNDS):
        for contender in contenders:
            contender.run_round()
    publish("Authentication", table(contenders))

    assert timed(contenders) == [CALLS * ROUNDS] * len(contenders)


def calls(bench: Bench, target, client: APIClient) -> Iterator[list[Callable[[], object]]]:
    """`unEnroll` by `client`, which has called before."""
    for each in bench.http(target, "unEnroll"):
        bench.client = client
        client.get("/v3/receipts?limit=1")
        yield each


def alone(username: str, password: str) -> Iterator[list[Callable[[], object]]]:
    request = Request(RequestFactory().get("/", HTTP_AUTHORIZATION=basic(username, password)))
    authentication = BrandBasicAuthentication()
    authentication.authenticate(request)
    while True:
        yield [lambda: authentication.authenticate(request)] * CALLS


def table(contenders: list[Contender]) -> list[list[str]]:
    """The share is that of an `unEnroll` with a generated secret."""
    whole = contenders[1]
    whole_median, whole_cpu = statistics.median(whole.milliseconds), statistics.median(whole.cpu_milliseconds)
    rows = [["", "median ms", "CPU ms", "% of the call's time", "% of its CPU"]]
    for each in contenders:
        median, cpu = statistics.median(each.milliseconds), statistics.median(each.cpu_milliseconds)
        shares = [f"{100 * median / whole_median:.1f}", f"{100 * cpu / whole_cpu:.1f}"]
        rows.append([each.name, f"{median:.2f}", f"{cpu:.2f}", *shares])
    return rows
