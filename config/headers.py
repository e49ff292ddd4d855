"""Headers that tell browsers and caches what they may do with an answer. Pages have the policy of the settings.

And what HEAD is answered: the headers alone.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from config.middleware import API_PATH

NO_FEATURES = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
NO_PAGE = "default-src 'none'; frame-ancestors 'none'"  # data only: nothing of it is shown, run or framed


class HeadersMiddleware:
    """Outside of everything that answers, so that refusals and failures have the headers too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.tls_only = tls_only()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response["Permissions-Policy"] = NO_FEATURES
        response["X-Content-Type-Options"] = "nosniff"
        if API_PATH.match(request.path_info):
            response["Content-Security-Policy"] = NO_PAGE
            response["X-Frame-Options"] = "DENY"
            response.setdefault("Cache-Control", "no-store")  # who is a customer, and where he stands
            if self.tls_only and request.is_secure():
                response["Strict-Transport-Security"] = self.tls_only
        return headers_alone(response) if request.method == "HEAD" else response


def tls_only() -> str:
    """What Django's middleware tells pages, which calls of the API go past; empty where nothing is to be told."""
    if not settings.SECURE_HSTS_SECONDS:
        return ""
    further = {"includeSubDomains": settings.SECURE_HSTS_INCLUDE_SUBDOMAINS, "preload": settings.SECURE_HSTS_PRELOAD}
    return "; ".join([f"max-age={settings.SECURE_HSTS_SECONDS}", *(name for name, is_on in further.items() if is_on)])


def headers_alone(response: HttpResponseBase) -> HttpResponseBase:
    """What GET would be told. The web server drops a body that is made nevertheless, and warns."""
    if isinstance(response, StreamingHttpResponse):
        response.streaming_content = ()
    elif isinstance(response, HttpResponse):
        response.content = b""
    return response
