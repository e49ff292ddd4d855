"""The servers of the operating system's packages, and where they are."""

import os
import pwd
import shutil
from pathlib import Path

# Program: Debian's package of it.
PACKAGES = {
    "postgres": "postgresql",
    "initdb": "postgresql",
    "pg_ctl": "postgresql",
    "pg_basebackup": "postgresql",
    "pgbouncer": "pgbouncer",
    "haproxy": "haproxy",
}
SERVICE_USER = "postgres"  # whom Debian's packages make; neither PostgreSQL nor PgBouncer runs as root


def find(program: str) -> str | None:
    """The path of the program; of several PostgreSQLs the newest."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest_first = sorted(versions, key=lambda each: float(each.parent.name), reverse=True)
    return shutil.which(program, path=os.pathsep.join([*map(str, newest_first), os.environ["PATH"], "/usr/sbin"]))


def missing_packages() -> list[str]:
    return sorted({package for program, package in PACKAGES.items() if find(program) is None})


def path_of(program: str) -> str:
    found = find(program)
    assert found is not None, f"install {PACKAGES[program]}"
    return found


def service_account() -> tuple[int, int] | None:
    """User and group to run servers as; None: as whoever runs the tests."""
    if os.getuid() != 0:
        return None
    entry = pwd.getpwnam(SERVICE_USER)
    return entry.pw_uid, entry.pw_gid
