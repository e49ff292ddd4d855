"""The closing job over all brands: one pass, or pass after pass for as long as nobody stops it.

After each brand what has changed is counted for the dashboard. Whoever goes on for ever also removes what has expired,
so that nothing else has to be run by the clock.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from types import FrameType, TracebackType
from typing import Any, Self

from django.conf import settings
from django.db import Error, connection
from django.db.models import QuerySet
from django.utils import timezone

from enrollments.operations import (
    Closed,
    CyclesNotClosed,
    Ended,
    close_cycles,
    close_own_cycles,
    purge_plans,
    tally_changes,
)
from enrollments.operations.tallying import AT_ONCE
from targets.clock import brand_now
from targets.models import Brand
from targets.operations import purge_answers, purge_refused_calls, purge_tokens

FIRST_PAUSE = 1  # seconds before the database is tried again; doubled each time it fails
LONGEST_PAUSE = 60
PURGED_EVERY = 3600  # seconds
BATCHES_AT_ONCE = 20  # of expired rows, a thousand each, or of changes to count: closing comes first

Say = Callable[[str], None]


class Stop:
    """Within it SIGTERM and SIGINT only ask to stop, the first time; a second one ends the process as usual."""

    def __init__(self) -> None:
        self.is_asked = False
        # A pipe, not an Event: a signal may come while this very thread holds the Event's lock.
        self._reader, self._writer = os.pipe()
        self._usual: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._usual = {number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, seconds: float) -> None:
        """Until `seconds` have passed or somebody asks to stop."""
        select.select([self._reader], [], [], seconds)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.is_asked = True
        os.write(self._writer, b".")
        self._restore()

    def _restore(self) -> None:
        for number, usual in self._usual.items():
            signal.signal(number, usual)


class HourlyPurge:
    """Removes what has expired, of all brands: answers to calls with an `Idempotency-Key`, tokens, uploaded lists,
    counts of refused calls."""

    def __init__(self, complain: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._complain = complain
        self._clock = clock
        self._due_at = clock()

    def go_on(self, is_to_stop: Callable[[], bool]) -> None:
        """Some of it, where an hour has passed since nothing was left; call again for the rest, or after a failure.

        Raises `Error` where the connection is lost.
        """
        if self._clock() < self._due_at:
            return
        try:
            if self._remove_some(is_to_stop):
                self._due_at = self._clock() + PURGED_EVERY
        except Error as error:
            if not connection.is_usable():
                raise
            self._complain(f"What has expired is not all removed, next try at the next look: {one_line(error)}")

    def _remove_some(self, is_to_stop: Callable[[], bool]) -> bool:
        """Whether nothing is left."""
        now = timezone.now()
        kept = timedelta(hours=settings.IDEMPOTENCY_HOURS)
        batches = chain(
            purge_answers(before=now - kept),
            purge_tokens(before=now),
            purge_plans(before=now - timedelta(days=settings.BULK_DAYS)),
            purge_refused_calls(before=now.date() - timedelta(days=settings.REFUSED_CALLS_DAYS)),
        )
        for _ in range(BATCHES_AT_ONCE):
            if is_to_stop():
                return False
            if next(batches, None) is None:
                return True
        return False


@dataclass
class Tally:
    """What one pass came to. `failures`: brands of which not everything could be closed."""

    cycles: int = 0
    rewards: int = 0
    failures: int = 0


@dataclass(frozen=True)
class ClosingJob:
    """What is to be closed, and who is told. `until`: only what was due then; `chunk`: see `close_cycles`."""

    say: Say
    complain: Say
    until: datetime | None = None
    chunk: int | None = None

    def run_once(self, brands: QuerySet[Brand], is_to_stop: Callable[[], bool] = lambda: False) -> Tally:
        """Close what is due, brand by brand. What fails for one keeps no other from being closed.

        Raises `Error` where the connection is lost.
        """
        tally = Tally()
        for brand in brands:
            if is_to_stop():
                break
            self._close(brand, tally, is_to_stop)
        return tally

    def follow(self, brands: QuerySet[Brand], interval: float, stop: Stop) -> None:
        """Pass after pass, `interval` seconds between two, until somebody asks to stop; then the chunk under way ends.

        Once an hour, after a pass, what has expired is removed. Survives a lost database: connects anew, after longer
        and longer pauses.
        """
        pause = FIRST_PAUSE
        purge = HourlyPurge(self.complain)
        while not stop.is_asked:
            try:
                self.run_once(brands.all(), lambda: stop.is_asked)
                purge.go_on(lambda: stop.is_asked)
            except Error as error:
                self.complain(f"The database cannot be used, next try in {pause} s: {one_line(error)}")
                connection.close()
                stop.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                pause = FIRST_PAUSE
                stop.wait(interval)
                connection.close_if_unusable_or_obsolete()  # as Django does between requests

    def _close(self, brand: Brand, tally: Tally, is_to_stop: Callable[[], bool]) -> None:
        now = brand_now(brand)
        # A sandbox has a now of its own; nobody's cycles close before their time.
        at = now if self.until is None else min(self.until, now)
        try:
            for closed in close_cycles(brand=brand, at=at, is_to_stop=is_to_stop, chunk=self.chunk):
                tally.cycles += closed.ended is Ended.PAID
                tally.rewards += closed.granted
                self.say(line(brand, closed))
        except CyclesNotClosed as failure:
            tally.failures += 1
            for cycle, error in failure.reasons.items():
                self.complain(f"{brand}: {cycle.target_group}, {cycle} not closed: {one_line(error)}")
        except Error as error:
            self._go_on(brand, tally, error)
        try:
            for own in close_own_cycles(brand=brand, at=at, is_to_stop=is_to_stop, chunk=self.chunk):
                tally.cycles += own.cycles
                tally.rewards += own.granted
                self.say(
                    f"{brand}: cycles of customers' own calendars closed: {own.cycles}, rewards given: {own.granted}"
                )
        except Error as error:
            self._go_on(brand, tally, error)
        try:
            for _ in range(BATCHES_AT_ONCE):
                if tally_changes(brand=brand) < AT_ONCE or is_to_stop():
                    break
        except Error as error:
            self._go_on(brand, tally, error)

    def _go_on(self, brand: Brand, tally: Tally, error: Error) -> None:
        """What fails for one keeps nothing else from being closed; without a connection nothing can be."""
        if not connection.is_usable():
            raise error
        tally.failures += 1
        self.complain(f"{brand}: {one_line(error)}")


def one_line(error: Error) -> str:
    return " ".join(str(error).split())


def line(brand: Brand, closed: Closed) -> str:
    """`rewards given`: by this worker; those who shared the work say their own."""
    how = "closed" if closed.ended is Ended.PAID else "paid in part"
    return f"{brand}: {closed.cycle.target_group}, {closed.cycle} {how}, rewards given: {closed.granted}"
