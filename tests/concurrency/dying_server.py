"""A server in a process of its own that is killed with -9 at a given moment of its first request.

`python -m tests.concurrency.dying_server MOMENT` prints its port; with the moment AFTER_COMMIT also the answer that it
was about to send.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from http.client import HTTPConnection, RemoteDisconnected
from typing import Any
from wsgiref.simple_server import make_server

import simplejson
from django.conf import settings

AMID_THE_WORK = "SELECT write_leave"  # the receipt, with stay and participation
BEFORE_COMMIT = 'UPDATE "targets_storedanswer"'
AFTER_COMMIT = "after commit"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(moment: str) -> None:
    from django.db import connection

    from config.wsgi import application

    def watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        done = execute(sql, params, many, context)
        if sql.lstrip().startswith(moment):
            die()
        return done

    def dying(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        sys.stdout.buffer.write(b"".join(application(environ, start_response)))
        sys.stdout.flush()
        die()
        return []

    connection.execute_wrappers.append(watch)
    with make_server("127.0.0.1", 0, dying) as server:
        print(server.server_port, flush=True)
        server.handle_request()


def answer_never_sent(moment: str, database_url: str, path: str, body: Any, headers: dict[str, str]) -> bytes:
    """POST it to such a server, see it die, and return the answer it had ready, if it had."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.concurrency.dying_server", moment],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": database_url},
    )
    assert server.stdout
    try:
        client = HTTPConnection("127.0.0.1", int(server.stdout.readline()), timeout=60)
        client.request("POST", path, simplejson.dumps(body), headers | {"Content-Type": "application/json"})
        try:
            raise AssertionError(f"answered {client.getresponse().status}")
        except (RemoteDisconnected, ConnectionResetError):
            pass
        finally:
            client.close()
        ready, _ = server.communicate(timeout=60)
        assert server.returncode == -signal.SIGKILL
        return ready
    finally:
        server.kill()
        server.communicate()


if __name__ == "__main__":
    main(sys.argv[1])
