"""Middleware that serves pages only: calls of the API go past it, since they have neither sessions nor static files."""

from typing import Any

from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]

from config.middleware import API_PATH


class OnPages:
    """Goes before the middleware whose work it leaves out."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if API_PATH.match(request.path_info):
            response: HttpResponseBase = self.get_response(request)
            return response
        return super().__call__(request)  # type: ignore[misc]  # of the middleware behind it


class StaticFiles(OnPages, WhiteNoiseMiddleware):
    pass


class ContentPolicy(OnPages, CSPMiddleware):
    pass


class Sessions(OnPages, SessionMiddleware):
    pass


class SignedIn(OnPages, AuthenticationMiddleware):
    pass


class Messages(OnPages, MessageMiddleware):
    pass
