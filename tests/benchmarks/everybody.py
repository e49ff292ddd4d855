"""Settings of a site that asks nobody who he is: what a call costs without authentication. For benchmarks only."""

from base64 import b64decode
from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from config.settings import *  # noqa: F403 - these are the settings, but for one
from config.settings import REST_FRAMEWORK as OTHERS

REST_FRAMEWORK = OTHERS | {"DEFAULT_AUTHENTICATION_CLASSES": ["tests.benchmarks.everybody.Everybody"]}


class Everybody(BaseAuthentication):
    """Takes each caller for the first one, whose secret nobody checks."""

    first: Any = None

    def authenticate(self, request: Request) -> Any:
        if Everybody.first is None:
            Everybody.first = found(request)
        return Everybody.first


def found(request: Request) -> Any:
    from django.utils import timezone

    from targets.authorization import find_caller

    username, _, _ = b64decode(request.META["HTTP_AUTHORIZATION"].removeprefix("Basic ")).decode().partition(":")
    allowed = find_caller(username=username, permission="enrollments.unenroll", at=timezone.now())
    assert allowed is not None
    return allowed.api_user.user, allowed
