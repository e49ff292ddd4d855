"""Calling with a token: who it is, what it may do, when it ends, and what it costs."""

import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from oauth2_provider.models import AccessToken
from rest_framework.test import APIClient

from targets.access import Role, access_group
from targets.models import ApiClient, ApiUser
from tests.config.token_scene import Credentials, bearer, caller, new_credentials, token_of
from tests.conftest import basic
from tests.factories import ApiUserFactory

pytestmark = pytest.mark.django_db

CHALLENGE = 'Basic realm="Milestreak", charset="UTF-8", Bearer realm="Milestreak", error="invalid_token"'
RECEIPTS = "/v3/receipts"
CLOCK = "/v3/clock"
REACHED_PREVIEW = (404, [310017])  # let in, and told that there is no such group
PREVIEW = "/v3/targetGroups/1/targets/1/unEnroll/preview"
UNENROLL = "/v3/targetGroups/1/targets/1/unEnroll"
RECORD = [{"customerId": 1}]


@pytest.fixture
def credentials(db):
    return new_credentials()


def outcome(response):
    errors = response.json()["errors"]
    return response.status_code, [error["code"] for error in errors or []]


def assert_refused(response):
    assert (*outcome(response), response["WWW-Authenticate"]) == (401, [4010], CHALLENGE)


@pytest.mark.parametrize("header", ["Authorization", "X-CAP-API-OAUTH-TOKEN"])
def test_token_in_either_header_calls_the_brand_by_one_query_of_authentication(
    credentials, header, django_assert_num_queries
):
    token = token_of(credentials)
    sent = {"Authorization": f"Bearer {token}", "X-CAP-API-OAUTH-TOKEN": token}[header]

    with django_assert_num_queries(1):
        response = APIClient().get("/v3/users/0x/targetGroups", headers={header: sent})

    assert outcome(response) == (400, [300004])  # authenticated and permitted; then the id is none


def test_view_sees_the_same_user_and_brand_as_with_basic(credentials):
    password = basic("till", credentials.password)
    token = bearer(token_of(credentials))
    body = {"now": "2026-01-15T09:00:00Z"}
    APIClient().put(CLOCK, body, format="json", headers={"Authorization": password})

    by_password = APIClient().get(CLOCK, headers={"Authorization": password})
    by_token = APIClient().get(CLOCK, headers={"Authorization": token})

    assert by_token.status_code == 200
    assert by_token.json() == by_password.json()


def test_scheme_is_read_in_any_case(credentials):
    token = token_of(credentials)

    response = APIClient().get(RECEIPTS, headers={"Authorization": f"bEARER  {token} "})

    assert response.status_code == 200


def test_token_beside_basic_is_passed_over(credentials):
    headers = {"Authorization": basic("till", credentials.password), "X-CAP-API-OAUTH-TOKEN": "nonsense"}

    response = APIClient().get(RECEIPTS, headers=headers)

    assert response.status_code == 200


@pytest.mark.parametrize("token", ["x", "x" * 5000, "\u00fc", "a b"])
def test_unknown_token_is_refused_by_one_query(token, django_assert_num_queries):
    with django_assert_num_queries(1):
        response = APIClient().get(RECEIPTS, HTTP_AUTHORIZATION=f"Bearer {token}")

    assert_refused(response)


@pytest.mark.parametrize("header", ["HTTP_AUTHORIZATION", "HTTP_X_CAP_API_OAUTH_TOKEN"])
def test_empty_token_is_refused_without_a_query(header, django_assert_num_queries):
    sent = {"HTTP_AUTHORIZATION": "Bearer ", "HTTP_X_CAP_API_OAUTH_TOKEN": ""}[header]

    with django_assert_num_queries(0):
        response = APIClient().get(RECEIPTS, **{header: sent})

    assert_refused(response)


def deactivate(row):
    row.is_active = False
    row.save()


