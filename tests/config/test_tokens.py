"""Getting tokens: at /oauth/token as RFC 6749 has it, and as published clients do."""

import json
import threading

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from oauth2_provider.models import AccessToken
from rest_framework.test import APIClient

from config.tokens import ClientValidator
from targets.models import ApiClient, ApiUser
from targets.operations import revoke_api_client
from tests.config.token_scene import FORM, TOKEN, caller, new_credentials
from tests.conftest import basic

pytestmark = pytest.mark.django_db

PUBLISHED = "/v3/oauth/token/generate"
CHALLENGE = 'Basic realm="Milestreak", charset="UTF-8"'
GRANT = "grant_type=client_credentials"


@pytest.fixture
def credentials(db):
    return new_credentials()


def ask(form=GRANT, authorization=None, content_type=FORM, path=TOKEN):
    headers = {"Authorization": authorization} if authorization else {}
    client = APIClient(raise_request_exception=False)
    return client.generic("POST", path, form, content_type, headers=headers)


def ask_published(body):
    return APIClient(raise_request_exception=False).post(PUBLISHED, body, format="json")


def shown(credentials):
    return basic(credentials.client_id, credentials.client_secret)


def assert_answer(response, status, answer):
    assert (response.status_code, response.json(), response["Cache-Control"]) == (status, answer, "no-store")
    assert response["Content-Type"] == "application/json"


def test_client_with_basic_gets_a_token_that_works(credentials):
    response = ask(authorization=shown(credentials))

    token = response.json()["access_token"]
    assert_answer(
        response,
        200,
        {"access_token": token, "expires_in": 3600, "token_type": "Bearer", "scope": "read write"},
    )
    assert caller(token).get("/v3/receipts").status_code == 200


def test_client_in_the_form_gets_a_token_that_works(credentials):
    response = ask(f"{GRANT}&scope=read&client_id={credentials.client_id}&client_secret={credentials.client_secret}")

    answer = response.json()
    assert (response.status_code, answer["scope"]) == (200, "read")
    assert caller(answer["access_token"]).get("/v3/receipts").status_code == 200


def test_asking_costs_these_statements(credentials, django_assert_num_queries):
    # The client; its API user, user and brand; the token, inside a savepoint here, a transaction of its own elsewhere.
    with django_assert_num_queries(5):
        response = ask(authorization=shown(credentials))

    assert response.status_code == 200


def test_client_id_in_the_form_beside_basic_and_unknown_parameters_are_passed_over(credentials):
    form = f"{GRANT}&client_id=another&resource=https://elsewhere.example&x=1&scope="

    response = ask(form, shown(credentials))

    assert (response.status_code, response.json()["scope"]) == (200, "read write")


WRONG_CLIENTS = {
    "wrong secret": lambda it: basic(it.client_id, "wrong"),
    "no secret": lambda it: basic(it.client_id, ""),
    "stored digest as secret": lambda it: basic(it.client_id, ApiClient.objects.get().client_secret),
    "unknown client": lambda it: basic("nobody", it.client_secret),
    "password of the user": lambda it: basic("till", it.password),
    "NUL": lambda it: basic("a\0b", "x"),
    "escaped NUL": lambda it: basic("a%00b", "x"),
    "not base64": lambda it: "Basic !",
    "not ASCII": lambda it: "Basic \u00fc",
    "no colon": lambda it: "Basic dGlsbA==",
    "another scheme": lambda it: "Bearer abc",
    "none at all": lambda it: None,
}


@pytest.mark.parametrize("wrong", WRONG_CLIENTS.values(), ids=WRONG_CLIENTS)
def test_wrong_client_is_refused(credentials, wrong):
    response = ask(authorization=wrong(credentials))

    assert_answer(response, 401, {"error": "invalid_client"})
    assert response["WWW-Authenticate"] == CHALLENGE
    assert AccessToken.objects.count() == 0


@pytest.mark.parametrize("what", ["user", "api_user", "brand"])
def test_client_of_what_is_deactivated_is_refused(credentials, what):
    api_user = ApiUser.objects.get()
    row = {"user": api_user.user, "api_user": api_user, "brand": api_user.brand}[what]
    row.is_active = False
    row.save()

    response = ask(authorization=shown(credentials))

    assert_answer(response, 401, {"error": "invalid_client"})


def test_client_of_a_person_without_api_user_is_refused(credentials):
    ApiClient.objects.update(user=User.objects.create_user("boss", is_superuser=True))

    response = ask(authorization=shown(credentials))

    assert_answer(response, 401, {"error": "invalid_client"})


