"""How many are unenrolled in one transaction."""

import pytest

from enrollments.pace import Pace, in_chunks


class Clock:
    """Goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sizes(at_once: int, seconds: list[float], *, is_paced: bool = True) -> list[int]:
    """Of the first chunks, where a thousand items of each take so many seconds."""
    clock = Clock()
    made = []
    chunks = in_chunks(range(10**6), at_once, is_paced=is_paced, clock=clock)
    for pace in seconds:
        made.append(len(next(chunks)))
        clock.now += pace * made[-1] / 1000
    return made


def test_chunks_grow_until_they_take_as_long_as_they_should():
    assert sizes(10_000, [0.1] * 5) == [1000, 2000, 4000, 4000, 4000]
    assert sizes(10_000, [0.01] * 6) == [1000, 2000, 4000, 8000, 10_000, 10_000]


def test_chunks_shrink_by_half_at_most_and_never_below_five_hundred():
    assert sizes(10_000, [0.01, 0.01, 4, 4, 4]) == [1000, 2000, 4000, 2000, 1000]
    assert sizes(10_000, [1000] * 3) == [1000, 500, 500]


def test_no_chunk_is_larger_than_may_be_and_unpaced_all_are_as_large():
    assert sizes(500, [0.01] * 2) == [500, 500]
    assert sizes(500, [4] * 3, is_paced=False) == [500, 500, 500]


def test_chunks_hold_each_item_once_in_order():
    chunks = list(in_chunks(iter(range(2500)), 1000, is_paced=False))

    assert [len(each) for each in chunks] == [1000, 1000, 500]
    assert [item for chunk in chunks for item in chunk] == list(range(2500))


def test_rest_is_a_third_of_what_the_last_chunk_took_and_bounded():
    pace, unpaced = Pace(10_000, is_paced=True), Pace(10_000, is_paced=False)
    rests = [pace.rest]
    for seconds in (0.3, 0.6, 30):
        pace.took(1_000, seconds)
        unpaced.took(1_000, seconds)
        rests.append(pace.rest)

    assert rests == pytest.approx([0, 0.1, 0.2, 0.8 / 3])
    assert unpaced.rest == 0
