"""Passwords of people over the API: slow to check, so a right one is remembered for a minute.

A stranger must not be able to use up the processors: whatever comes, a process computes one slow hash at a time, and
none for a name that nobody has. So the time of a refusal tells who has a password of his own; a hash in pretence would
hide it only until strangers enough ask at once, and have them keep the processors busy with made-up names.
"""

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import BoundedSemaphore, Lock

from django.conf import settings
from django.contrib.auth.hashers import check_password
from rest_framework.exceptions import Throttled

REMEMBERED_SECONDS = 60  # api.md 2
MOST_REMEMBERED = 1_000
LONGEST_WAIT = 2  # seconds for another slow hash to end

one_slow_hash = BoundedSemaphore(1)


class RememberedCredentials:
    """Which credentials were right within the last minute. What was wrong is not remembered.

    `clock` answers seconds that never go back.
    """

    def __init__(
        self,
        *,
        seconds: float = REMEMBERED_SECONDS,
        most: int = MOST_REMEMBERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._lock = Lock()
        self._ends: OrderedDict[str, float] = OrderedDict()  # those asked for last stand last
        self._under_way: dict[str, Future[bool]] = {}

    def __len__(self) -> int:
        return len(self._ends)

    def __contains__(self, key: str) -> bool:
        with self._lock:
            return self._is_fresh(key)

    def verify(self, key: str, check: Callable[[], bool]) -> bool:
        """The answer of `check`, computed once for all who ask for the same `key` at the same time."""
        asked_at = self._clock()
        with self._lock:
            if self._is_fresh(key):
                return True
            under_way = self._under_way.get(key)
            if under_way is None:
                answer = self._under_way[key] = Future()
        if under_way is not None:
            return under_way.result()
        try:
            is_right = check()
        except BaseException as error:
            self._end(key)
            answer.set_exception(error)
            raise
        self._end(key, fresh_until=asked_at + self._seconds if is_right else None)
        answer.set_result(is_right)
        return is_right

    def _is_fresh(self, key: str) -> bool:
        end = self._ends.get(key)
        if end is None:
            return False
        if end <= self._clock():
            del self._ends[key]
            return False
        self._ends.move_to_end(key)
        return True

    def _end(self, key: str, *, fresh_until: float | None = None) -> None:
        with self._lock:
            del self._under_way[key]
            if fresh_until is None:
                return
            self._ends[key] = fresh_until
            if len(self._ends) > self._most:
                self._ends.popitem(last=False)


def credential_key(*, username: str, network: str, password: str, stored: str) -> str:
    """Keyed digest under which a right credential is remembered.

    With the stored hash in it, a changed password is a new credential at once. With the network in it, nobody can try
    passwords elsewhere, past the count of his failures, against one that its owner has just used.
    """
    text = "\0".join((username, network, stored, password))  # only the last can have a NUL in it
    return hmac.new(settings.CREDENTIALS_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def check_slowly(password: str, stored: str, *, refuse: Callable[[], None], count: Callable[[], None]) -> bool:
    """Whether `stored` is the slow hash of `password`. Raises `Throttled` if others keep the process busy.

    `refuse` may raise just before hashing, and `count` is told of a wrong password before the next one is hashed: of
    guesses that come at once no more are hashed than of those that come one by one.
    """
    if not one_slow_hash.acquire(timeout=LONGEST_WAIT):
        raise Throttled(1)
    try:
        refuse()
        is_right = check_password(password, stored)
        if not is_right:
            count()
        return is_right
    finally:
        one_slow_hash.release()
