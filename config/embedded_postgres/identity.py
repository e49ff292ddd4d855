"""Who PostgreSQL runs as. It refuses to be root, and so root lends it a user without other rights."""

import ctypes
import os
import pwd
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .directory import OTHER_DATABASE, DataDirectory, StartError, has_account, user_name

NOBODY = "nobody"

PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 28, 47, 2  # linux/prctl.h
SECBIT_NO_SETUID_FIXUP = 4  # linux/securebits.h
CAPABILITY_VERSION_3, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 0x20080522, 1, 2  # linux/capability.h


@dataclass(frozen=True)
class ServiceUser:
    """The user who owns the cluster, and the one capability that root leaves it, if any."""

    uid: int
    gid: int
    capability: int | None = None

    @property
    def preexec(self) -> Callable[[], None] | None:
        """The `preexec_fn` to run a program as this user. Only for a process without threads."""
        return None if self.uid == os.geteuid() else self._become

    def _become(self) -> None:
        if self.capability is not None:
            # Without this bit access(), by which the programs look for each other, ignores capabilities.
            # It takes CAP_SETPCAP; where we lack that, the attempt to run them shows whether it matters.
            _libc.prctl(PR_SET_SECUREBITS, ctypes.c_ulong(SECBIT_NO_SETUID_FIXUP))
            _prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)  # over setuid
        os.setgroups([self.gid])
        os.setgid(self.gid)
        os.setuid(self.uid)
        if self.capability is not None:
            _keep_only(self.capability)


def choose_service_user(directory: DataDirectory, programs: Path) -> tuple[ServiceUser, str]:
    """Return who shall run PostgreSQL, and what `pg_config --version` prints when run so.

    Raises `StartError` when nobody can: the binaries do not run on this machine, or the user is unfit, or the
    service user cannot reach the data directory or the binaries.
    """
    uid, gid = _owner_of_cluster(directory)
    reasons = []
    for capability in _capabilities_to_try():
        user = ServiceUser(uid, gid, capability)
        version, reason = _try_to_run(user, directory.path, programs / "pg_config")
        if version:
            return user, version
        reasons.append(reason)
    if os.geteuid() != 0:
        raise StartError(f"The embedded PostgreSQL does not run here ({reasons[0]}). Please {OTHER_DATABASE}.")
    raise StartError(
        f"PostgreSQL does not run as root, and {user_name(uid)}, who would run it, cannot reach "
        f"{directory.path} or {programs} ({reasons[0]}). Move the checkout and its virtual environment to "
        f"a place that other users may enter, or run this as an ordinary user, or {OTHER_DATABASE}."
    )


def _owner_of_cluster(directory: DataDirectory) -> tuple[int, int]:
    """Whose it is or shall be: who runs this; but for root, the owner of the directory, or else `nobody`."""
    us = os.geteuid()
    if directory.cluster.exists():
        owner = directory.cluster.stat()
        if owner.st_uid == 0:
            raise StartError(
                f"{directory.cluster} belongs to root, as whom PostgreSQL does not run. "
                f"Give it to another user, for instance by: chown -R {NOBODY} {directory.cluster}"
            )
        return owner.st_uid, owner.st_gid
    if us != 0:
        if not has_account(us):
            raise StartError(
                f"{user_name(us).capitalize()} has no name on this machine (no line in /etc/passwd), and "
                f"PostgreSQL's initdb needs one. Run this as a user who has one, or {OTHER_DATABASE}."
            )
        return us, os.getegid()
    owner = directory.path.stat()
    if has_account(owner.st_uid):
        return owner.st_uid, owner.st_gid
    try:
        nobody = pwd.getpwnam(NOBODY)
    except KeyError:
        raise StartError(
            f"PostgreSQL does not run as root, and this machine has no user {NOBODY}. "
            f"Run this as an ordinary user, or {OTHER_DATABASE}."
        ) from None
    return nobody.pw_uid, nobody.pw_gid


def _capabilities_to_try() -> Iterator[int | None]:
    yield None
    if os.geteuid() == 0 and sys.platform == "linux":
        # A checkout below /root or in a private temp directory is closed to others, and not ours to open.
        # A capability lets the server through. The first only reads and searches; containers often lack it.
        yield CAP_DAC_READ_SEARCH
        yield CAP_DAC_OVERRIDE


def _try_to_run(user: ServiceUser, directory: Path, pg_config: Path) -> tuple[str, str]:
    """Return what `pg_config --version` prints if `user` runs it from `directory`, or why it does not.

    This program needs no cluster, and like the others starts by looking for itself.
    """
    script = 'cd "$1" && exec "$2" --version'
    try:
        done = subprocess.run(  # noqa: S603 - a program of the wheel
            ["/bin/sh", "-c", script, "sh", directory, pg_config],
            capture_output=True,
            text=True,
            cwd="/",
            env=clean_environment(),
            preexec_fn=user.preexec,
        )
    except subprocess.SubprocessError:  # all that it tells of what failed between fork and exec
        return "", "this process may not change its user or its capabilities"
    except OSError as error:
        return "", str(error)
    return (done.stdout, "") if done.returncode == 0 else ("", done.stderr.strip())


def clean_environment() -> dict[str, str]:
    """The environment for PostgreSQL's programs: no PG* variable of the caller's, no secret, no locale."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


_libc = ctypes.CDLL(None, use_errno=True)  # loaded before any fork


def _keep_only(capability: int) -> None:
    """Drop all capabilities but one, and have that one survive the exec of a program that asks for none."""
    bit = 1 << capability
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    effective_permitted_inheritable = struct.pack("=6I", bit, bit, bit, 0, 0, 0)
    _check(
        _libc.capset(ctypes.create_string_buffer(header), ctypes.create_string_buffer(effective_permitted_inheritable))
    )
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def _prctl(option: int, *arguments: int) -> None:
    _check(_libc.prctl(option, *map(ctypes.c_ulong, arguments)))  # variadic: their width counts


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
