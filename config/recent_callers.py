"""Who called a moment ago with a generated secret or a token is not looked up again with every call (api.md 2).

Whatever is taken from him - secret, token, permission, brand - he keeps for CALLER_SECONDS at most, in each process.
"""

import secrets
import time
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from threading import Lock
from typing import NamedTuple

from django.conf import settings
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from targets.authorization import Authorization
from targets.replica import REPLICA

MOST_REMEMBERED = 1_000
PROCESS_KEY = secrets.token_bytes(32)  # so that no credential is kept, only its digest


class Recent(NamedTuple):
    found: Authorization
    fresh_until: float  # by the clock of `RecentCallers`
    ends_at: datetime | None  # of the credential itself


class RecentCallers:
    """Those of one process, each with the one permission that he was asked for. Used by many threads.

    Only who was right is remembered, and never longer than his token or his former secret lasts. Not of a sandbox,
    whose clock is read with its caller; and where there is a replica, reading calls look him up to learn whether he
    has changed something. `clock` answers seconds that never go back.
    """

    def __init__(self, *, most: int = MOST_REMEMBERED, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = Lock()
        self._recent: dict[bytes, Recent] = {}  # in the order in which they were kept

    def __len__(self) -> int:
        return len(self._recent)

    def seconds(self) -> float:
        """The time by `clock`, for `keep`."""
        return self._clock()

    def find(self, credential: str, permission: str, request: Request, at: datetime) -> Authorization | None:
        """With objects of his own: nobody sees what another call has done with them."""
        if REPLICA in settings.DATABASES and request.method in SAFE_METHODS:
            return None
        recent = self._recent.get(key_of(credential, permission))
        if recent is None or self._clock() >= recent.fresh_until:
            return None
        return recent.found.again() if recent.ends_at is None or at < recent.ends_at else None

    def keep(self, credential: str, found: Authorization, *, ends_at: datetime | None, since: float) -> None:
        """`ends_at`: when the credential ends by itself. `since`: `seconds` before he was looked up, since what was
        taken from him meanwhile may not have been seen.
        """
        if not settings.CALLER_SECONDS or found.api_user.brand.sandbox:
            return
        key = key_of(credential, found.permission)
        recent = Recent(found.again(), since + settings.CALLER_SECONDS, ends_at)
        with self._lock:
            self._recent.pop(key, None)
            self._recent[key] = recent
            if len(self._recent) > self._most:
                del self._recent[next(iter(self._recent))]


def key_of(credential: str, permission: str) -> bytes:
    return blake2b(f"{permission}\0{credential}".encode(), key=PROCESS_KEY, digest_size=32).digest()


recent_callers = RecentCallers()
