"""Who calls: API users with a token of OAuth 2.0 (api.md 2). config/tokens.py issues them."""

import hashlib
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from config.authentication import BrandBasicAuthentication, is_active
from config.permissions import permission_asked_for
from config.recent_callers import recent_callers
from targets.authorization import Authorization, find_caller

PUBLISHED_HEADER = "X-CAP-API-OAUTH-TOKEN"


class BearerAuthentication(BaseAuthentication):
    """A token -> (user, authorization), as `BrandBasicAuthentication` has it: by one query, or none for a token that
    was right a moment ago.

    Beside the permissions there is the scope of the token, which `OperationPermission` keeps to.
    """

    def authenticate(self, request: Request) -> tuple[Any, Authorization] | None:
        token = sent_token(request)
        if token is None:
            return None
        permission, at = permission_asked_for(request), timezone.now()
        recent = recent_callers.find(f"Bearer {token}", permission, request, at)
        found = recent or find_holder(token, permission, at)
        return found.api_user.user, found

    def authenticate_header(self, request: Request) -> str:
        basic = BrandBasicAuthentication().authenticate_header(request)
        error = "" if sent_token(request) is None else ', error="invalid_token"'
        return f'{basic}, Bearer realm="Milestreak"{error}'


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = BearerAuthentication
    name = ["oauth2", "publishedToken"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]  # either, not both

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        flow = {"tokenUrl": "/oauth/token", "scopes": settings.OAUTH2_PROVIDER["SCOPES"]}
        return [
            {"type": "oauth2", "flows": {"clientCredentials": flow}},
            {
                "type": "apiKey",
                "in": "header",
                "name": PUBLISHED_HEADER,
                "description": "The token of `POST /v3/oauth/token/generate`, as published clients send it.",
            },
        ]


def sent_token(request: Request) -> str | None:
    """The token as sent, perhaps empty. The published header is looked at only where there is no Authorization."""
    scheme, _, credentials = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return None if scheme else request.META.get("HTTP_X_CAP_API_OAUTH_TOKEN")


def find_holder(token: str, permission: str, at: datetime) -> Authorization:
    """Whoever was given the token. Raises `AuthenticationFailed` where nobody was, or it has expired."""
    since = recent_callers.seconds()
    checksum = hashlib.sha256(token.encode()).hexdigest()
    found = find_caller(token_checksum=checksum, permission=permission, at=at) if token else None
    if found is None or not is_active(found.api_user):
        raise AuthenticationFailed
    recent_callers.keep(f"Bearer {token}", found, ends_at=found.ends_at, since=since)
    return found
