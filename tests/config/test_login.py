"""The admin's log-in: who fails too often waits, and is told for how long."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db.models import F

from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

HERE = "192.0.2.1"
ELSEWHERE = "198.51.100.7"
LOGIN = "/admin/login/"


@pytest.fixture(autouse=True)
def quick_hashes(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def chief():
    return UserFactory(username="chief", password=make_password("right"), is_staff=True, is_superuser=True)


@pytest.fixture
def log_in(client):
    def post(password, address=HERE, username="chief", **headers):
        form = {"username": username, "password": password}
        return client.post(LOGIN, form, REMOTE_ADDR=address, **headers)

    return post


def statuses(log_in, *, failures):
    return [log_in("wrong").status_code for _ in range(failures)]


def test_after_five_failures_even_the_right_password_waits_and_the_page_says_how_long(chief, log_in, client):
    failed = statuses(log_in, failures=5)

    page = log_in("right")

    words = " ".join(re.sub(r"<[^>]+>", "", page.content.decode().split("<body>")[1]).split())
    until = AccessAttempt.objects.get().attempt_time + timedelta(minutes=15)
    assert failed == [200] * 4 + [429]
    assert (page.status_code, page["Retry-After"]) == (429, "900")
    assert words == (
        "Please wait The log-in has failed 5 times with this user name from where you are. To stop guessing, it is "
        "closed for now, also for the right password. "
        f"Try again in 15 minutes, at {until:%H:%M} UTC. Whoever runs Milestreak can open it at once. Log in"
    )
    assert "_auth_user_id" not in client.session


def test_unknown_name_is_stopped_the_same_way(log_in):
    assert [log_in("wrong", username="nobody").status_code for _ in range(6)] == [200] * 4 + [429] * 2


def test_failures_from_elsewhere_stop_nobody_here(chief, log_in):
    for _ in range(6):
        stopped = log_in("wrong", ELSEWHERE)

    assert (stopped.status_code, log_in("right", HERE).status_code) == (429, 302)


def test_other_user_from_the_same_address_logs_in(chief, log_in):
    UserFactory(username="ada", password=make_password("right"), is_staff=True)
    statuses(log_in, failures=6)

    assert log_in("right", username="ada").status_code == 302


def test_tries_during_the_pause_do_not_prolong_it(chief, log_in):
    statuses(log_in, failures=8)
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=15))

    assert log_in("right").status_code == 302


def test_success_forgets_the_failures(chief, log_in):
    answers = [*statuses(log_in, failures=4), log_in("right").status_code, *statuses(log_in, failures=4)]

    assert answers == [200] * 4 + [302] + [200] * 4


def test_forwarded_address_counts_only_from_a_trusted_proxy(chief, log_in, settings):
    for number in range(5):
        spoofed = log_in("wrong", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}")
    settings.TRUSTED_PROXIES = [HERE]
    behind_a_proxy = log_in("right", HTTP_X_FORWARDED_FOR=ELSEWHERE)

    assert (spoofed.status_code, behind_a_proxy.status_code) == (429, 302)


def test_connection_without_an_address_is_counted_too(chief, log_in):
    for _ in range(5):
        stopped = log_in("wrong", "")

    assert (stopped.status_code, stopped["Retry-After"]) == (429, "900")


def test_operator_opens_it_at_once(chief, log_in):
    statuses(log_in, failures=5)

    call_command("axes_reset_username", "chief", stdout=StringIO())

    assert log_in("right").status_code == 302


def test_neither_password_nor_csrf_token_is_kept(chief, client, caplog):
    client.post(LOGIN, {"username": "chief", "password": "a-secret-of-mine", "csrfmiddlewaretoken": "a-token"})

    kept = str(AccessAttempt.objects.values().get()) + caplog.text
    assert "post_data" in kept
    assert [secret in kept for secret in ("a-secret-of-mine", "a-token")] == [False, False]


def test_what_is_counted_is_not_in_the_admin(chief, client):
    client.force_login(chief)

    index = client.get("/admin/").content.decode()

    assert "axes" not in index.lower()


def test_api_calls_ask_the_login_guard_nothing(client_of, django_assert_num_queries, monkeypatch):
    monkeypatch.setattr("axes.handlers.proxy.AxesProxyHandler.update_request", lambda request: pytest.fail("asked"))

    assert client_of("nobody", "wrong").get("/v3/receipts").status_code == 401
    assert AccessAttempt.objects.count() == 0


def test_user_name_longer_than_any_is_refused_at_its_field(client):
    response = client.post(LOGIN, {"username": "a" * 300, "password": "x"})

    assert response.status_code == 200
    assert list(response.context["form"].errors) == ["username"]
    assert AccessAttempt.objects.count() == 0
