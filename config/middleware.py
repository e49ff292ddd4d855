"""What surrounds every request: its id, and the envelope for failures that no view made."""

import io
import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from config.envelope import RETRY_AFTER, error_json, error_of_status
from config.refused_calls import note_refused
from config.request_id import current_request_id, new_request_id
from targets.answers import Failure
from targets.callers import current_request

SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
API_PATH = re.compile(r"/(v3|targetGroups|users|oauth)(/|$)")
KEPT_HEADERS = ("Allow", "WWW-Authenticate", "Retry-After")


class RequestIdMiddleware:
    """Outermost. Sets `request.request_id`, answers it as X-Cap-Requestid; no API path answers a failure in HTML."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        asked = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = asked if SANE_ID.fullmatch(asked) else new_request_id()
        request.request_id = request_id  # type: ignore[attr-defined]
        token, caller = current_request_id.set(request_id), current_request.set(request)
        try:
            response = self.answer(request)
        finally:
            current_request.reset(caller)
            current_request_id.reset(token)
        response["X-Cap-Requestid"] = request_id
        return response

    def answer(self, request: HttpRequest) -> HttpResponseBase:
        if not API_PATH.match(request.path_info):
            return self.get_response(request)
        try:
            read_chunked_body(request)
        except Exception:  # the caller hung up or sent no proper chunks; each server has exceptions of its own for it
            return enveloped(HttpResponse(status=400))
        response = self.get_response(request)
        if response.status_code < 400:
            return response
        if not response.get("Content-Type", "").startswith("application/json"):
            response = enveloped(response)
        note_refused(request, response)
        return response


def enveloped(response: HttpResponseBase) -> Failure:
    """The failure `response` with its status and the headers that belong to it, inside the envelope."""
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    if response.status_code == 503:
        headers.setdefault("Retry-After", RETRY_AFTER)
    return Failure(response.status_code, [error_json(error_of_status(response.status_code))], headers)


def read_chunked_body(request: HttpRequest) -> None:
    """Give a body sent in chunks its length. Django takes a request without Content-Length for one without body."""
    environ = request.META
    if environ.get("CONTENT_LENGTH") or not environ.get("wsgi.input_terminated"):
        return
    if "chunked" not in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return
    # One byte too many is enough for the parser to refuse it.
    content = environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    environ["CONTENT_LENGTH"] = str(len(content))
    request._stream = io.BytesIO(content)
