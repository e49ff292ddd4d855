"""Whoever guesses passwords is made to wait, before anything is hashed for him.

Failures are counted in memory, by each process of its own: with four workers a stranger has four times the guesses.
A count of ours, and not the memory of `limits`: that keeps every key for ever and goes through all of them a hundred
times a second. The library says what a limit is.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock

from django.conf import settings
from limits import RateLimitItem
from rest_framework.exceptions import Throttled

MOST_KEYS = 10_000  # of each kind: under a flood of made-up names those that failed longest ago are forgotten


class FailureWindow:
    """A moving window of failures for each key. `clock` answers seconds that never go back."""

    def __init__(
        self, limit: RateLimitItem, *, most_keys: int = MOST_KEYS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._amount = limit.amount
        self._seconds = limit.get_expiry()
        self._most_keys = most_keys
        self._clock = clock
        self._lock = Lock()
        self._failures: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._failures)

    def seconds_to_wait(self, key: Hashable) -> float:
        """Until the next try is allowed; 0 if it is now."""
        with self._lock:
            failures = self._failures.get(key)
            if failures is None or len(failures) < self._amount:
                return 0
            return max(0, failures[0] + self._seconds - self._clock())

    def count(self, key: Hashable) -> None:
        with self._lock:
            failures = self._failures.setdefault(key, deque(maxlen=self._amount))
            failures.append(self._clock())
            self._failures.move_to_end(key)
            if len(self._failures) > self._most_keys:
                self._failures.popitem(last=False)


class Guesses:
    """Failures by user name and network, and by network alone."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.by_user = FailureWindow(settings.GUESSES_PER_USER, clock=clock)
        self.by_network = FailureWindow(settings.GUESSES_PER_ADDRESS, clock=clock)

    def refuse_too_many(self, username: str, network: str) -> None:
        """Raises `Throttled` where this network has failed too often, with this name or with others."""
        wait = max(self.by_user.seconds_to_wait((username, network)), self.by_network.seconds_to_wait(network))
        if wait > 0:
            raise Throttled(wait)

    def count(self, username: str, network: str) -> None:
        self.by_user.count((username, network))
        self.by_network.count(network)


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the /64, since whoever has one address there has them all."""
    if address and isinstance(ip_address(address), IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return address
