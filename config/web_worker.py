"""The worker of the web server: what its parser refuses is answered in the envelope too, never as HTML."""

from http import HTTPStatus
from typing import Any
from uuid import uuid4

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]


class EnvelopeWorker(ThreadWorker):
    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """A request that is no HTTP, or whose line or header is too long, has reached no view."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        status = HTTPStatus.BAD_REQUEST
        if isinstance(exc, LimitRequestLine):
            status = HTTPStatus.REQUEST_URI_TOO_LONG
        elif isinstance(exc, LimitRequestHeaders):
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        # What it was by its name only: the words of the exception repeat the line, which may hold a credential.
        self.log.warning("Refused before any view, from %s: %s", (addr or ("?",))[0], type(exc).__name__)
        util.write_nonblock(client, refusal(status))


def refusal(status: HTTPStatus) -> bytes:
    from config.envelope import error_json, error_of_status, failure_bytes  # Django is set up only in the worker

    body = failure_bytes([error_json(error_of_status(status), f"The request is refused: {status.phrase.lower()}.")])
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"X-Cap-Requestid: {uuid4().hex}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body
