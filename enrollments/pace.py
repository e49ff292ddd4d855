"""How many are dealt with in one transaction, so that none takes long on whatever machine."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

AIM = 0.4  # seconds for a chunk: half of what may be, as the machine may get busier amid one
FIRST = 1_000  # nothing is known then
LEAST = 500  # a chunk has its own cost, whatever its size

Item = TypeVar("Item")


def in_chunks(
    items: Iterable[Item], at_once: int, *, is_paced: bool, clock: Callable[[], float] = time.monotonic
) -> Iterator[list[Item]]:
    """The items, `at_once` in a chunk; or, if paced, at most so many, and as many as should take `AIM` seconds.

    What a chunk takes is the time until the next one is asked for. A chunk is at most twice as large as the last one,
    and not less than half.
    """
    rest = iter(items)
    size = min(FIRST, at_once) if is_paced else at_once
    while chunk := list(islice(rest, size)):
        begun_at = clock()
        yield chunk
        if is_paced:
            fitting = round(size * AIM / max(clock() - begun_at, 0.001))
            size = min(max(fitting, size // 2, LEAST), 2 * size, at_once)
