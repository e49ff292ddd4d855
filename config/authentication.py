"""Who calls: API users with HTTP Basic (api.md 2)."""

import base64
import binascii
import hmac
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Func, TextField
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from targets import credentials
from targets.models import ApiUser

NOBODYS_DIGEST = "0" * 64


class GrantedPermissions(Func):
    """What a user may do, himself and by his groups. SQL, since Django takes milliseconds to compose the same."""

    template = """ARRAY(
        SELECT content_type.app_label || '.' || permission.codename
        FROM auth_permission permission JOIN django_content_type content_type
            ON content_type.id = permission.content_type_id
        WHERE permission.id IN (
            SELECT permission_id FROM auth_user_user_permissions WHERE user_id = %(expressions)s
            UNION ALL
            SELECT granted.permission_id FROM auth_user_groups member
            JOIN auth_group_permissions granted USING (group_id) WHERE member.user_id = %(expressions)s
        )
    )"""
    output_field = ArrayField(TextField())


class BrandBasicAuthentication(BaseAuthentication):
    """`username:secret` -> (user, API user). One query, which also loads what the API user may do.

    `request.auth.brand` is the brand; `request.auth.granted_permissions` names such as "enrollments.unenroll".
    """

    def authenticate(self, request: Request) -> tuple[Any, ApiUser] | None:
        scheme, _, encoded = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        username, password = decoded(encoded)
        api_user = find_api_user(username)
        expected = api_user.secret_digest if api_user else NOBODYS_DIGEST
        is_right = hmac.compare_digest(credentials.digest(password), expected)
        if api_user is None or not is_right or not is_active(api_user):
            raise AuthenticationFailed
        return api_user.user, api_user

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="Milestreak", charset="UTF-8"'


class BrandBasicScheme(OpenApiAuthenticationExtension):
    target_class = BrandBasicAuthentication
    name = "basic"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "basic"}


def decoded(encoded: str) -> tuple[str, str]:
    try:
        username, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise AuthenticationFailed from None
    if not colon or "\0" in username:  # PostgreSQL takes no NUL
        raise AuthenticationFailed
    return username, password


def is_active(api_user: ApiUser) -> bool:
    return api_user.is_active and api_user.user.is_active and api_user.brand.is_active


def find_api_user(username: str) -> ApiUser | None:
    """The API user with user, brand and `granted_permissions`, by one query."""
    return (
        ApiUser.objects.select_related("user", "brand")
        .annotate(granted_permissions=GrantedPermissions(F("user")))
        .filter(user__username=username)
        .first()
    )
