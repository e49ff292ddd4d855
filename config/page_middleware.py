"""Where middleware that serves pages only begins and ends: calls of the API go past it, since they have neither
sessions nor messages, static files nor cookies. One that came without TLS is sent to it as a page is.
"""

from collections.abc import Callable
from typing import ClassVar

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config.middleware import API_PATH

Handler = Callable[[HttpRequest], HttpResponseBase]


class EndOfPages:
    """The last of them. Django makes the last middleware first, so that `BeginOfPages` finds what comes after this."""

    latest: ClassVar[Handler]

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        type(self).latest = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)


class BeginOfPages:
    """The first of them. Does for calls of the API the two things that they need of what they go past."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self.answer_call = EndOfPages.latest
        self.needs_tls = settings.SECURE_SSL_REDIRECT

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not API_PATH.match(request.path_info) or (self.needs_tls and not request.is_secure()):
            return self.get_response(request)
        request.get_host()  # raises `DisallowedHost`
        response = self.answer_call(request)
        if not response.streaming and "Content-Length" not in response:
            response["Content-Length"] = str(len(response.content))  # type: ignore[attr-defined]  # it does not stream
        return response
