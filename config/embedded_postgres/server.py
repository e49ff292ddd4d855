"""A process's use of the embedded server: joins its users, and starts it when it is not running."""

import functools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from . import cluster, keeper
from .cluster import Answer
from .directory import (
    KEEPER_LOCK,
    LONGEST_PAUSE,
    PORT,
    SHORTEST_PAUSE,
    START_LOCK,
    USERS_LOCK,
    DataDirectory,
    FileLock,
    StartError,
)

PATIENCE = 5.0  # seconds until we say what we are waiting for
KEEPERS_TO_TRY = 2
IMPORT_ROOT = Path(__file__).parents[2]

Result = TypeVar("Result")


@functools.cache
def server_in(path: str | os.PathLike[str]) -> "Server":
    """Return this process's one `Server` of the data directory `path`."""
    return Server(DataDirectory(path))


class Server:
    """Once joined, this process counts as a user until it ends, and the server is not stopped before.

    Threads may share it. A forked child is not a user until it joins by itself.
    """

    def __init__(self, directory: DataDirectory) -> None:
        self.directory = directory
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._guard = threading.Lock()  # the parent's may be held, by a thread that the child does not have
        self._users_lock: FileLock | None = None

    def ensure(self) -> None:
        """Return with the server running and this process among its users. Cheap when that is so already.

        Waits for recovery from a crash as long as it takes. Raises `StartError`, and `OSError` as it comes.
        """
        with self._guard:
            if self._users_lock is None or not self.directory.is_held(KEEPER_LOCK):
                self._join()

    def restore(self) -> None:
        """The same after a connection has failed: then look whether the server really answers."""
        with self._guard:
            self._join()

    def connection_parameters(self) -> dict[str, str | int]:
        """Return host, port, user and password, as libpq names them. Raises `StartError`."""
        socket_directory = self.directory.socket_directory()
        if socket_directory is None:
            raise StartError(f"The socket in {self.directory.path} has just been deleted. Please try again.")
        return {
            "host": str(socket_directory),
            "port": PORT,
            "user": cluster.ROLE,
            "password": self.directory.password(),
        }

    def _join(self) -> None:
        cluster.find_programs()  # or nothing is made here
        self.directory.prepare()
        with closing(self.directory.lock(START_LOCK)) as start_lock:
            self._wait_until(start_lock.take)
            self._become_user()
            with closing(self.directory.lock(KEEPER_LOCK)) as keeper_lock:
                self._wait_until(lambda: keeper_lock.take() or cluster.ask(self.directory) is Answer.READY)
                if keeper_lock.take():
                    self._start_keeper(keeper_lock)

    def _become_user(self) -> None:
        users_lock = self.directory.lock(USERS_LOCK)  # anew: the directory may have been deleted and remade
        users_lock.take(shared=True, wait=True)
        if self._users_lock is not None:
            self._users_lock.close()
        self._users_lock = users_lock

    def _start_keeper(self, keeper_lock: FileLock) -> None:
        """Return once a keeper has the server running. Raises `StartError` with its report."""
        for _ in range(KEEPERS_TO_TRY):
            report = self._run_keeper(keeper_lock)
            if report == keeper.READY:
                return
            if report:
                raise StartError(report)
        raise StartError(f"The keeper of PostgreSQL was killed. See {self.directory.keeper_log}.")

    def _run_keeper(self, keeper_lock: FileLock) -> str:
        """Start a keeper, which inherits the lock, and return its report: empty if it dies before."""
        python_path = os.pathsep.join(filter(None, [str(IMPORT_ROOT), os.environ.get("PYTHONPATH")]))
        self.directory.trim(self.directory.keeper_log)
        with self.directory.open_log(self.directory.keeper_log) as log, keeper_lock.bequest() as descriptor:
            starter = subprocess.Popen(  # noqa: S603 - a module of ours
                [sys.executable, "-m", keeper.__name__, str(self.directory.path), str(descriptor)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"PYTHONPATH": python_path},
                pass_fds=[descriptor],
                start_new_session=True,
            )
        with starter:
            [report] = self._wait_until(lambda: _report_of(starter))
        return report

    def _wait_until(self, attempt: Callable[[], Result]) -> Result:
        pause = SHORTEST_PAUSE
        say_so_at = time.monotonic() + PATIENCE
        while not (result := attempt()):
            if time.monotonic() > say_so_at:
                say_so_at = float("inf")
                print(
                    "Waiting for crash recovery of the embedded PostgreSQL, or for its last shutdown. "
                    f"See {self.directory.server_log}.",
                    file=sys.stderr,
                    flush=True,
                )
            time.sleep(pause)
            pause = min(1.2 * pause, LONGEST_PAUSE)
        return result


def _report_of(starter: subprocess.Popen[str]) -> list[str]:
    """Return the keeper's report when it is complete, that is the pipe closed; until then nothing."""
    try:
        return [starter.communicate(timeout=0.1)[0]]
    except subprocess.TimeoutExpired:
        return []
