"""What the views of all calls have in common."""

from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.views import APIView


class CallRequest(Request):
    """Django REST framework's. What is asked of Django's request a dozen times for each call is not looked for here
    first: not to find an attribute costs more than the rest of it.
    """

    @property
    def method(self) -> str | None:  # type: ignore[override]  # nobody sets it
        return self._request.method

    @property
    def META(self) -> dict[str, Any]:  # type: ignore[override]  # noqa: N802 - the same, and a name of Django
        return self._request.META


class CallView(APIView):
    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        return CallRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )
