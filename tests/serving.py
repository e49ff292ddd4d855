"""Web servers in processes of their own; the site is served by gunicorn, as `make run` starts it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

TOO_LONG = 60  # seconds to start in


@dataclass(frozen=True)
class Serving:
    """`pid` is that of its first process, whose children are the workers."""

    port: int
    pid: int


@contextmanager
def served(log: Path, *, workers: int, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """The port of a server that answers. What it says is in the file `log`; it has ended afterwards."""
    with serving(log, site(workers), environment) as server:
        yield server.port


def site(workers: int) -> list[str]:
    """The command; its port is put in by `serving`."""
    arguments = ["--config", "config/gunicorn.py", "--bind", "127.0.0.1:{port}", "--workers", str(workers)]
    return [sys.executable, "-m", "gunicorn", *arguments, "config.wsgi"]


@contextmanager
def serving(log: Path, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[Serving]:
    """Any web server: the word {port} in its command is a free one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as written:
        server = subprocess.Popen(
            [word.replace("{port}", str(port)) for word in command],
            cwd=settings.BASE_DIR,
            env=os.environ | (environment or {}),
            stdout=written,
            stderr=written,
        )
    try:
        wait_for(port, server, log)
        yield Serving(port, server.pid)
    finally:
        server.terminate()
        server.wait(timeout=TOO_LONG)


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + TOO_LONG
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert server.poll() is None, f"the server has ended: {log.read_text()}"
            assert time.monotonic() < give_up_at, "the server does not start"
            time.sleep(0.05)
