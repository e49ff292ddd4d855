"""Rotating the secret of an API user without downtime, and API users made by command."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from targets.credentials import password_to_send
from targets.enums import SecretForm
from targets.errors import InvalidInput
from targets.models import ApiUser
from targets.operations import revoke_former_secret, rotate_secret
from tests.factories import SECRET, START, ApiUserFactory, BrandFactory, UserFactory

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
PATH = "/v3/receipts"
NO_PASSWORD = "There is no user '{}' with a password: make one with manage.py createsuperuser."


def run(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def password_in(text):
    (line,) = [line for line in text.splitlines() if line.startswith("Password  ")]
    return line.removeprefix("Password  ")


def row():
    return ApiUser.objects.values().get()


@pytest.fixture
def till():
    return ApiUserFactory(user__username="till")


@pytest.fixture
def status(client_of):
    def ask(password, username="till"):
        return client_of(username, password).get(PATH).status_code

    return ask


def test_both_secrets_work_until_the_grace_ends(till, status, monkeypatch):
    new = password_in(run("rotate_secret", "till", "--grace", "2h"))
    in_grace = (status(SECRET), status(new))
    end = ApiUser.objects.get().former_until
    monkeypatch.setattr("config.authentication.timezone.now", lambda: end - timedelta(microseconds=1))
    at_last = (status(SECRET), status(new))
    monkeypatch.setattr("config.authentication.timezone.now", lambda: end)

    after = (status(SECRET), status(new))

    assert (in_grace, at_last, after) == ((200, 200), (200, 200), (401, 200))


def test_text_says_the_password_once_and_until_when_the_former_one_is_accepted(till):
    before = timezone.now()

    out = run("rotate_secret", "till")

    stored = ApiUser.objects.get()
    assert before + DAY <= stored.former_until <= timezone.now() + DAY
    assert out == (
        "Username  till\n"
        f"Password  {password_in(out)}\n\n"
        "Write the password down: it is not shown again. "
        f"The former one is accepted until {stored.former_until:%Y-%m-%d %H:%M} UTC.\n"
        "Send HTTP Basic authentication with the username and the password.\n"
    )
    assert password_in(out) not in str(row())


def test_published_client_sends_the_md5_of_both(status):
    ApiUserFactory(user__username="till", secret_form=SecretForm.MD5_HEX)

    out = run("rotate_secret", "till")

    sent = [password_to_send(secret, SecretForm.MD5_HEX) for secret in (SECRET, password_in(out))]
    assert [status(each) for each in sent] == [200, 200]
    assert status(password_in(out)) == 401
    assert "the lower-case hex MD5 of the password" in out


def test_revoking_ends_the_former_secret_at_once_and_makes_none(till, status):
    new = password_in(run("rotate_secret", "till"))

    first, second = run("rotate_secret", "till", "--revoke"), run("rotate_secret", "till", "--revoke")

    assert (status(SECRET), status(new)) == (401, 200)
    assert first == "The former secret is refused within 5 seconds.\n"
    assert second == "No former secret is accepted.\n"


def test_grace_of_0_ends_every_other_secret_at_once(till, status):
    made_before = password_in(run("rotate_secret", "till"))

    out = run("rotate_secret", "till", "--grace", "0")

    assert [status(each) for each in (SECRET, made_before, password_in(out))] == [401, 401, 200]
    assert "The former one is refused within 5 seconds." in out


def test_second_rotation_within_the_grace_is_refused_and_after_it_done(till):
    first = rotate_secret(username="till", grace=DAY, at=START)
    before = row()

    with pytest.raises(InvalidInput) as refused:
        rotate_secret(username="till", grace=DAY, at=START + DAY - timedelta(seconds=1))
    after = row()
    second = rotate_secret(username="till", grace=DAY, at=START + DAY)

    assert refused.value.message == (
        "A former secret of 'till' is accepted until 2026-01-02 00:00 UTC. Wait, or end it with --revoke; "
        "--grace 0 makes a new secret and ends all others."
    )
    assert after == before
    assert first.secret != second.secret
    assert row()["former_digest"] == before["secret_digest"]
    assert row()["former_until"] == START + 2 * DAY


def test_what_was_accepted_is_said_as_of_the_instant_given(till):
    rotate_secret(username="till", grace=DAY, at=START)

    assert revoke_former_secret(username="till", at=START + DAY) is False
    assert (row()["former_digest"], row()["former_until"]) == ("", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "There is no API user 'nobody'."),
        (["nobody", "--revoke"], "There is no API user 'nobody'."),
        (["till", "--grace", "91d"], "The grace is from 0 to 90 days."),
        (
            ["ada"],
            "'ada' sends a password of his own: it is changed with manage.py changepassword, and at once.",
        ),
    ],
)
def test_impossible_rotation_is_refused_with_exit_code_2_and_changes_nothing(till, arguments, message):
    ApiUserFactory(user__username="ada", secret_form=SecretForm.PASSWORD, secret_digest="")
    before = list(ApiUser.objects.order_by("id").values())

    with pytest.raises(CommandError) as refused:
        run("rotate_secret", *arguments)

    assert (str(refused.value), refused.value.returncode) == (message, 2)
    assert list(ApiUser.objects.order_by("id").values()) == before


@pytest.mark.parametrize("arguments", [["--grace", "soon"], ["--grace", "-1h"], ["--grace", "1h", "--revoke"]])
def test_nonsense_arguments_are_refused(till, arguments):
    before = row()

    with pytest.raises(CommandError):
        run("rotate_secret", "till", *arguments)

    assert row() == before


def test_added_api_user_calls_the_api_of_his_brand(status):
    brand = BrandFactory(name="Acme")

    out = run("add_api_user", "second", "--brand", "ACME")

    assert status(password_in(out), "second") == 200
    assert ApiUser.objects.get().brand == brand


def test_person_is_let_in_with_his_own_password_and_permissions(status, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    BrandFactory(name="Acme")
    UserFactory(username="ada", password=make_password("her own"))

    out = run("add_api_user", "ada", "--brand", "Acme", "--own-password")
    without_permission = status("her own", "ada")
    User.objects.update(is_superuser=True)

    assert out == "ada may use the API of Acme with the password and the permissions he has.\n"
    assert (without_permission, status("her own", "ada"), status("wrong", "ada")) == (403, 200, 401)
    assert (row()["secret_form"], row()["secret_digest"]) == ("PASSWORD", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x", "--brand", "Other"], "There is no brand 'Other'."),
        (["till", "--brand", "Acme"], "There is a user 'till' already."),
        (["bare", "--brand", "Acme", "--own-password"], NO_PASSWORD.format("bare")),
        (["nobody", "--brand", "Acme", "--own-password"], NO_PASSWORD.format("nobody")),
        (["ada", "--brand", "Acme", "--own-password"], "'ada' is an API user already, of the brand 'Else'."),
        (
            ["a b", "--brand", "Acme"],
            "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
        ),
        (["", "--brand", "Acme"], "This field cannot be blank."),
    ],
)
def test_api_user_who_cannot_be_added_is_refused_and_nothing_is_made(till, arguments, message):
    BrandFactory(name="Acme")
    UserFactory(username="bare", password=make_password(None))
    user = UserFactory(username="ada", password=make_password("her own"))
    ApiUserFactory(user=user, brand__name="Else", secret_form=SecretForm.PASSWORD, secret_digest="")

    with pytest.raises(CommandError) as refused:
        run("add_api_user", *arguments)

    assert (str(refused.value), refused.value.returncode) == (message, 2)
    assert (ApiUser.objects.count(), User.objects.count()) == (2, 3)
