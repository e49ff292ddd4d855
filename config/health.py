"""Probes. Answered before anything looks at the host name or redirects to TLS: probes come by address."""

import logging
from collections.abc import Callable
from functools import cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase

logger = logging.getLogger(__name__)


class ProbeMiddleware:
    """`/healthz`: the process answers, always 200. `/readyz`: 200 when it can serve, else 503 and why."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.probes = {"/healthz": healthy, "/readyz": ready}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = self.probes.get(request.path_info)
        if probe is None:
            return self.get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return probe()


def healthy() -> JsonResponse:
    return JsonResponse({"status": "ok"})


def ready() -> JsonResponse:
    try:
        missing = known_migrations() - applied_migrations()
    except Exception:  # whatever it is, we cannot serve; the embedded server has errors of its own
        logger.warning("Not ready: the database does not answer.", exc_info=True)
        return JsonResponse({"status": "unavailable", "reason": "database"}, status=503)
    if missing:
        return JsonResponse({"status": "unavailable", "reason": "migrations"}, status=503)
    return JsonResponse({"status": "ok"})


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations or ())


def applied_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationRecorder(connection).applied_migrations())
