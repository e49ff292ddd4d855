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


def address_of(request: HttpRequest) -> str | None:
    return client_address(request) or None


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """The page for a log-in that was refused unseen: what has happened, and when to try again."""
    username = (credentials or {}).get("username")
    attempts = AccessAttempt.objects.filter(username=username, ip_address=address_of(request))
    now = timezone.now()
    ends_at = (attempts.aggregate(last=Max("attempt_time"))["last"] or now) + settings.AXES_COOLOFF_TIME
    seconds = max(1, -((now - ends_at) // timedelta(seconds=1)))
    context = {"failures": settings.AXES_FAILURE_LIMIT, "ends_at": ends_at, "minutes": -(-seconds // 60)}
    page = render(request, "locked_out.html", context, status=429)
    page["Retry-After"] = str(seconds)
    return page
