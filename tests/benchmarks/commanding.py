"""`manage.py unenroll` in a process of its own, watched: its time, its memory, and its longest transaction."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
from django.conf import settings
from django.db import connection

from tests.benchmarks.contenders import PRODUCTION
from tests.benchmarks.processor_time import of_database
from tests.concurrency.workers import url_of_this_database

NAME = "unenrolling"
BETWEEN_LOOKS = 0.01  # seconds
# An idle backend that catches up with the catalog begins a transaction for a moment, dated with its last statement.
LOOK = f"""
SELECT extract(epoch FROM clock_timestamp() - xact_start) FROM pg_stat_activity
 WHERE application_name = '{NAME}' AND xact_start IS NOT NULL AND state <> 'idle'
"""


@dataclass(frozen=True)
class Commanded:
    """`cpu_seconds` of process and database; `megabytes`: the most that the process itself held at a time."""

    seconds: float
    cpu_seconds: float
    megabytes: float
    longest_transaction: float  # seconds


def unenroll(*arguments: str, report: Path) -> Commanded:
    """What it says goes into the file `report`. It must have succeeded."""
    start, cpu = time.perf_counter(), of_database()
    with report.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "unenroll", *arguments, "--format=csv"],
            cwd=settings.BASE_DIR,
            env=os.environ | PRODUCTION | {"DATABASE_URL": url_of_this_database(), "PGAPPNAME": NAME},
            stdout=out,
        )
        looking = Looking(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.returncode
    cpu_seconds = usage.ru_utime + usage.ru_stime + of_database() - cpu
    looking.end()
    return Commanded(seconds, cpu_seconds, looking.most_bytes / 2**20, looking.longest)


def start_of_command() -> float:
    """The seconds after which it has refused to do anything."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "manage.py", "unenroll", f"--apply={os.devnull}"],
        cwd=settings.BASE_DIR,
        env=os.environ | PRODUCTION | {"DATABASE_URL": url_of_this_database()},
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return time.perf_counter() - start


class Looking:
    """At the command's transaction, by a connection of its own, and at its memory, a hundred times a second.

    What the system tells of a process that has ended is of no use: it counts what was its parent's before it began.
    """

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)
        self.longest = 0.0
        self.most_bytes = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.parameters = {**connection.get_connection_params(), "cursor_factory": None}
        self.thread.start()

    def _look(self) -> None:
        own = psycopg2.connect(**{name: value for name, value in self.parameters.items() if name != "context"})
        own.autocommit = True
        with own.cursor() as cursor:
            while not self.is_over.wait(BETWEEN_LOOKS):
                cursor.execute(LOOK)
                self.longest = max([self.longest, *(float(seconds) for (seconds,) in cursor)])
                with suppress(psutil.NoSuchProcess):
                    self.most_bytes = max(self.most_bytes, self.process.memory_info().rss)
        own.close()

    def end(self) -> None:
        self.is_over.set()
        self.thread.join()


def write_ids(path: Path, numbers: Sequence[int]) -> Path:
    path.write_text("".join(f"{number}\n" for number in numbers))
    return path
