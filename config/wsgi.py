"""What the web server serves: Django's handler, without what it would do again for each small call."""

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import django
from django.conf import settings
from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries
from django.http import HttpRequest
from django.urls import ResolverMatch, URLResolver, get_resolver

Resolved = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]

PATHS = 1024  # remembered; published calls have one for each target


class Handler(WSGIHandler):
    """Remembers where the paths lead that were asked for lately. What leads nowhere is looked up each time."""

    def resolve_request(self, request: HttpRequest) -> Resolved:  # type: ignore[override]  # only taken to pieces
        """The view and its arguments."""
        if hasattr(request, "urlconf"):  # set by middleware that has a URL configuration of its own
            match = super().resolve_request(request)
        else:
            match = find(get_resolver(), request.path_info)
            request.resolver_match = match
        return match.func, match.args, match.kwargs


@lru_cache(maxsize=PATHS)
def find(resolver: URLResolver, path: str) -> ResolverMatch:
    return resolver.resolve(path)


def outlive_requests(databases: dict[str, dict[str, Any]]) -> bool:
    """Whether all connections are kept when a request ends."""
    ages = [each["CONN_MAX_AGE"] for each in databases.values()]
    return all(age is None or age > 0 for age in ages)


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)

# What each request begins and ends with, and need not. Connections are looked after when a request begins: only then
# is to be seen how old one has become since the last.
if not settings.DEBUG:
    request_started.disconnect(reset_queries)  # of which none are kept
if outlive_requests(settings.DATABASES):
    request_finished.disconnect(close_old_connections)
request_finished.disconnect(reset_urlconf)  # set anew at the begin of each request
request_finished.disconnect(close_caches)  # Django's own, in memory: there is nothing to close

application = Handler()
