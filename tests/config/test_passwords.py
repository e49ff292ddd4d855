"""A person's password over the API: checked once a minute, by one thread, and never longer valid than it is."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.contrib.auth.hashers import make_password

from config import authentication, passwords
from config.passwords import RememberedCredentials, credential_key
from targets.enums import SecretForm
from tests.config.standing_clock import Clock
from tests.factories import ApiUserFactory, UserFactory

PASSWORD = "correct horse battery"
PATH = "/v3/receipts"


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(authentication, "remembered", RememberedCredentials(clock=clock))
    return clock


@pytest.fixture
def checked(monkeypatch):
    """The passwords for which a slow hash was computed."""
    done = []
    check_password = passwords.check_password
    monkeypatch.setattr(
        passwords, "check_password", lambda password, stored: done.append(password) or check_password(password, stored)
    )
    return done


@pytest.fixture
def person(db, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    user = UserFactory(username="ada", password=make_password(PASSWORD), is_superuser=True)
    return ApiUserFactory(user=user, secret_form=SecretForm.PASSWORD, secret_digest="")


@pytest.fixture
def ada(person, client_of):
    return client_of("ada", PASSWORD)


def test_right_password_is_hashed_once_a_minute(ada, checked, clock):
    answers = [ada.get(PATH).status_code for _ in range(3)]
    clock.now += 59.9
    answers.append(ada.get(PATH).status_code)
    in_a_minute = list(checked)
    clock.now += 0.1
    answers.append(ada.get(PATH).status_code)

    assert (answers, in_a_minute, checked) == ([200] * 5, [PASSWORD], [PASSWORD] * 2)


def test_remembered_password_costs_one_query(ada, clock, django_assert_num_queries):
    ada.get(PATH)

    with django_assert_num_queries(2):  # the API user; the receipts
        assert ada.get(PATH).status_code == 200


def test_changed_password_counts_at_once(person, ada, client_of, clock):
    before = ada.get(PATH).status_code
    person.user.set_password("another one")
    person.user.save()

    assert (before, ada.get(PATH).status_code) == (200, 401)
    assert client_of("ada", "another one").get(PATH).status_code == 200


@pytest.mark.parametrize("what", ["user", "api_user", "brand"])
def test_deactivated_is_refused_at_once(person, ada, clock, what):
    before = ada.get(PATH).status_code
    row = {"user": person.user, "api_user": person, "brand": person.brand}[what]
    row.is_active = False
    row.save()

    assert (before, ada.get(PATH).status_code) == (200, 401)


def test_revoked_is_refused_at_once(person, ada, clock):
    before = ada.get(PATH).status_code
    person.delete()

    assert (before, ada.get(PATH).status_code) == (200, 401)


def test_wrong_password_is_not_remembered(person, client_of, checked, clock):
    wrong = client_of("ada", "wrong")

    answers = [wrong.get(PATH).status_code for _ in range(3)]

    assert (answers, checked) == ([401] * 3, ["wrong"] * 3)
    assert len(authentication.remembered) == 0


def test_user_without_a_usable_password_is_refused(person, client_of, clock):
    person.user.set_unusable_password()
    person.user.save()

    assert client_of("ada", person.user.password).get(PATH).status_code == 401


def test_many_threads_verify_the_same_credential_once():
    remembered = RememberedCredentials()
    calls = []
    begun, may_end = Event(), Event()

    def check():
        calls.append(1)
        begun.set()
        assert may_end.wait(10)
        return True

    with ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(remembered.verify, "key", check)]
        assert begun.wait(10)
        answers += [threads.submit(remembered.verify, "key", check) for _ in range(7)]
        may_end.set()

    assert ([each.result() for each in answers], calls) == ([True] * 8, [1])


def test_those_who_wait_for_a_wrong_credential_hear_the_same_and_it_is_forgotten():
    remembered = RememberedCredentials()
    calls = []

    answers = [remembered.verify("key", lambda: calls.append(1) or False) for _ in range(2)]

    assert (answers, calls, "key" in remembered) == ([False, False], [1, 1], False)


def test_check_that_breaks_is_tried_anew():
    remembered = RememberedCredentials()

    with pytest.raises(ZeroDivisionError):
        remembered.verify("key", lambda: 1 // 0)

    assert remembered.verify("key", lambda: True) is True


def test_those_not_asked_for_are_forgotten_first():
    remembered = RememberedCredentials(most=3)
    for key in "abc":
        remembered.verify(key, lambda: True)
    assert "a" in remembered
    for key in ("d", "e"):
        remembered.verify(key, lambda: True)

    assert (len(remembered), [key for key in "abcde" if key in remembered]) == (3, ["a", "d", "e"])


def test_key_tells_every_part_apart_and_shows_none(settings):
    parts = {"username": "ada", "network": "192.0.2.1", "password": PASSWORD, "stored": "md5$salt$hash"}
    keys = {credential_key(**parts)} | {credential_key(**parts | {name: "another"}) for name in parts}
    settings.CREDENTIALS_KEY = "another-key-of-the-digests-of-credentials"
    keys.add(credential_key(**parts))

    assert len(keys) == 6
    assert {len(key) for key in keys} == {64}
