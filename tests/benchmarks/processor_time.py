"""What processes have computed, children and those that have ended included."""

import psutil
from django.db import connection

from tests.serving import Serving

UNKNOWN = float("nan")


def of_server(server: Serving | None) -> float:
    """Seconds of its first process and all below it."""
    return of_tree(psutil.Process(server.pid)) if server else UNKNOWN


def of_database() -> float:
    """Seconds of the whole PostgreSQL, where it runs in our sight: not on another machine or in a container."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), inet_server_addr() IS NULL OR inet_server_addr() << '127.0.0.0/8'")
        pid, is_here = cursor.fetchone()
    backend = psutil.Process(pid) if is_here and psutil.pid_exists(pid) else None
    postmaster = backend.parent() if backend and "postgres" in backend.name() else None
    return of_tree(postmaster) if postmaster else UNKNOWN


def of_tree(root: psutil.Process) -> float:
    seconds = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # ended meanwhile: its parent tells
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds
