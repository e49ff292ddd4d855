"""Calls with an Idempotency-Key, and every call that takes one."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import simplejson
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient
from rest_framework.views import APIView

KEY = "b7c1-4711"
CHANGING = {"post", "put", "patch", "delete"}


class Told(NamedTuple):
    """An answer, as far as a repeat must be the same."""

    status: int
    body: bytes
    content_type: str
    is_repeated: bool

    @property
    def code(self) -> int | None:
        errors = simplejson.loads(self.body)["errors"]
        return errors[0]["code"] if errors else None

    @property
    def data(self) -> Any:
        return simplejson.loads(self.body)["data"]


def tell(client: APIClient, method: str, path: str, body: Any, key: str | None = KEY) -> Told:
    """Send it. A body of bytes is sent as it is."""
    content = body if isinstance(body, bytes) else simplejson.dumps(body)
    headers = {} if key is None else {"Idempotency-Key": key}
    response = client.generic(method, path, content, "application/json", headers=headers)
    repeated = response.headers.get("Idempotent-Replayed") == "true"
    return Told(response.status_code, response.content, response["Content-Type"], repeated)


def changing_calls() -> dict[tuple[str, str], bool]:
    """Every (method, route) of the API that is no reading, without /v3; and whether it takes a key."""
    return {
        (method.upper(), route.removeprefix("v3/")): takes_key(pattern, method)
        for route, pattern in routes(get_resolver().url_patterns)
        if issubclass(getattr(pattern.callback, "cls", object), APIView)
        for method in CHANGING & handlers(pattern).keys()
    }


def handlers(pattern: URLPattern) -> dict[str, str]:
    """The name of the handler of each method."""
    actions = getattr(pattern.callback, "actions", None)
    if actions:
        return dict(actions)
    return {method: method for method in CHANGING if hasattr(pattern.callback.cls, method)}


def takes_key(pattern: URLPattern, method: str) -> bool:
    handler = getattr(pattern.callback.cls, handlers(pattern)[method])
    return getattr(handler, "is_idempotent", False)


def routes(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for each in patterns:
        route = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns, route)
        else:
            yield route, each
