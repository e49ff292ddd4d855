"""How many shared buffers each statement touches, as PostgreSQL's auto_explain tells: inside functions, too.

Statements of triggers and foreign keys are among them, one by one. Needs a superuser, and the module auto_explain,
which packages of PostgreSQL have and the embedded one has not.
"""

import json
import re
import statistics
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection

FIRST_CALLS = 10  # of a session: then it has made the plans that it keeps
ASK = """
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; SET auto_explain.log_analyze = on;
SET auto_explain.log_timing = off; SET auto_explain.log_buffers = on; SET auto_explain.log_format = json;
SET auto_explain.log_level = notice
"""
ASK_NO_MORE = "SET auto_explain.log_min_duration = -1"
VALUE = re.compile(r"'(?:[^']|'')*'|\$\d+|\b\d+\b")


@dataclass(frozen=True)
class Statement:
    """Without its values. `place`: how often the very same one has come before it in the call."""

    text: str
    place: int


@dataclass(frozen=True)
class Touch:
    """What one execution touched. `calls_only`: it did nothing but call a function, so its buffers are those of the
    statements in there."""

    buffers: int
    calls_only: bool


@dataclass(frozen=True)
class Median:
    """Of all calls that made the statement; `calls_only` as in `Touch`."""

    buffers: float
    calls_only: bool

    @classmethod
    def of(cls, touches: Sequence[Touch]) -> "Median":
        buffers = statistics.median(each.buffers for each in touches)
        return cls(buffers, touches[0].calls_only)

    def __str__(self) -> str:
        return f"{self.buffers:g}"


def explained(call: Callable[[str, int], None], cases: Sequence[tuple[str, int]]) -> dict[Statement, Median]:
    """What each statement of `call` touches, which is made with each of the cases; as statements end."""
    touches: dict[Statement, list[Touch]] = defaultdict(list)
    with notices() as told:
        for number, case in enumerate(cases):
            told.clear()
            call(*case)
            if number >= FIRST_CALLS:
                for statement, touch in read(told):
                    touches[statement].append(touch)
    return {statement: Median.of(each) for statement, each in touches.items()}


@contextmanager
def notices() -> Iterator[deque[str]]:
    """What PostgreSQL tells of each statement of this session, when it has ended."""
    told: deque[str] = deque()
    with connection.cursor() as cursor:
        cursor.execute(ASK)
    connection.connection.notices = told
    try:
        yield told
    finally:
        with connection.cursor() as cursor:
            cursor.execute(ASK_NO_MORE)


def read(told: Sequence[str]) -> Iterator[tuple[Statement, Touch]]:
    seen: Counter[str] = Counter()
    for notice in told:
        _, is_plan, text = notice.partition("plan:\n")
        if is_plan:
            explanation = json.loads(text)
            statement, plan = " ".join(VALUE.sub("?", explanation["Query Text"]).split()), explanation["Plan"]
            buffers = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            yield (
                Statement(statement, seen[statement]),
                Touch(buffers, is_call(plan)),
            )
            seen[statement] += 1


def is_call(plan: Mapping[str, Any]) -> bool:
    """Of a function, and nothing else: SELECT * FROM of it, or SELECT it."""
    return plan["Node Type"] == "Function Scan" or (plan["Node Type"] == "Result" and "Plans" not in plan)
