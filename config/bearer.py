"""Who calls: API users with a token of OAuth 2.0 (api.md 2). config/tokens.py issues them."""

import hashlib
from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from config.authentication import API_USERS, BrandBasicAuthentication, is_active, one_api_user
from targets.models import ApiUser

PUBLISHED_HEADER = "X-CAP-API-OAUTH-TOKEN"


class BearerAuthentication(BaseAuthentication):
    """A token -> (user, API user), as `BrandBasicAuthentication` has it, by one query.

    Beside brand and `granted_permissions` the API user has `token_scope`, which `OperationPermission` keeps to, and
    `token_client`, the id of the client that fetched the token.
    Nothing is remembered: whatever ends a token ends it at once.
    """

    def authenticate(self, request: Request) -> tuple[Any, ApiUser] | None:
        token = sent_token(request)
        if token is None:
            return None
        api_user = find_holder(token) if token else None
        if api_user is None or not is_active(api_user):
            raise AuthenticationFailed
        return api_user.user, api_user

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


BY_TOKEN = (
    API_USERS % ", token.scope, client.client_id"
    + """
  JOIN oauth2_provider_application client ON client.user_id = person.id
  JOIN oauth2_provider_accesstoken token ON token.application_id = client.id
 WHERE token.token_checksum = %s AND token.expires > %s
"""
)


def find_holder(token: str) -> ApiUser | None:
    """The API user who was given the token, unless it has expired, with user, brand and `granted_permissions`."""
    checksum = hashlib.sha256(token.encode()).hexdigest()
    return one_api_user(BY_TOKEN, [checksum, timezone.now()], "token_scope", "token_client")
