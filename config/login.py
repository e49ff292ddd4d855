"""The admin's log-in: whoever fails too often has to wait. django-axes counts; this is what it asks us for."""

from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from targets.addresses import client_address

LONGEST_NAME = 150  # of a user; whatever is typed beyond, nobody has such a name


def address_of(request: HttpRequest) -> str | None:
    return client_address(request) or None


def username_of(request: HttpRequest, credentials: dict[str, Any] | None) -> str | None:
    """The name that is tried, no longer than the table of django-axes takes it."""
    name = (credentials or request.POST).get("username")
    return name and name[:LONGEST_NAME]


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """The page for a log-in that was refused unseen: what has happened, and when to try again."""
    attempts = AccessAttempt.objects.filter(username=username_of(request, credentials), ip_address=address_of(request))
    now = timezone.now()
    ends_at = (attempts.aggregate(last=Max("attempt_time"))["last"] or now) + settings.AXES_COOLOFF_TIME
    seconds = max(1, -((now - ends_at) // timedelta(seconds=1)))
    context = {"failures": settings.AXES_FAILURE_LIMIT, "ends_at": ends_at, "minutes": -(-seconds // 60)}
    page = render(request, "locked_out.html", context, status=429)
    page["Retry-After"] = str(seconds)
    return page
