"""The site served by gunicorn, in processes of its own, as `make run` starts it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

TOO_LONG = 60  # seconds to start in


@contextmanager
def served(log: Path, *, workers: int, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """The port of a server that answers. What it says is in the file `log`; it has ended afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--config", "config/gunicorn.py", "--bind", f"127.0.0.1:{port}", "--workers", str(workers)]
    with log.open("wb") as written:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments, "config.wsgi"],
            cwd=settings.BASE_DIR,
            env=os.environ | (environment or {}),
            stdout=written,
            stderr=written,
        )
    try:
        wait_for(port, server)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=TOO_LONG)


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + TOO_LONG
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < give_up_at, "the server does not start"
            time.sleep(0.05)
