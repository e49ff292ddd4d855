"""The data directory: what lies where, whose it is, and the locks by which processes agree."""

import fcntl
import os
import pwd
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PORT = 5432  # of a file name only: the server listens on no network
SOCKET_NAME = f".s.PGSQL.{PORT}"
LONGEST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107  # bytes, without the closing NUL
SHORT_TEMPORARY = "/tmp"  # noqa: S108 - a private directory of a random name is made in it
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.5  # seconds between two looks at something that is waited for
LONGEST_LOG = 10_000_000  # bytes

START_LOCK = "start.lock"
USERS_LOCK = "users.lock"
KEEPER_LOCK = "keeper.lock"
POSTGRES_LOCK = "postgres.lock"

OTHER_DATABASE = "install PostgreSQL 15 or later and set DATABASE_URL=postgres://user:password@host:5432/name"


class StartError(Exception):
    """The embedded server cannot be had. The text says why, and what to do about it."""


class DataDirectory:
    """Files are private to the owner of the directory, cluster and socket to the user who runs PostgreSQL."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self.cluster = self.path / "postgres"
        self.password_file = self.path / "password"
        self.server_log = self.path / "server.log"
        self.keeper_log = self.path / "keeper.log"

    def prepare(self) -> None:
        """Make the directory if it is missing. Raises `StartError` if it is another user's, and `OSError`."""
        if not self.path.is_dir():
            self._create()
        us = os.geteuid()
        for path in (self.path, self.cluster):
            owner = path.stat().st_uid if path.exists() else us
            if us not in (0, owner):
                raise StartError(
                    f"{path} belongs to {user_name(owner)}, and you are {user_name(us)}. "
                    f"Run this as {user_name(self.path.stat().st_uid)}, or delete {self.path} "
                    f"to begin with an empty database, or {OTHER_DATABASE}."
                )

    def _create(self) -> None:
        # Complete before it has its name: a process that starts at the same time never sees it half made.
        fresh = Path(tempfile.mkdtemp(prefix=f"{self.path.name}-", dir=self.path.parent))
        fresh.chmod(0o711)  # the user who runs PostgreSQL may pass through; all that is in it is private
        checkout = self.path.parent.stat()
        if os.geteuid() == 0 and has_account(checkout.st_uid):
            # `sudo make demo` must not shut out a later `make demo`
            os.chown(fresh, checkout.st_uid, checkout.st_gid)
        try:
            fresh.rename(self.path)
        except OSError:
            fresh.rmdir()
            if not self.path.is_dir():
                raise

    def open(self, name: str, flags: int = os.O_RDWR) -> int:
        """Open a private file of the directory, made if missing. Made by root, it is still the owner's."""
        descriptor = os.open(self.path / name, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        if os.geteuid() == 0:
            owner = self.path.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        return descriptor

    def open_log(self, log: Path) -> BinaryIO:
        return os.fdopen(self.open(log.name, os.O_WRONLY | os.O_APPEND), "ab")

    def trim(self, log: Path) -> int:
        """Empty a log that has grown too long; return its length in bytes. Writers append: no harm done."""
        try:
            if log.stat().st_size > LONGEST_LOG:
                os.truncate(log, 0)
            return log.stat().st_size
        except FileNotFoundError:
            return 0

    def password(self) -> str:
        """Return the password of the server's only role. Raises `StartError` when the file is gone."""
        try:
            return self.password_file.read_text()
        except FileNotFoundError:
            raise StartError(
                f"{self.password_file} is missing, and without it {self.cluster} cannot be opened. "
                f"Restore it, or delete {self.path} to begin with an empty database, or {OTHER_DATABASE}."
            ) from None

    def lock(self, name: str) -> "FileLock":
        return FileLock(self.open(name))

    def is_held(self, name: str) -> bool:
        try:
            with closing(self.lock(name)) as lock:
                return not lock.take()
        except FileNotFoundError:  # somebody deleted the directory, and the locks with it
            return False

    def socket_directory(self) -> Path | None:
        """Return the directory of the server's socket, or None unless it is private to its owner."""
        if self._has_room_for_socket():
            candidate = self.path / "socket"
        else:
            try:
                candidate = Path(self._socket_record.read_text())
            except FileNotFoundError:
                return None
        return candidate if self._is_private(candidate) else None

    def make_socket_directory(self, uid: int, gid: int) -> Path:
        """Return it, made if missing: in the temp directory, if a path in the data directory is too long."""
        existing = self.socket_directory()
        if existing is not None:
            return existing
        if self._has_room_for_socket():
            made = self.path / "socket"
            made.mkdir(exist_ok=True)
        else:
            made = Path(tempfile.mkdtemp(prefix="milestreak-", dir=_short_temporary_directory()))
            with os.fdopen(self.open(self._socket_record.name, os.O_WRONLY | os.O_TRUNC), "w") as record:
                record.write(str(made))
        made.chmod(0o700)
        os.chown(made, uid, gid)
        return made

    def remove_foreign_socket_directory(self) -> None:
        """Leave nothing in the temp directory once the server has stopped."""
        directory = self.socket_directory()
        if directory is not None and directory.parent != self.path:
            shutil.rmtree(directory, ignore_errors=True)
            self._socket_record.unlink(missing_ok=True)

    @property
    def _socket_record(self) -> Path:
        return self.path / "socket-directory"

    def _has_room_for_socket(self) -> bool:
        return len(os.fsencode(self.path / "socket" / SOCKET_NAME)) <= LONGEST_SOCKET_PATH

    def _is_private(self, path: Path) -> bool:
        # The temp directory is everybody's: ours may be cleaned away, and a stranger make one of its name.
        try:
            found = path.lstat()
            owner = self.cluster.stat().st_uid
        except FileNotFoundError:
            return False
        return stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700 and found.st_uid == owner


_lock_descriptors: set[int] = set()


class FileLock:
    """A lock (flock) on an open file. It lasts until the file is closed here, and wherever it was passed on.

    A forked child closes its copy, and so does not count as a holder. (Unlocking would unlock the parent's.)
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        _lock_descriptors.add(descriptor)

    def take(self, *, shared: bool = False, wait: bool = False) -> bool:
        """Return whether the lock is ours now. Taking a lock that is already ours is fine."""
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self.descriptor, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @contextmanager
    def attempt(self) -> Iterator[bool]:
        """Hold the lock for a block if it can be had at once; the block is told."""
        taken = self.take()
        try:
            yield taken
        finally:
            if taken:
                fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    @contextmanager
    def bequest(self) -> Iterator[int]:
        """Yield a descriptor to pass to a new process, which then holds the lock with us, and after us."""
        copy = os.dup(self.descriptor)  # which the fork does not close
        try:
            yield copy
        finally:
            os.close(copy)

    def close(self) -> None:
        _lock_descriptors.discard(self.descriptor)
        os.close(self.descriptor)


def _close_inherited_locks() -> None:
    for descriptor in _lock_descriptors:
        with suppress(OSError):
            os.close(descriptor)
    _lock_descriptors.clear()


os.register_at_fork(after_in_child=_close_inherited_locks)


def has_account(uid: int) -> bool:
    """Whether `uid` is an ordinary user whom the system knows by name: initdb refuses root and strangers."""
    try:
        return uid != 0 and bool(pwd.getpwuid(uid))
    except KeyError:
        return False


def user_name(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user id {uid}"


def _short_temporary_directory() -> str:
    usual = tempfile.gettempdir()
    example = Path(usual, "milestreak-12345678", SOCKET_NAME)
    return usual if len(os.fsencode(example)) <= LONGEST_SOCKET_PATH else SHORT_TEMPORARY
