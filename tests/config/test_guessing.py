"""Failures are counted before anything is hashed, in bounded memory; no stranger locks anybody out."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, local

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import Client
from limits import parse
from rest_framework.exceptions import Throttled

from config import authentication, passwords
from config.guessing import FailureWindow, Guesses, network_of
from config.passwords import RememberedCredentials
from targets.enums import SecretForm
from tests.config.standing_clock import Clock
from tests.config.token_scene import FORM, TOKEN, new_credentials
from tests.conftest import basic
from tests.factories import SECRET, ApiUserFactory, UserFactory

HERE = "192.0.2.1"
ELSEWHERE = "198.51.100.7"
PASSWORD = "correct horse battery"
ENOUGH = 3  # failures with one name from one address
PATH = "/v3/receipts"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(autouse=True)
def few_guesses(settings, monkeypatch, clock):
    quick = "django.contrib.auth.hashers.MD5PasswordHasher"
    settings.PASSWORD_HASHERS = [quick, "targets.credentials.KeyedDigestHasher"]
    settings.GUESSES_PER_USER = parse(f"{ENOUGH}/1 minute")
    settings.GUESSES_PER_ADDRESS = parse(f"{2 * ENOUGH}/1 minute")
    monkeypatch.setattr(authentication, "guesses", Guesses(clock=clock))
    monkeypatch.setattr(authentication, "remembered", RememberedCredentials(clock=clock))


@pytest.fixture
def hashed(monkeypatch):
    """The passwords for which a slow hash was computed."""
    done = []
    check_password = passwords.check_password
    monkeypatch.setattr(
        passwords, "check_password", lambda password, stored: done.append(password) or check_password(password, stored)
    )
    return done


@pytest.fixture
def call(client):
    def get(username, password, address=HERE):
        return client.get(PATH, REMOTE_ADDR=address, HTTP_AUTHORIZATION=basic(username, password))

    return get


@pytest.fixture
def person(db):
    user = UserFactory(username="ada", password=make_password(PASSWORD), is_superuser=True)
    return ApiUserFactory(user=user, secret_form=SecretForm.PASSWORD, secret_digest="")


def test_after_too_many_failures_with_a_name_the_answer_is_429_and_nothing_is_hashed(person, call, hashed, clock):
    guesses = [f"guess {number}" for number in range(ENOUGH)]
    refused = [call("ada", guess) for guess in guesses]
    clock.now += 20

    too_many = call("ada", PASSWORD)

    assert [each.status_code for each in refused] == [401] * ENOUGH
    assert (too_many.status_code, too_many["Retry-After"]) == (429, "40")
    assert too_many.json() == {
        "data": None,
        "errors": [{"code": 4290, "message": "Too many requests. Try again after the time in Retry-After."}],
        "warnings": None,
    }
    assert hashed == guesses


def test_when_the_window_has_moved_on_a_try_is_taken_again(person, call, clock):
    for _ in range(ENOUGH):
        call("ada", "wrong")
    clock.now += 60

    assert call("ada", PASSWORD).status_code == 200


def test_refused_tries_do_not_prolong_the_wait(person, call, clock):
    for _ in range(ENOUGH):
        call("ada", "wrong")
    clock.now += 59

    assert call("ada", "wrong").status_code == 429
    clock.now += 1

    assert call("ada", "wrong").status_code == 401


def test_stranger_elsewhere_locks_nobody_out(person, call):
    for _ in range(2 * ENOUGH):
        call("ada", "wrong", ELSEWHERE)

    assert call("ada", PASSWORD, ELSEWHERE).status_code == 429
    assert call("ada", PASSWORD, HERE).status_code == 200


def test_remembered_password_is_taken_while_others_fail_from_the_same_address(person, call, hashed):
    first = call("ada", PASSWORD)
    wrong = [call("ada", "wrong").status_code for _ in range(ENOUGH + 1)]

    again = call("ada", PASSWORD)

    assert (first.status_code, wrong, again.status_code) == (200, [401] * ENOUGH + [429], 200)
    assert hashed == [PASSWORD] + ["wrong"] * ENOUGH


def test_right_generated_secret_is_always_taken(db, call):
    username = ApiUserFactory().user.username
    for _ in range(2 * ENOUGH):
        call(username, "wrong")

    assert call(username, "wrong").status_code == 429
    assert call(username, SECRET).status_code == 200


def test_remembered_password_is_no_oracle_for_guesses_from_elsewhere(person, call):
    call("ada", PASSWORD, HERE)
    for _ in range(ENOUGH):
        call("ada", "wrong", ELSEWHERE)

    assert call("ada", PASSWORD, ELSEWHERE).status_code == 429


def test_made_up_names_from_one_address_are_stopped_too(person, call, hashed):
    answers = [call(f"nobody{number}", "x").status_code for number in range(2 * ENOUGH + 2)]

    assert answers == [401] * 2 * ENOUGH + [429, 429]
    assert call("ada", PASSWORD).status_code == 429
    assert hashed == []


def test_success_is_not_counted(person, call, clock):
    for _ in range(4 * ENOUGH):
        assert call("ada", PASSWORD).status_code == 200
        clock.now += 7


@pytest.mark.parametrize("name", ["nobody", "till", "ada", "inactive"])
def test_who_is_named_cannot_be_seen_from_a_refusal(person, call, name, django_assert_num_queries):
    ApiUserFactory(user__username="till")
    ApiUserFactory(user__username="inactive", is_active=False)
    answers = []

    for _ in range(ENOUGH + 1):
        with django_assert_num_queries(1):
            answers.append(call(name, "wrong"))

    wrong = {"data": None, "errors": [{"code": 4010, "message": "Credentials are missing or wrong."}], "warnings": None}
    assert [each.status_code for each in answers] == [401] * ENOUGH + [429]
    assert [each.json() for each in answers[:ENOUGH]] == [wrong] * ENOUGH


@pytest.mark.django_db(transaction=True)
def test_guesses_that_come_at_once_are_hashed_no_oftener(person, monkeypatch, hashed):
    """All of them are let through before the first has failed."""
    all_here, refuse = Barrier(2 * ENOUGH), Guesses.refuse_too_many
    here = local()

    def refuse_when_all_are_here(self, username, network):
        refuse(self, username, network)
        if not hasattr(here, "come"):
            here.come = True
            all_here.wait(10)

    def guess(number):
        try:
            header = basic("ada", f"guess {number}")
            return Client().get(PATH, REMOTE_ADDR=HERE, HTTP_AUTHORIZATION=header).status_code
        finally:
            connection.close()

    monkeypatch.setattr(Guesses, "refuse_too_many", refuse_when_all_are_here)
    with ThreadPoolExecutor(2 * ENOUGH) as threads:
        statuses = sorted(threads.map(guess, range(2 * ENOUGH)))

    assert (statuses, len(hashed)) == ([401] * ENOUGH + [429] * ENOUGH, ENOUGH)


def test_slow_hashes_are_computed_one_at_a_time_and_waited_for_only_a_moment(person, call, monkeypatch, hashed):
    monkeypatch.setattr(passwords, "LONGEST_WAIT", 0)
    with passwords.one_slow_hash:
        busy = call("ada", PASSWORD)

    then = call("ada", PASSWORD)

    assert (busy.status_code, busy["Retry-After"]) == (429, "1")
    assert (then.status_code, hashed) == (200, [PASSWORD])


def test_addresses_behind_a_proxy_are_told_apart(person, client, settings):
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]

    def call(password, address):
        header = basic("ada", password)
        forwarded = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": address}
        return client.get(PATH, HTTP_AUTHORIZATION=header, **forwarded).status_code

    wrong = [call("wrong", ELSEWHERE) for _ in range(ENOUGH + 1)]

    assert (wrong, call(PASSWORD, HERE)) == ([401] * ENOUGH + [429], 200)


def test_memory_stays_bounded_under_a_flood_of_names_and_addresses(clock):
    window = FailureWindow(parse("3/1 minute"), most_keys=100, clock=clock)
    for number in range(10_000):
        window.count(("nobody", number))
    for _ in range(50):
        window.count("the last")

    assert len(window) == 100
    assert window.seconds_to_wait("the last") == 60
    assert window.seconds_to_wait(("nobody", 0)) == 0
    assert max(len(failures) for failures in window._failures.values()) == 3


def test_flood_of_requests_leaves_no_more_than_the_most_keys(db, call, monkeypatch, clock):
    guesses = Guesses(clock=clock)
    guesses.by_user = FailureWindow(parse("3/1 minute"), most_keys=5, clock=clock)
    guesses.by_network = FailureWindow(parse("3/1 minute"), most_keys=5, clock=clock)
    monkeypatch.setattr(authentication, "guesses", guesses)

    for number in range(40):
        assert call(f"nobody{number}", "x", f"192.0.2.{number}").status_code == 401

    assert (len(guesses.by_user), len(guesses.by_network), len(authentication.remembered)) == (5, 5, 0)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_network_is_what_one_holder_has_addresses_in(address, network):
    assert network_of(address) == network


def test_windows_have_a_clock_of_their_own_that_runs():
    guesses = Guesses()
    for _ in range(ENOUGH):
        guesses.count("ada", HERE)

    with pytest.raises(Throttled):
        guesses.refuse_too_many("ada", HERE)
    guesses.refuse_too_many("ada", ELSEWHERE)


TOO_MANY = {"error": "temporarily_unavailable"}


def test_secrets_of_clients_are_guessed_no_oftener_and_the_right_one_is_always_taken(db, client, clock):
    credentials = new_credentials()

    def ask(secret, address=HERE, **published):
        if published:
            body = {"key": credentials.client_id, "secret": secret}
            return client.post("/v3/oauth/token/generate", body, "application/json", REMOTE_ADDR=address)
        shown = basic(credentials.client_id, secret)
        form = "grant_type=client_credentials"
        return client.post(TOKEN, form, FORM, REMOTE_ADDR=address, HTTP_AUTHORIZATION=shown)

    wrong = [ask(f"guess {number}").status_code for number in range(ENOUGH)]
    refused = ask("one more")
    refused_too = ask("one more", published=True)

    assert wrong == [401] * ENOUGH
    assert (refused.status_code, refused.json(), refused["Retry-After"]) == (429, TOO_MANY, "60")
    assert (refused_too.status_code, refused_too.json()["errors"][0]["code"]) == (429, 4290)
    assert ask(credentials.client_secret).status_code == 200
    assert ask("from elsewhere", address=ELSEWHERE).status_code == 401
    clock.now += 60
    assert ask("later").status_code == 401
