"""The keeper: a process of its own that starts PostgreSQL, and stops it cleanly when its last user is gone.

    python -m config.embedded_postgres.keeper DIRECTORY DESCRIPTOR_OF_THE_KEEPER_LOCK

It says "ready" on its standard output, or why the server cannot be had, and closes it. A terminal's Ctrl-C
does not reach it. Told to terminate, it stops the server; killed, it leaves the server to its successor.
"""

import os
import signal
import sys
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from . import cluster
from .cluster import Answer
from .directory import (
    LONGEST_PAUSE,
    POSTGRES_LOCK,
    SHORTEST_PAUSE,
    SOCKET_NAME,
    START_LOCK,
    USERS_LOCK,
    DataDirectory,
    StartError,
)
from .identity import ServiceUser, choose_service_user

if TYPE_CHECKING:
    from subprocess import Popen

READY = "ready"
GRACE = 2.0  # seconds without a user, so that `make migrate demo` does not restart the server in between
PATIENCE_WITH_ORPHANS = 1.0  # seconds
WATCH_INTERVAL = 0.25  # seconds


class Keeper:
    def __init__(self, directory: DataDirectory) -> None:
        self.directory = directory
        # Opened once: should the data directory be deleted, these are still the locks that its users hold.
        self.start_lock = directory.lock(START_LOCK)
        self.users_lock = directory.lock(USERS_LOCK)
        self.postgres_lock = directory.lock(POSTGRES_LOCK)
        self.process: Popen[bytes] | None = None  # None also when a killed keeper left us its server
        self.adopted_pid: int | None = None
        self.patience_ends = time.monotonic() + PATIENCE_WITH_ORPHANS
        self.is_told_to_stop = False
        self.unused_since: float | None = None

    def tell_to_stop(self, *_: object) -> None:
        self.is_told_to_stop = True

    def bring_up(self) -> None:
        """Return when the server answers, ours or one left by a killed keeper. Crash recovery takes its time.

        Raises `StartError` with the last lines of the server's log when it ends instead.
        """
        programs = cluster.find_programs()
        user, version = choose_service_user(self.directory, programs)
        log_start = self.directory.trim(self.directory.server_log)
        pause = SHORTEST_PAUSE
        while cluster.ask(self.directory) is not Answer.READY:
            if self.is_told_to_stop:
                self.stop()
                raise StartError("PostgreSQL was told to stop while it started.")
            if self.process is None:
                self._start_unless_running(programs, user, version)
            elif self.process.poll() is not None:
                lines = cluster.log_since(self.directory, log_start)
                raise StartError(f"PostgreSQL did not start. {self.directory.server_log} ends with:\n{lines}")
            time.sleep(pause)
            pause = min(1.2 * pause, LONGEST_PAUSE)  # each question leaves a line in the log
        if self.process is None:
            self.adopted_pid = cluster.process_id(self.directory)

    def _start_unless_running(self, programs: Path, user: ServiceUser, version: str) -> None:
        with closing(self.directory.lock(POSTGRES_LOCK)) as lock:  # opened anew: this one is for the children
            if not lock.take():
                # A server is coming up or going down, or processes of a killed one are still at work.
                if time.monotonic() > self.patience_ends:
                    cluster.end_orphans(self.directory)
                return
            with lock.bequest() as descriptor:
                if not self.directory.cluster.exists():
                    cluster.initialise(self.directory, programs, user, descriptor)
                cluster.check_version(self.directory, version)
                self.process = cluster.start(self.directory, programs, user, descriptor)

    def watch(self) -> None:
        """Return when the server has ended: by itself, or for want of users, or because we were told to."""
        socket = self._socket_identity()
        while self._is_postmaster_alive():
            time.sleep(WATCH_INTERVAL)
            if self.is_told_to_stop or self._socket_identity() != socket:
                # Without its socket a server is of no use to anybody: the next connection starts another.
                self.stop()
            else:
                self._stop_if_unused()
            self.directory.trim(self.directory.server_log)

    def stop(self) -> None:
        """Shut down cleanly, without waiting for clients, but for the checkpoint however long it takes."""
        say("stopping")
        while not self.postgres_lock.take():
            self._interrupt()  # again and again: a server that is only just starting does not hear the first
            time.sleep(0.1)
        self.directory.remove_foreign_socket_directory()

    def _stop_if_unused(self) -> None:
        # Both locks over look and stop: who arrives now waits, and then finds the server down, not dying.
        with self.start_lock.attempt() as none_joins, self.users_lock.attempt() as none_left:
            if not (none_joins and none_left):
                self.unused_since = None
                return
            self.unused_since = self.unused_since or time.monotonic()
            if time.monotonic() - self.unused_since >= GRACE:
                self.stop()

    def _interrupt(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
        elif cluster.ask(self.directory) is not Answer.NONE:
            with suppress(FileNotFoundError, ProcessLookupError):
                os.kill(cluster.process_id(self.directory), signal.SIGINT)

    def _is_postmaster_alive(self) -> bool:
        if self.process is not None:
            return self.process.poll() is None
        with self.postgres_lock.attempt() as none_alive:
            return not none_alive and self.adopted_pid is not None and process_exists(self.adopted_pid)

    def _socket_identity(self) -> tuple[int, int] | None:
        directory = self.directory.socket_directory()
        try:
            socket = (directory / SOCKET_NAME).stat() if directory else None
        except FileNotFoundError:
            return None
        return (socket.st_dev, socket.st_ino) if socket else None


def main() -> None:
    directory, keeper_lock = DataDirectory(sys.argv[1]), int(sys.argv[2])
    if os.fork() != 0:
        return  # the starter waits for this process only, and so is not the parent of the keeper
    os.set_inheritable(keeper_lock, False)
    os.ftruncate(keeper_lock, 0)
    os.write(keeper_lock, f"{os.getpid()}\n".encode())
    os.chdir("/")
    os.umask(0o077)
    keeper = Keeper(directory)
    signal.signal(signal.SIGTERM, keeper.tell_to_stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        keeper.bring_up()
    except (StartError, OSError) as error:
        say(f"failed: {error}")
        report(str(error))
        return
    say("watching")
    report(READY)
    keeper.watch()
    say("PostgreSQL has ended")


def process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def say(what: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC [{os.getpid()}] {what}", file=sys.stderr, flush=True)


def report(text: str) -> None:
    with suppress(BrokenPipeError):  # the starter was killed
        print(text, end="", flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    main()