ENDS = {
    "API user deactivated": lambda: deactivate(ApiUser.objects.get()),
    "user deactivated": lambda: deactivate(User.objects.get()),
    "brand deactivated": lambda: deactivate(ApiUser.objects.get().brand),
    "API user deleted": lambda: ApiUser.objects.get().delete(),
    "client deleted": lambda: ApiClient.objects.get().delete(),
    "token expired": lambda: AccessToken.objects.update(expires=timezone.now()),
    "token deleted": lambda: AccessToken.objects.all().delete(),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_whatever_ends_a_token_ends_it_at_once(credentials, end):
    client = caller(token_of(credentials))
    before = client.get(RECEIPTS).status_code

    end()

    assert before == 200
    assert_refused(client.get(RECEIPTS))


def test_token_is_valid_for_an_hour(credentials):
    asked_at = timezone.now()
    token_of(credentials)

    expires = AccessToken.objects.get().expires

    assert asked_at + timedelta(hours=1) <= expires <= timezone.now() + timedelta(hours=1)


def test_group_limits_what_a_client_may_do(credentials):
    credentials.user.groups.set([access_group(Role.READ_ONLY)])

    client = caller(token_of(credentials))

    assert outcome(client.get(RECEIPTS)) == (200, [])
    assert outcome(client.post(UNENROLL, RECORD)) == (403, [4000])


def test_permission_taken_away_is_missed_at_once(credentials):
    client = caller(token_of(credentials))
    before = client.get(RECEIPTS).status_code

    credentials.user.groups.clear()

    assert (before, client.get(RECEIPTS).status_code) == (200, 403)


@pytest.mark.parametrize("superuser", [False, True])
@pytest.mark.parametrize(
    ("scope", "reading", "preview", "writing"),
    [
        ("read", (200, []), REACHED_PREVIEW, (403, [4000])),
        ("write", (403, [4000]), (403, [4000]), REACHED_PREVIEW),
        ("read write", (200, []), REACHED_PREVIEW, REACHED_PREVIEW),
        (None, (200, []), REACHED_PREVIEW, REACHED_PREVIEW),
    ],
)
def test_scope_limits_what_a_token_may_do(credentials, superuser, scope, reading, preview, writing):
    User.objects.update(is_superuser=superuser)

    client = caller(token_of(credentials, scope=scope))

    assert outcome(client.get(RECEIPTS)) == reading
    assert outcome(client.get(CLOCK))[0] == reading[0]  # needs a changing permission, but reads
    assert outcome(client.post(PREVIEW, RECORD)) == preview
    assert outcome(client.post(UNENROLL, RECORD)) == writing


@pytest.mark.parametrize(("scope", "path", "lacking"), [("read", UNENROLL, "write"), ("write", PREVIEW, "read")])
def test_refusal_names_the_scope_that_is_lacking(credentials, scope, path, lacking):
    answer = caller(token_of(credentials, scope=scope)).post(path, RECORD)

    message = f"The token lacks the scope {lacking}: ask for one with it."
    assert answer.json() == {"data": None, "errors": [{"code": 4000, "message": message}], "warnings": None}


def test_scope_widens_nothing(credentials):
    credentials.user.groups.clear()

    client = caller(token_of(credentials, scope="read write"))

    assert outcome(client.get(RECEIPTS)) == (403, [4000])


def test_clients_of_two_brands_see_their_own(credentials):
    other = ApiUserFactory()
    foreign = Credentials.of(other)

    own_clock = caller(token_of(credentials)).get(CLOCK)
    foreign_clock = caller(token_of(foreign)).get(CLOCK)

    assert outcome(own_clock) == (200, [])
    assert outcome(foreign_clock) == (409, [300011])  # that brand is no sandbox


def test_neither_token_nor_secret_is_in_the_database(credentials):
    token = token_of(credentials)

    tables = [name for name in connection.introspection.table_names() if not name.startswith("django_migrations")]
    with connection.cursor() as cursor:
        rows = []
        for table in tables:
            cursor.execute(f"SELECT coalesce(string_agg(t::text, chr(10)), '') FROM \"{table}\" t")
            rows.append(cursor.fetchone()[0])
    written = "\n".join(rows)

    assert credentials.client_id in written
    assert [secret for secret in (token, credentials.client_secret) if secret in written] == []


def test_neither_token_nor_secret_is_in_the_logs(credentials, caplog):
    caplog.set_level(logging.DEBUG)

    token = token_of(credentials)
    caller(token).get(RECEIPTS)

    assert [secret for secret in (token, credentials.client_secret) if secret in caplog.text] == []
