"""What the web server's own parser refuses is answered in the envelope."""

import json
import socket
import subprocess
import sys
import time

import pytest
from django.conf import settings


@pytest.fixture(scope="module")
def port():
    """A server of ours with one worker; nothing that is asked of it needs a database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    arguments = ["-m", "gunicorn", "--config", "config/gunicorn.py", "--bind", f"127.0.0.1:{number}", "--workers", "1"]
    server = subprocess.Popen(
        [sys.executable, *arguments, "config.wsgi"], cwd=settings.BASE_DIR, stderr=subprocess.DEVNULL
    )
    give_up_at = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", number)).close()
            break
        except ConnectionRefusedError:
            assert time.monotonic() < give_up_at
            time.sleep(0.05)
    yield number
    server.terminate()
    server.wait()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /v3/users/%s/targetGroups HTTP/1.1\r\nHost: x\r\n\r\n" % (b"9" * 9000), 414),
        (b"GET /v3/clock HTTP/1.1\r\nHost: x\r\nX-Request-ID: %s\r\n\r\n" % (b"a" * 20_000), 431),
        (b"what is this\r\n\r\n", 400),
    ],
    ids=["long line", "long header", "no HTTP"],
)
def test_request_that_reaches_no_view_is_refused_in_the_envelope(port, request_bytes, status):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(request_bytes)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Type: application/json" in head
    assert b"X-Cap-Requestid: " in head
    envelope = json.loads(body)
    assert (envelope["data"], envelope["errors"][0]["code"]) == (None, 300004)
