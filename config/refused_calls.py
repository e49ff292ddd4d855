"""Counts the calls of the API that are refused, for support (docs/support.md); a success costs nothing.

Collected in the process, and written a few seconds later by a thread and a connection of its own, all of it by one
statement: outside of whatever was refused, never in the way of an answer, and no dearer for a flood of refusals.
"""

import atexit
import logging
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from threading import Lock, Timer
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from config.envelope import error_of_status
from config.schema import public_path
from targets.operations import Count, Refused, count_refused_calls

logger = logging.getLogger(__name__)

MOST_COLLECTED = 10_000  # kinds of refusal; more are more than there can be, unless nothing can be written for days
CODE = re.compile(rb'{"data":null,"errors":\[{"code":(\d+)')  # how targets.answers begins a failure
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
PATH_ID = re.compile(r"<\w+:(\w+)>")


class RefusedCalls:
    """Those that one process has not written yet. Used by many threads.

    `store` writes them, or raises `django.db.Error`; `start(seconds, function)` calls the function once, so much later,
    in another thread.
    """

    def __init__(
        self,
        *,
        most: int = MOST_COLLECTED,
        store: Callable[[Mapping[Refused, Count]], None] = count_refused_calls,
        start: Callable[[float, Callable[[], None]], None] | None = None,
    ) -> None:
        self._most = most
        self._store = store
        self._start = start or start_in_a_thread
        self._lock = Lock()  # of what follows; never held while the database is asked
        self._collected: dict[Refused, Count] = {}
        self._is_started = False
        self._has_failed = False
        self._writing = Lock()

    def note(self, refused: Refused, *, at: datetime, by: str, request_id: str) -> None:
        """One call more. It is written REFUSED_CALLS_SECONDS after the first that is not; with 0 it is not counted."""
        if settings.REFUSED_CALLS_SECONDS:
            self._add({refused: Count(1, at, by, request_id)})

    def write(self) -> None:
        """All that is collected. What cannot be written is kept for the next time."""
        if unwritten := self._unwritten():
            self._add(unwritten)

    def write_last(self) -> None:
        """When the process ends: there is no next time."""
        self._unwritten()

    def _add(self, more: Mapping[Refused, Count]) -> None:
        with self._lock:
            for refused, count in more.items():
                if refused in self._collected:
                    self._collected[refused] += count
                elif len(self._collected) < self._most:
                    self._collected[refused] = count
            is_first, self._is_started = not self._is_started, True
        if is_first:
            try:
                self._start(settings.REFUSED_CALLS_SECONDS, self.write)
            except RuntimeError:  # there are too many threads: no matter for the answer, and the next one tries again
                self._is_started = False

    def _unwritten(self) -> Mapping[Refused, Count]:
        """Write what is collected, and answer what could not be. Of failures in a row the first is logged.

        Where the connection is lost in the very commit, it may so be counted twice.
        """
        with self._writing:
            with self._lock:
                taken, self._collected = self._collected, {}
                self._is_started = False
            if not taken:
                return {}
            try:
                self._store(taken)
            except Error as error:
                if not self._has_failed:
                    logger.warning("Refused calls cannot be counted now: %s", " ".join(str(error).split()))
                self._has_failed = True
                return taken
            self._has_failed = False
            return {}


def start_in_a_thread(seconds: float, function: Callable[[], None]) -> None:
    """The thread keeps no process alive: what is not written when it ends is written then."""

    def run() -> None:
        try:
            function()
        finally:
            connection.close()

    timer = Timer(seconds, run)
    timer.daemon = True
    timer.start()


refused_calls = RefusedCalls()
atexit.register(refused_calls.write_last)


def note_refused(request: HttpRequest, response: HttpResponseBase) -> None:
    """Count the failure `response` if it is known who called."""
    authorization = getattr(request, "auth", None)  # Django REST framework leaves it there
    if authorization is None or request.resolver_match is None:
        return
    api_user, at = authorization.api_user, timezone.now()
    day = timezone.localdate(at, ZoneInfo(api_user.brand.time_zone))
    refused = Refused(
        api_user.brand_id, day, operation_of(request.method or "", request.resolver_match.route), code_of(response)
    )
    request_id = getattr(request, "request_id", "")
    refused_calls.note(refused, at=at, by=api_user.user.get_username(), request_id=request_id)


@lru_cache(maxsize=1024)
def operation_of(method: str, route: str) -> str:
    """As the documentation names it, whether it was called with /v3 or without: it is the same call."""
    path = public_path(PATH_ID.sub(r"{\1}", route.removeprefix("v3/")))
    return f"{method if method in METHODS else 'OTHER'} /v3/{path}"


def code_of(response: HttpResponseBase) -> int:
    """The first one, where there are several."""
    found = CODE.match(getattr(response, "content", b""))
    return int(found[1]) if found else error_of_status(response.status_code).value.code
