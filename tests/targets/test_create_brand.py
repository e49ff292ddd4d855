"""`manage.py create_brand`: a brand and credentials that work."""

import json
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from targets.credentials import password_to_send
from targets.enums import SecretForm
from targets.models import ApiUser, Brand

pytestmark = pytest.mark.django_db


def create_brand(*arguments):
    out = StringIO()
    call_command("create_brand", *arguments, stdout=out)
    return out.getvalue()


def test_printed_credentials_call_the_api_and_set_the_clock(client_of):
    made = json.loads(
        create_brand("Acme", "--sandbox", "--time-zone", "Asia/Kolkata", "--api-user", "acme", "--format", "json")
    )

    client = client_of(made["username"], made["password"])
    answer = client.put("/v3/clock", {"now": "2026-01-15T09:00:00+05:30"})

    brand = Brand.objects.get()
    assert made == {
        "brandId": brand.pk,
        "name": "Acme",
        "username": "acme",
        "password": made["password"],
        "timeZone": "Asia/Kolkata",
        "sandbox": True,
    }
    assert (answer.status_code, answer.json()["data"]["now"]) == (200, "2026-01-15T03:30:00+00:00")
    assert ApiUser.objects.exclude(secret_digest="").count() == 1
    assert made["password"] not in str(ApiUser.objects.values())


def test_user_marked_md5_sends_the_digest_of_the_printed_password(client_of):
    made = json.loads(create_brand("Acme", "--md5", "--format", "json"))

    sent = password_to_send(made["password"], SecretForm.MD5_HEX)

    assert client_of("acme-api", sent).get("/v3/receipts").status_code == 200
    assert client_of("acme-api", made["password"]).get("/v3/receipts").status_code == 401


def test_text_says_user_password_and_what_to_send():
    out = create_brand("Acme")

    assert "Username  acme-api" in out
    assert "it is not shown again" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["acme"], "There is a brand 'acme' already."),
        (["Other", "--api-user", "acme-api"], "There is a user 'acme-api' already: name another with --api-user."),
        (["Other", "--time-zone", "Mars"], "'Mars' is not an IANA time zone such as Europe/Berlin or Asia/Kolkata."),
        ([""], "The name of the brand: The text may not be empty."),
    ],
)
def test_unusable_arguments_are_refused_with_exit_code_2_and_make_nothing(arguments, message):
    create_brand("Acme")

    with pytest.raises(CommandError) as refused:
        create_brand(*arguments)

    assert (str(refused.value), refused.value.returncode) == (message, 2)
    assert (Brand.objects.count(), get_user_model().objects.count()) == (1, 1)
