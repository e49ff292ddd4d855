"""Who may call, and what it costs: authentication and permission together are one query."""

import base64

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.urls import path
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from targets.access import Role, access_group
from targets.answers import Answer
from targets.credentials import digest
from targets.models import ApiUser, Brand

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]

CHALLENGE = 'Basic realm="Milestreak", charset="UTF-8", Bearer realm="Milestreak"'


class WhoView(APIView):
    required_permissions = {"get": "targets.view_targetgroup", "post": "enrollments.unenroll"}

    def get(self, request: Request) -> Response:
        return Answer({"user": request.user.username, "brand": request.auth.api_user.brand.name})

    def post(self, request: Request) -> Response:
        return Answer(request.data)


class ForgottenView(APIView):
    def get(self, request: Request) -> Response:
        return Answer(None)


class PublicView(APIView):
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        return Answer(None)


urlpatterns = [
    path("v3/who", WhoView.as_view()),
    path("v3/forgotten", ForgottenView.as_view()),
    path("v3/public", PublicView.as_view()),
]


@pytest.fixture
def api_user() -> ApiUser:
    user = User.objects.create_user("till")
    user.groups.add(access_group(Role.DEFAULT_ACCESS))
    brand = Brand.objects.create(name="ABC")
    return ApiUser.objects.create(user=user, brand=brand, secret_digest=digest("s3cret:\u00fc"))


@pytest.fixture
def till(api_user, client_of) -> APIClient:
    return client_of("till", "s3cret:\u00fc")


def codes(response: Response) -> list[int]:
    envelope = response.json()
    assert envelope["data"] is None
    return [error["code"] for error in envelope["errors"]]


def test_right_secret_answers_user_and_brand_by_one_query(till, django_assert_num_queries):
    with django_assert_num_queries(1):
        response = till.get("/v3/who")

    assert response.json() == {"data": {"user": "till", "brand": "ABC"}, "errors": None, "warnings": None}


def test_session_cookie_costs_no_query(till, django_assert_num_queries):
    till.cookies["sessionid"] = "a" * 32

    with django_assert_num_queries(1):
        response = till.get("/v3/who")

    assert response.status_code == 200


def test_post_needs_no_csrf_token(api_user):
    client = APIClient(enforce_csrf_checks=True)
    header = "Basic " + base64.b64encode("till:s3cret:\u00fc".encode()).decode()

    response = client.post("/v3/who", {"a": 1}, format="json", HTTP_AUTHORIZATION=header)

    assert response.json()["data"] == {"a": 1}


@pytest.mark.parametrize(
    ("username", "password"),
    [("till", "wrong"), ("till", ""), ("nobody", "s3cret:\u00fc"), ("", ""), ("ti\0ll", "x"), ("till", "\0")],
)
def test_wrong_credentials_are_refused(api_user, client_of, username, password):
    response = client_of(username, password).get("/v3/who")

    assert (response.status_code, response["WWW-Authenticate"]) == (401, CHALLENGE)
    assert codes(response) == [4010]


def test_unknown_user_costs_as_many_digests_and_queries_as_a_wrong_secret(
    api_user, client_of, monkeypatch, django_assert_num_queries
):
    digested = []
    monkeypatch.setattr("targets.credentials.digest", lambda password: digested.append(password) or "0" * 64)

    for username in ("till", "nobody"):
        with django_assert_num_queries(1):
            client_of(username, "wrong").get("/v3/who")

    assert digested == ["wrong", "wrong"]


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !",
        "Basic dGlsbA==",
        "Basic /////w==",  # no UTF-8
        "Basic dGkAbGw6eA==",  # a NUL in the user name
        "Basic \u00fc",
        "",
        "x",
        "Basic " + base64.b64encode(b"u" * 151 + b":x").decode(),  # longer than any user name
        "Basic " + base64.b64encode(b"till:" + b"x" * 1600).decode(),
        "Basic " + "A" * 100_000,
    ],
    ids=range(11),
)
def test_malformed_credentials_are_refused_without_a_query(header, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = APIClient().get("/v3/who", HTTP_AUTHORIZATION=header)

    assert (response.status_code, response["WWW-Authenticate"]) == (401, CHALLENGE)
    assert codes(response) == [4010]


def test_missing_credentials_are_refused(django_assert_num_queries):
    with django_assert_num_queries(0):
        response = APIClient().get("/v3/who")

    assert (response.status_code, response["WWW-Authenticate"]) == (401, CHALLENGE)
    assert codes(response) == [4010]


@pytest.mark.parametrize("what", ["user", "api_user", "brand"])
def test_deactivated_is_refused(api_user, till, what):
    row = {"user": api_user.user, "api_user": api_user, "brand": api_user.brand}[what]
    row.is_active = False
    row.save()

    response = till.get("/v3/who")

    assert (response.status_code, codes(response)) == (401, [4010])


def test_person_without_api_secret_is_refused(client_of):
    User.objects.create_user("boss", password="a-long-password", is_superuser=True)

    response = client_of("boss", "a-long-password").get("/v3/who")

    assert (response.status_code, codes(response)) == (401, [4010])


def test_user_without_the_permission_is_refused(api_user, till):
    api_user.user.groups.set([access_group(Role.READ_ONLY)])

    reading = till.get("/v3/who")
    writing = till.post("/v3/who", {}, format="json")

    assert reading.status_code == 200
    assert (writing.status_code, codes(writing)) == (403, [4000])


def test_permission_of_the_user_himself_counts(api_user, till):
    permission = access_group(Role.READ_ONLY).permissions.get(codename="view_targetgroup")
    api_user.user.groups.clear()
    api_user.user.user_permissions.add(permission)

    response = till.get("/v3/who")

    assert response.status_code == 200


def test_superuser_may_do_everything(api_user, till):
    api_user.user.groups.clear()
    User.objects.update(is_superuser=True)

    response = till.get("/v3/who")

    assert response.status_code == 200


def test_view_that_names_no_permission_fails_loudly(till, caplog):
    response = till.get("/v3/forgotten")

    assert (response.status_code, codes(response)) == (500, [5000])
    (error,) = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert isinstance(error, ImproperlyConfigured)
    assert str(error) == "ForgottenView.required_permissions names no permission for 'get'."


def test_method_that_does_not_exist_is_405_not_a_forgotten_permission(till):
    response = till.delete("/v3/who")

    assert (response.status_code, codes(response)) == (405, [4050])


def test_public_view_needs_no_credentials_but_refuses_wrong_ones(client_of):
    without = APIClient().get("/v3/public")
    wrong = client_of("nobody", "wrong").get("/v3/public")

    assert (without.status_code, wrong.status_code) == (200, 401)
