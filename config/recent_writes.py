"""Notes who has changed something; there only where there is a replica."""

import logging
from collections.abc import Callable

from django.contrib.auth import SESSION_KEY
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.permissions import SAFE_METHODS

from targets.recent_writes import note_in_session, recent_writes

logger = logging.getLogger(__name__)


class RecentWritesMiddleware:
    """After a request that may have changed something, and before its answer is sent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method not in SAFE_METHODS and response.status_code < 400:
            note(request)
        return response


def note(request: HttpRequest) -> None:
    authorization = getattr(request, "auth", None)  # Django REST framework leaves it there
    if authorization is None:
        session = getattr(request, "session", None)  # calls of the API have none: config.page_middleware
        if session is not None and SESSION_KEY in session:
            note_in_session(session, at=timezone.now())
        return
    try:
        recent_writes.note(authorization.api_user, at=timezone.now())
    except (OperationalError, InterfaceError) as error:  # it is done, and is to be answered so
        logger.warning("Could not note that %s wrote: %s", authorization.api_user.pk, error)
