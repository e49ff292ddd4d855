"""Headers that tell browsers and caches what they may do with an answer. Pages have the policy of the settings.

And what HEAD is answered: the headers alone.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase, ResponseHeaders

from config.middleware import API_PATH

Kept = dict[str, tuple[str, str]]  # as a response keeps its headers


def kept_of(headers: ResponseHeaders) -> Kept:
    kept: Kept = headers._store
    return kept


def prepared(headers: dict[str, str]) -> Kept:
    """As a response keeps them: looked at once, and not for each answer."""
    return kept_of(ResponseHeaders(headers))


NO_FEATURES = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"  # data only: nothing of it is shown, run or framed

OF_ALL = prepared({"Permissions-Policy": NO_FEATURES, "X-Content-Type-Options": "nosniff"})
OF_CALLS = OF_ALL | prepared({"Content-Security-Policy": NO_PAGE, "X-Frame-Options": "DENY"})
OF_UNCACHED_CALLS = OF_CALLS | prepared({"Cache-Control": "no-store"})  # who is a customer, and where he stands


class HeadersMiddleware:
    """Outside of everything that answers, so that refusals and failures have the headers too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.tls_only = tls_only()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        kept = kept_of(response.headers)
        if API_PATH.match(request.path_info):
            kept |= OF_CALLS if "cache-control" in kept else OF_UNCACHED_CALLS
            if self.tls_only and request.is_secure():
                kept |= self.tls_only
        else:
            kept |= OF_ALL
        return headers_alone(response) if request.method == "HEAD" else response


def tls_only() -> Kept:
    """What Django's middleware tells pages, which calls of the API go past; empty where nothing is to be told."""
    if not settings.SECURE_HSTS_SECONDS:
        return {}
    further = {"includeSubDomains": settings.SECURE_HSTS_INCLUDE_SUBDOMAINS, "preload": settings.SECURE_HSTS_PRELOAD}
    names = [f"max-age={settings.SECURE_HSTS_SECONDS}", *(name for name, is_on in further.items() if is_on)]
    return prepared({"Strict-Transport-Security": "; ".join(names)})


def headers_alone(response: HttpResponseBase) -> HttpResponseBase:
    """What GET would be told. The web server drops a body that is made nevertheless, and warns."""
    if isinstance(response, StreamingHttpResponse):
        response.streaming_content = ()
    elif isinstance(response, HttpResponse):
        response.content = b""
    return response
