"""The worker of the web server: what its parser refuses is answered in the envelope too, never as HTML; and one thread
answers all connections, as long as no call takes long.
"""

import selectors
import time
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from threading import Lock, Semaphore, Thread
from typing import Any, NamedTuple

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker  # type: ignore[import-untyped]

from config.request_id import new_request_id
from config.usual_requests import expect_usual, response_and_environ

HOUSEKEEPING = 1.0  # seconds between looking after what has been idle for long


class InHand(NamedTuple):
    """What the leading thread is answering, and since when."""

    conn: Any
    since: float


class EnvelopeWorker(ThreadWorker):
    """Threads that answer small calls side by side get in each other's way: they pass Python's lock to and fro with
    each statement, and gunicorn hands each request from its main thread to one of them. Here one thread leads: it waits
    for all connections and answers whichever speaks. When a call takes longer than PATIENCE another thread leads from
    then on; the first finishes its call, and is then one of those that may lead next.

    Only the leading thread touches the poller and what is in it. The main thread watches.

    Each client belongs to the process that took his connection, so they are shared out evenly: who has taken more than
    another process pauses for a moment.
    """

    PATIENCE = 0.02  # seconds

    alive: bool  # false when the process is told to end
    connections: Any  # how many each process has, in memory that all share: config/gunicorn.py
    place: int  # ours among them

    def init_process(self) -> None:
        self.lock = Lock()  # of who leads, what he has in hand, and who is spare
        self.turn: Semaphore | None = None  # of the thread that leads
        self.in_hand: InHand | None = None
        self.spare = [Semaphore(0) for _ in range(self.cfg.threads)]
        self.left_behind: Any = None  # the connection of the call from which somebody else took over
        self.keepalived_conns: dict[Any, None] = {}  # those in the poller, the longest silent first
        super().init_process()

    def run(self) -> None:
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks)
        self.set_accept_enabled(True)
        for turn in tuple(self.spare):
            Thread(target=self.serve, args=[turn], daemon=True).start()
        with self.lock:
            self.let_another_lead()
        while self.alive and self.is_parent_alive():
            self.watch(HOUSEKEEPING)
        self.alive = False
        self.method_queue.defer(self.stop_accepting)
        give_up_at = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < give_up_at and (self._accepting or self.nr_conns > 0):
            self.watch(self.PATIENCE)

    def watch(self, seconds: float) -> None:
        """Let another thread lead whenever a call takes long, and the leading one look after its connections."""
        self.notify()
        was_alive, until = self.alive, time.monotonic() + seconds
        while time.monotonic() < until and self.alive == was_alive:
            time.sleep(self.PATIENCE)
            if not self._accepting and self.alive:
                self.method_queue.defer(self.accept_more)
            with self.lock:
                if self.in_hand is not None and time.monotonic() - self.in_hand.since > self.PATIENCE:
                    self.let_another_lead()
        self.method_queue.defer(self.look_after)

    def let_another_lead(self) -> None:
        """If there is one whose call is not long itself."""
        if not self.spare:
            return
        if self.in_hand is not None:
            self.left_behind, self.in_hand = self.in_hand.conn, None
        self.turn = self.spare.pop()
        self.turn.release()

    def serve(self, turn: Semaphore) -> None:
        """A thread's life."""
        while True:
            turn.acquire()
            if self.left_behind is not None:
                self.forget(self.left_behind)
                self.left_behind = None
            while self.turn is turn:
                self.lead(turn)
            with self.lock:
                self.spare.append(turn)

    def lead(self, turn: Semaphore) -> None:
        try:
            for key, _ in self.poller.select():
                key.data(key.fileobj)
                if self.turn is not turn:
                    break  # who leads now sees the others again
        except Exception:  # a process without a leading thread would answer nobody
            self.log.exception("Not expected of a connection")

    # What the leading thread does

    def accept(self, listener: Any) -> None:
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # another process was quicker, or the client is gone
            return
        self.have(self.nr_conns + 1)
        conn = TConn(self.cfg, sock, address, listener.getsockname())
        conn.data_ready = True  # when it is answered, as the poller says so
        expect_usual(conn, self.cfg)
        self.expect(conn)
        fewest = min(each for each in self.connections if each >= 0)
        if self.nr_conns > fewest + 1 + fewest // 8:
            self.set_accept_enabled(False)

    def accept_more(self) -> None:
        """After a pause, or when there is room again."""
        self.set_accept_enabled(self.alive and self.nr_conns < self.worker_connections)

    def have(self, connections: int) -> None:
        self.nr_conns = self.connections[self.place] = connections

    def expect(self, conn: Any) -> None:
        conn.set_timeout()
        self.keepalived_conns[conn] = None
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.answer, conn))

    def forget(self, conn: Any) -> None:
        del self.keepalived_conns[conn]
        self.poller.unregister(conn.sock)

    def answer(self, conn: Any, _: Any) -> None:
        turn = self.turn
        self.in_hand = InHand(conn, time.monotonic())
        goes_on = self.answered(conn)
        with self.lock:
            is_leading = self.turn is turn
            if is_leading:
                self.in_hand = None
        if not is_leading:
            self.method_queue.defer(self.come_back, conn, goes_on)
        elif goes_on:
            conn.set_timeout()
            self.keepalived_conns[conn] = self.keepalived_conns.pop(conn)
        else:
            self.forget(conn)
            self.have(self.nr_conns - 1)

    def answered(self, conn: Any) -> bool:
        """Whether the connection goes on; else it is closed, which may wait for the client, as a call may."""
        goes_on = False
        try:
            goes_on = bool(self.handle(conn))
            while goes_on and conn.parser.unreader.buf.getvalue():  # the next request has come with this one
                goes_on = bool(self.handle(conn))
        except BaseException:  # as a pool of threads does: the call ends, and not the thread
            self.log.exception("Not expected of a call")
            goes_on = False
        if not goes_on:
            conn.close(graceful=True)
        return goes_on

    def handle_request(self, req: Any, conn: Any) -> bool:
        """What gunicorn's does, and as it does: what is raised before an answer has begun, `handle` answers."""
        began = datetime.now(UTC)
        self.cfg.pre_request(self, req)
        response, environ = response_and_environ(req, conn, self.cfg)
        environ["wsgi.multithread"] = True
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
        if not self.alive or len(self.keepalived_conns) >= self.max_keepalived:
            response.force_close()
        try:
            answer = self.wsgi(environ, response.start_response)
            try:
                response.send(answer)
            finally:
                self.log.access(response, req, environ, datetime.now(UTC) - began)
                if hasattr(answer, "close"):
                    answer.close()
        except OSError:
            raise
        except Exception:
            if not response.headers_sent:
                raise
            self.log.exception("Error handling request")
            return False
        return not response.should_close()

    def come_back(self, conn: Any, goes_on: bool) -> None:
        """From a thread that does not lead any more."""
        if goes_on:
            self.expect(conn)
        else:
            self.have(self.nr_conns - 1)

    def look_after(self) -> None:
        """Connections that were silent for too long end; no more are taken than there is room for."""
        now = time.monotonic()
        while self.keepalived_conns and (longest_silent := next(iter(self.keepalived_conns))).timeout <= now:
            self.forget(longest_silent)
            self.have(self.nr_conns - 1)
            longest_silent.close()
        if self.nr_conns >= self.worker_connections:
            self.set_accept_enabled(False)

    def stop_accepting(self) -> None:
        self.set_accept_enabled(False)
        self._cap_keepalive(time.monotonic() + STOP_KEEPALIVE_LINGER)

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
    from config.envelope import error_json, error_of_status  # Django is set up only in the worker
    from targets.answers import Failure

    error = error_json(error_of_status(status), f"The request is refused: {status.phrase.lower()}.")
    body = Failure(status, [error]).content
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"X-Cap-Requestid: {new_request_id()}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body
