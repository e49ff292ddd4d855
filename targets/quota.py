"""How much an API user may ask for: a quota of units a minute, shared by all processes by leases.

The quota is kept in the database, but a process asks it rarely: it takes a lease of several units, spends them from
memory, and comes back when they are spent. A lease is small at first, doubles, and is never more than a tenth of what
was left: so a process that falls idle holds about as much as it has spent itself, and little near the end. What nobody
has spent ends with the window. (The library `limits` cannot keep a quota in PostgreSQL, and has no leases.)
"""

from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from threading import Lock

from django.conf import settings

from targets.models import ApiUser
from targets.operations import take_units

WINDOW_SECONDS = 60
FIRST_LEASE = 100  # the quota divided by this
LARGEST_LEASE = 10  # what is left divided by this


@dataclass
class Lease:
    """What this process may still spend, in `window`. `size` is that of the last lease taken."""

    quota: int
    window: int = 0
    unspent: int = 0
    size: int = 0
    remaining: int = 0
    refused_until: int = 0  # the window in which to ask again: a refusal costs no statement
    lock: Lock = field(default_factory=Lock)

    def next_size(self) -> int:
        size = min(2 * self.size, self.remaining // LARGEST_LEASE) if self.size else self.quota // FIRST_LEASE
        return max(1, size)

    def enter(self, window: int) -> None:
        if window > self.window:
            self.window, self.unspent, self.size = window, 0, 0


class Leases:
    """The leases of one process, at most one for each API user there is. Used by many threads."""

    def __init__(self) -> None:
        self._leases: dict[int, Lease] = {}

    def spend(self, api_user: ApiUser, *, units: int, at: datetime) -> int:
        """Spend `units` and return 0; or spend none, and return the whole seconds after which to try again.

        Refused is only who has nothing left: what weighs more than is left is paid by the following windows. `at` is
        the real time, also of a sandbox. Raises what the database raises, and then has spent nothing.
        """
        quota = quota_of(api_user)
        if quota == 0:
            return 0
        lease = self._leases.setdefault(api_user.pk, Lease(quota))
        if lease.quota != quota:  # somebody has changed it
            lease = self._leases[api_user.pk] = Lease(quota)
        with lease.lock:
            return self._spend(lease, api_user.pk, units, at)

    @staticmethod
    def _spend(lease: Lease, api_user_id: int, units: int, at: datetime) -> int:
        window = int(at.timestamp()) // WINDOW_SECONDS
        lease.enter(window)
        if units <= lease.unspent:
            lease.unspent -= units
            return 0
        if window < lease.refused_until:
            return seconds_until(lease.refused_until, at)
        size = lease.next_size()
        taken = take_units(
            api_user_id=api_user_id, quota=lease.quota, units=max(size, units - lease.unspent), window=window
        )
        if not taken.units:
            lease.refused_until = taken.window
            return seconds_until(taken.window, at)
        lease.enter(taken.window)
        lease.size, lease.remaining = size, taken.remaining
        lease.unspent = max(0, lease.unspent + taken.units - units)
        return 0


def quota_of(api_user: ApiUser) -> int:
    """Units a minute; 0 means without limit."""
    own = api_user.requests_per_minute
    default: int = settings.REQUESTS_PER_MINUTE
    return default if own is None else own


def seconds_until(window: int, at: datetime) -> int:
    return max(1, ceil(window * WINDOW_SECONDS - at.timestamp()))


leases = Leases()
