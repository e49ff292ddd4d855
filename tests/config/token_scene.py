"""A client of a sandbox brand, and how it gets and shows tokens."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from targets.models import ApiUser
from targets.operations import create_api_client
from tests.conftest import basic
from tests.factories import SECRET, START, ApiUserFactory, BrandFactory

TOKEN = "/oauth/token"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Credentials:
    """Of an API user: his password, and those of one client of his."""

    user: User
    password: str
    client_id: str
    client_secret: str

    @classmethod
    def of(cls, api_user: ApiUser) -> "Credentials":
        made = create_api_client(username=api_user.user.username, brand_name=None, group_name=None)
        return cls(api_user.user, SECRET, made.client_id, made.secret)


def new_credentials() -> Credentials:
    brand = BrandFactory(sandbox=True, clock_at=START)
    return Credentials.of(ApiUserFactory(user__username="till", brand=brand))


def bearer(token: str) -> str:
    return f"Bearer {token}"


def token_of(credentials: Credentials, scope: str | None = None) -> str:
    form = "grant_type=client_credentials" + (f"&scope={scope.replace(' ', '+')}" if scope else "")
    shown = basic(credentials.client_id, credentials.client_secret)
    response = APIClient().generic("POST", TOKEN, form, FORM, headers={"Authorization": shown})
    assert response.status_code == 200, response.content
    return response.json()["access_token"]


def caller(token: str) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.default_format = "json"
    client.credentials(HTTP_AUTHORIZATION=bearer(token))
    return client
