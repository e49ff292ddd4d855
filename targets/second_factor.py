"""The second factor of staff: who has one, and how far a session has come with it.

Signing in puts a flag into the session, so that no page of the admin asks the database for it.
"""

from enum import StrEnum
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django_otp.plugins.otp_totp.models import TOTPDevice

FLAG = "second_factor"  # in the session; none in that of a person who has no second factor


class Stage(StrEnum):
    AWAITED = "awaited"
    PASSED = "passed"


def has_second_factor(user: User) -> bool:
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def bars_own_password(user: User, *, has_one: bool) -> bool:
    """Whether the password alone is too little to call the API with, where nobody is asked for a code."""
    return has_one or (settings.REQUIRE_SECOND_FACTOR and user.is_staff)


def has_passed(request: HttpRequest) -> bool:
    """Whether whoever is signed in has given a right code in this session."""
    session = getattr(request, "session", None)
    return session is not None and session.get(FLAG) == Stage.PASSED


def flag_session(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """At each sign-in, also one within a session that had passed: from now on a code is awaited, or none needed."""
    if has_second_factor(user):
        request.session[FLAG] = Stage.AWAITED
    else:
        request.session.pop(FLAG, None)
