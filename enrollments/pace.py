"""How many are dealt with in one transaction, so that none takes long on whatever machine."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

AIM = 0.4  # seconds for a chunk: half of what may be, as the machine may get busier amid one
FIRST = 1_000  # nothing is known then
LEAST = 500  # a chunk has its own cost, whatever its size
REST = 1 / 3  # of what the last chunk took, though no more than of twice `AIM`: it may have waited for locks

Item = TypeVar("Item")


class Pace:
    """The `size` of the next chunk: `at_once`; or, if paced, at most so many, and as many as should take `AIM` seconds.

    A paced chunk is at most twice as large as the last one that is known to have been done, and not less than half.
    `rest`: seconds to pause before it where several are worked on at a time, which would leave others no processor.
    """

    def __init__(self, at_once: int, *, is_paced: bool) -> None:
        self.at_once = at_once
        self.is_paced = is_paced
        self.size = min(FIRST, at_once) if is_paced else at_once
        self.rest = 0.0

    def took(self, size: int, seconds: float) -> None:
        if self.is_paced:
            fitting = round(size * AIM / max(seconds, 0.001))
            self.size = min(max(fitting, size // 2, LEAST), 2 * size, self.at_once)
            self.rest = REST * min(seconds, 2 * AIM)


def in_chunks(
    items: Iterable[Item], at_once: int, *, is_paced: bool, clock: Callable[[], float] = time.monotonic
) -> Iterator[list[Item]]:
    """The items in chunks as large as `Pace` says. What a chunk takes is the time until the next one is asked for."""
    rest, pace = iter(items), Pace(at_once, is_paced=is_paced)
    while chunk := list(islice(rest, size := pace.size)):
        begun_at = clock()
        yield chunk
        pace.took(size, clock() - begun_at)
