"""Who calls: API users with HTTP Basic (api.md 2)."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from config.guessing import Guesses, network_of
from config.passwords import RememberedCredentials, check_slowly, credential_key
from targets import credentials
from targets.addresses import client_address
from targets.enums import SecretForm
from targets.models import ApiUser, Brand
from targets.rows import Row, columns_of
from targets.second_factor import PERSON_HAS_ONE, bars_own_password

NOBODYS_DIGEST = "0" * 64
MOST_ENCODED = 2048  # characters of a credential; more is nobody's and not worth decoding
MOST_USERNAME = 150  # characters: Django's

# Of this process.
guesses = Guesses()
remembered = RememberedCredentials()


class BrandBasicAuthentication(BaseAuthentication):
    """`username:secret` -> (user, API user). One query, which also loads what the API user may do.

    `request.auth.brand` is the brand; `request.auth.granted_permissions` names such as "enrollments.unenroll".
    A right generated secret, and a person's password that was right a moment ago, are taken however many guesses have
    failed: a stranger cannot lock a brand out. What fails is answered and counted the same way, whoever is named.
    """

    def authenticate(self, request: Request) -> tuple[Any, ApiUser] | None:
        scheme, _, encoded = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        username, password = decoded(encoded)
        api_user = find_api_user(username)
        if api_user is not None and not is_active(api_user):
            api_user = None
        network = network_of(client_address(request))
        if not has_right_secret(api_user, password) and not has_right_password(api_user, username, password, network):
            raise AuthenticationFailed
        assert api_user is not None  # noqa: S101 - nobody has neither secret nor password
        return api_user.user, api_user

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="Milestreak", charset="UTF-8"'


class BrandBasicScheme(OpenApiAuthenticationExtension):
    target_class = BrandBasicAuthentication
    name = "basic"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "basic"}


def decoded(encoded: str) -> tuple[str, str]:
    if len(encoded) > MOST_ENCODED:
        raise AuthenticationFailed
    try:
        username, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise AuthenticationFailed from None
    if not colon or "\0" in username or len(username) > MOST_USERNAME:  # PostgreSQL takes no NUL
        raise AuthenticationFailed
    return username, password


def has_right_secret(api_user: ApiUser | None, password: str) -> bool:
    """Whether `password` is the generated secret, or the former one before its end. Cheap: one digest, in any case."""
    given = credentials.digest(password)
    is_right = hmac.compare_digest(given, (api_user and api_user.secret_digest) or NOBODYS_DIGEST)
    if api_user is None or api_user.former_until is None or api_user.former_until <= timezone.now():
        return is_right
    return hmac.compare_digest(given, api_user.former_digest) or is_right


def has_right_password(api_user: ApiUser | None, username: str, password: str, network: str) -> bool:
    """Whether `password` is the person's own. Counts a wrong one. Raises `Throttled`, unhashed, after too many."""
    refuse, count = partial(guesses.refuse_too_many, username, network), partial(guesses.count, username, network)
    if api_user is None or not may_send_password(api_user):
        refuse()
        count()
        return False
    stored = api_user.user.password
    key = credential_key(username=username, network=network, password=password, stored=stored)
    if key in remembered:
        return True
    refuse()
    return remembered.verify(key, partial(check_slowly, password, stored, refuse=refuse, count=count))


def may_send_password(api_user: Any) -> bool:
    """Whether the password is his own, and is all that signs him in elsewhere; `api_user` as it was found below."""
    is_own = api_user.secret_form == SecretForm.PASSWORD
    return is_own and not bars_own_password(api_user.user, has_one=api_user.has_second_factor)


def is_active(api_user: ApiUser) -> bool:
    return api_user.is_active and api_user.user.is_active and api_user.brand.is_active


# Composed once: Django would take longer for it than for the call itself.
API_USERS = f"""
SELECT {columns_of("api_user", ApiUser)}, {columns_of("person", User)}, {columns_of("brand", Brand)},
       granted_permissions(person.id)
       %s
  FROM targets_apiuser api_user
  JOIN auth_user person ON person.id = api_user.user_id
  JOIN targets_brand brand ON brand.id = api_user.brand_id
"""  # noqa: S608 - names of our own columns
BY_NAME = API_USERS % f", {PERSON_HAS_ONE}" + "WHERE person.username = %s"


def find_api_user(username: str) -> ApiUser | None:
    """The API user with user, brand, `granted_permissions` and `has_second_factor`, by one query."""
    return one_api_user(BY_NAME, [username], "has_second_factor")


def one_api_user(statement: str, parameters: Sequence[Any], *names: str) -> ApiUser | None:
    """Of a statement made from `API_USERS`, with user and brand; whatever else it selects becomes attributes."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        values = cursor.fetchone()
    if values is None:
        return None
    row = Row(values)
    api_user: ApiUser = row.take(ApiUser)
    api_user.user, api_user.brand = row.take(User), row.take(Brand)
    for name, value in zip(("granted_permissions", *names), row, strict=True):
        setattr(api_user, name, value)
    return api_user