GRANTS = ["password", "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "x"]


@pytest.mark.parametrize("grant", GRANTS)
def test_other_grants_are_off(credentials, grant):
    form = f"grant_type={grant}&username=till&password={credentials.password}&code=x&refresh_token=x&device_code=x"

    response = ask(form, shown(credentials))

    assert_answer(response, 400, {"error": "unsupported_grant_type"})


TWICE = "A parameter was sent twice."
TWO_WAYS = "The client is authenticated in two ways: send the secret once."
NOT_A_FORM = "The body must be application/x-www-form-urlencoded."
NO_GRANT = "Request is missing grant type."


@pytest.mark.parametrize(
    ("form", "status", "error", "description"),
    [
        ("", 400, "invalid_request", NO_GRANT),
        ("grant_type=", 400, "invalid_request", NO_GRANT),
        (f"{GRANT}&scope=admin", 400, "invalid_scope", None),
        (f"{GRANT}&scope=read&scope=write", 400, "invalid_request", TWICE),
        (f"{GRANT}&client_secret=x", 400, "invalid_request", TWO_WAYS),
        (f"{GRANT}&x=" + "x" * 10_000, 413, "invalid_request", None),
    ],
)
def test_wrong_form_is_refused(credentials, form, status, error, description):
    response = ask(form, shown(credentials))

    expected = {"error": error, "error_description": description} if description else {"error": error}
    assert_answer(response, status, expected)
    assert AccessToken.objects.count() == 0


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_body_that_is_no_form_is_refused(credentials, content_type):
    response = ask(GRANT, shown(credentials), content_type)

    assert_answer(response, 415, {"error": "invalid_request", "error_description": NOT_A_FORM})


def test_parameters_in_the_address_are_refused(credentials):
    response = ask(GRANT, shown(credentials), path=f"{TOKEN}?client_secret=x")

    assert response.status_code == 400
    assert response.json()["error_description"] == "Parameters belong into the body."


@pytest.mark.parametrize("path", [TOKEN, PUBLISHED])
def test_other_methods_are_refused(client, path):
    response = client.get(path)

    assert (response.status_code, response["Allow"]) == (405, "POST, OPTIONS")
    assert response["Cache-Control"] == "no-store"


def test_published_client_gets_a_token_that_works(credentials):
    response = ask_published({"key": credentials.client_id, "secret": credentials.client_secret})

    token = response.json()["data"]["accessToken"]
    assert_answer(response, 200, {"data": {"accessToken": token, "ttlSeconds": 3600}, "errors": None, "warnings": None})
    client = APIClient(headers={"X-CAP-API-OAUTH-TOKEN": token})
    assert client.get("/v3/receipts").status_code == 200


@pytest.mark.parametrize(("key", "secret"), [("nobody", "x"), (None, "wrong")])
def test_wrong_published_client_is_refused(credentials, key, secret):
    response = ask_published({"key": key or credentials.client_id, "secret": secret})

    error = {"code": 4010, "message": "Credentials are missing or wrong."}
    assert_answer(response, 401, {"data": None, "errors": [error], "warnings": None})
    assert response["WWW-Authenticate"] == CHALLENGE
    assert AccessToken.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "status", "fields"),
    [
        ({}, 400, ["key", "secret"]),
        ({"key": "a", "secret": ""}, 400, ["secret"]),
        ({"key": 1, "secret": ["x"]}, 400, ["key", "secret"]),
        ({"key": "a\0", "secret": "x" * 256}, 400, [None]),
        ({"key": "a\nb", "secret": "x" * 256}, 400, ["key", "secret"]),
        ({"key": "a", "secret": "b", "scope": "read"}, 400, ["scope"]),
        ([], 400, [None]),
        ({"key": "a", "secret": "x" * 10_000}, 413, [None]),
    ],
)
def test_wrong_published_body_is_refused(credentials, body, status, fields):
    response = ask_published(body)

    assert (response.status_code, [each.get("field") for each in response.json()["errors"]]) == (status, fields)


def test_published_call_answers_under_v3_only(credentials):
    response = APIClient().post("/oauth/token/generate", {}, format="json")

    assert response.status_code == 404


@pytest.mark.parametrize("path", ["authorize", "revoke_token", "introspect", "device", "applications", "register"])
@pytest.mark.parametrize("prefix", ["/oauth/", "/o/", "/"])
def test_other_pages_of_the_library_are_off(client, path, prefix):
    assert [client.get(f"{prefix}{path}{end}").status_code for end in ("", "/")] == [404, 404]


def test_lost_database_is_said_in_the_form_of_each_door(credentials, monkeypatch):
    def lost(*arguments, **options):
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(ClientValidator, "authenticate_client", lost)

    standard = ask(authorization=shown(credentials))
    published = ask_published({"key": "a", "secret": "b"})

    assert_answer(standard, 503, {"error": "temporarily_unavailable"})
    assert (published.status_code, [each["code"] for each in published.json()["errors"]]) == (503, [5030])
    assert (standard["Retry-After"], published["Retry-After"]) == ("2", "2")


@pytest.mark.django_db(transaction=True)
def test_client_revoked_while_its_token_is_written_gets_none(monkeypatch):
    credentials = new_credentials()
    save = ClientValidator._save_bearer_token

    def save_after_revocation(*arguments, **options):
        revoking = threading.Thread(target=revoke_elsewhere, args=[credentials.client_id])
        revoking.start()
        revoking.join()
        return save(*arguments, **options)

    monkeypatch.setattr(ClientValidator, "_save_bearer_token", save_after_revocation)

    response = ask(authorization=shown(credentials))

    assert_answer(response, 401, {"error": "invalid_client"})
    assert (ApiClient.objects.count(), AccessToken.objects.count()) == (0, 0)


def revoke_elsewhere(client_id):
    try:
        revoke_api_client(client_id=client_id)
    finally:
        connection.close()


def test_schema_describes_both_schemes_and_the_published_call(client):
    document = json.loads(client.get("/v3/schema").content)

    schemes = document["components"]["securitySchemes"]
    call = document["paths"][PUBLISHED]["post"]
    assert sorted(schemes) == ["basic", "oauth2", "publishedToken"]
    assert schemes["oauth2"]["flows"]["clientCredentials"]["tokenUrl"] == TOKEN
    assert (schemes["publishedToken"]["in"], schemes["publishedToken"]["name"]) == ("header", "X-CAP-API-OAUTH-TOKEN")
    assert call.get("security", []) == []
