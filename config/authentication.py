"""Who calls: API users with HTTP Basic (api.md 2)."""

import base64
import binascii
import hmac
from datetime import datetime
from functools import partial
from typing import Any

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from config.guessing import Guesses, network_of
from config.passwords import RememberedCredentials, check_slowly, credential_key
from config.permissions import permission_asked_for
from config.recent_callers import recent_callers
from targets import credentials
from targets.addresses import client_address
from targets.authorization import Authorization, find_caller
from targets.enums import SecretForm
from targets.models import ApiUser
from targets.second_factor import bars_own_password

NOBODYS_DIGEST = "0" * 64
MOST_ENCODED = 2048  # characters of a credential; more is nobody's and not worth decoding
MOST_USERNAME = 150  # characters: Django's

# Of this process.
guesses = Guesses()
remembered = RememberedCredentials()


class BrandBasicAuthentication(BaseAuthentication):
    """`username:secret` -> (user, authorization). At most one query, which also says whether he may do what the call
    asks for; none for a generated secret that was right a moment ago.

    A right generated secret, and a person's password that was right a moment ago, are taken however many guesses have
    failed: a stranger cannot lock a brand out. What fails is answered and counted the same way, whoever is named.
    """

    def authenticate(self, request: Request) -> tuple[Any, Authorization] | None:
        sent = request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _, encoded = sent.partition(" ")
        if scheme.lower() != "basic":
            return None
        permission, at = permission_asked_for(request), timezone.now()
        found = recent_callers.find(sent, permission, request, at) or find_owner(request, encoded, permission, at)
        return found.api_user.user, found

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="Milestreak", charset="UTF-8"'


class BrandBasicScheme(OpenApiAuthenticationExtension):
    target_class = BrandBasicAuthentication
    name = "basic"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "basic"}


def find_owner(request: Request, encoded: str, permission: str, at: datetime) -> Authorization:
    """Whose credential it is. Raises `AuthenticationFailed`, `Throttled`."""
    username, password = decoded(encoded)
    since = recent_callers.seconds()
    found = find_caller(username=username, permission=permission, at=at)
    if found is not None and not is_active(found.api_user):
        found = None
    if has_right_secret(found, password, at):
        assert found is not None  # noqa: S101 - nobody has no secret
        former_until = found.api_user.former_until
        ends_at = former_until if former_until is not None and former_until > at else None
        recent_callers.keep(request.META["HTTP_AUTHORIZATION"], found, ends_at=ends_at, since=since)
        return found
    network = network_of(client_address(request))
    if not has_right_password(found, username, password, network):
        raise AuthenticationFailed
    assert found is not None  # noqa: S101 - nor a password
    return found


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


def has_right_secret(found: Authorization | None, password: str, at: datetime) -> bool:
    """Whether `password` is the generated secret, or the former one before its end. Cheap: one digest, in any case."""
    api_user = None if found is None else found.api_user
    given = credentials.digest(password)
    is_right = hmac.compare_digest(given, (api_user and api_user.secret_digest) or NOBODYS_DIGEST)
    if api_user is None or api_user.former_until is None or api_user.former_until <= at:
        return is_right
    return hmac.compare_digest(given, api_user.former_digest) or is_right


def has_right_password(found: Authorization | None, username: str, password: str, network: str) -> bool:
    """Whether `password` is the person's own. Counts a wrong one. Raises `Throttled`, unhashed, after too many."""
    refuse, count = partial(guesses.refuse_too_many, username, network), partial(guesses.count, username, network)
    if found is None or not may_send_password(found):
        refuse()
        count()
        return False
    stored = found.api_user.user.password
    key = credential_key(username=username, network=network, password=password, stored=stored)
    if key in remembered:
        return True
    refuse()
    return remembered.verify(key, partial(check_slowly, password, stored, refuse=refuse, count=count))


def may_send_password(found: Authorization) -> bool:
    """Whether the password is his own, and is all that signs him in elsewhere."""
    is_own = found.api_user.secret_form == SecretForm.PASSWORD
    return is_own and not bars_own_password(found.api_user.user, has_one=found.has_second_factor)


def is_active(api_user: ApiUser) -> bool:
    return api_user.is_active and api_user.user.is_active and api_user.brand.is_active
