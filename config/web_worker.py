"""The worker of the web server: what its parser refuses is answered in the envelope too, never as HTML; and a client
who asks on at once is answered by the thread that he has.
"""

import os
import select
from contextlib import suppress
from http import HTTPStatus
from threading import Lock
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from config.request_id import new_request_id


class EnvelopeWorker(ThreadWorker):
    """Between two requests of a connection gunicorn hands it to its main thread and back to a thread of the pool, which
    costs half as much as a small call. Here the thread stays with its client for a moment, unless others need it.
    """

    PATIENCE = 50  # milliseconds

    def init_process(self) -> None:
        self.lock = Lock()
        self.waiting = 0  # requests for which no thread is free
        self.busy = 0  # threads with a connection
        self.staying = 0  # of them those that would let it go
        self.called, self.call = os.pipe()
        for end in (self.called, self.call):
            os.set_blocking(end, False)
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:
        with self.lock:
            self.waiting += 1
            is_needed = self.staying > 0 and self.busy == self.cfg.threads
        super().enqueue_req(conn)
        if is_needed:
            self.call_one()

    def handle(self, conn: Any) -> Any:
        with self.lock:
            self.waiting -= 1
            self.busy += 1
        try:
            goes_on = super().handle(conn)
            while goes_on is True and self.alive and self.asks_on(conn):
                goes_on = super().handle(conn)
            return goes_on
        finally:
            with self.lock:
                self.busy -= 1

    def asks_on(self, conn: Any) -> bool:
        """Whether the client's next request begins to arrive before the thread is needed, or PATIENCE is over."""
        if conn.is_http2 or conn.parser.unreader.buf.getvalue():
            return False  # the main thread knows what to do with it
        with self.lock:
            if self.waiting:
                return False
            self.staying += 1
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        poll.register(self.called, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(self.PATIENCE)}
        with self.lock:
            self.staying -= 1
        if conn.sock.fileno() in ready:
            return True
        if ready:
            self.take_call()
        return False

    def call_one(self) -> None:
        with suppress(BlockingIOError):  # enough of them are called
            os.write(self.call, b".")

    def take_call(self) -> None:
        with suppress(BlockingIOError):  # another thread came
            os.read(self.called, 1)

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
        f"X-Cap-Requestid: {new_request_id()}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body
