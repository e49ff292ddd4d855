"""What the web server's own parser refuses is answered in the envelope."""

import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from config import gunicorn
from tests.serving import served, serving, site


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("server") / "log"


@pytest.fixture(scope="module")
def port(log):
    """A server of ours with one worker; nothing that is asked of it needs a database."""
    with served(log, workers=1) as number:
        yield number


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


@pytest.mark.parametrize(("length", "connection"), [(60_000, "keep-alive"), (70_000, "close"), (2_000_000, "close")])
def test_answer_to_a_body_that_was_refused_unread_says_whether_the_connection_goes_on(port, length, connection):
    client = HTTPConnection("127.0.0.1", port, timeout=30)

    client.request("POST", "/v3/activities", b" " * length, {"Content-Type": "application/json"})
    response = client.getresponse()

    assert (response.status, response.headers["Connection"]) == (401, connection)
    client.close()


@pytest.fixture(scope="module")
def two_threads(tmp_path_factory):
    """The port of a server with one worker of two threads."""
    command = [*site(workers=1)[:-1], "--threads", "2", "config.wsgi"]
    with serving(tmp_path_factory.mktemp("two_threads") / "log", command) as server:
        yield server.port


def status_of(port):
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        client.request("GET", "/v3/clock")
        return client.getresponse().status


@contextmanager
def slow_call(port):
    """A call under way whose body has not come yet."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"POST /v3/activities HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        yield client


def answer_of(client, request):
    """The status, when all of the answer has come."""
    client.sendall(request)
    response = HTTPResponse(client)
    response.begin()
    response.read()
    return response.status


def end(client):
    return answer_of(client, b"0\r\n\r\n")


def test_call_that_takes_long_holds_up_nobody(two_threads):
    with slow_call(two_threads) as slow:
        statuses = [status_of(two_threads) for _ in range(10)]

        assert statuses == [401] * 10
        assert end(slow) == 401


def test_connection_of_a_long_call_is_kept_and_answered_on(two_threads):
    with slow_call(two_threads) as slow:
        status_of(two_threads)  # another thread leads by now
        first = end(slow)
        second = answer_of(slow, b"GET /v3/clock HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    assert (first, second) == (401, 401)


def test_answer_is_sent_in_one_piece(two_threads):
    with socket.create_connection(("127.0.0.1", two_threads), timeout=30) as client:
        client.sendall(b"GET /v3/clock HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

        head, _, body = client.recv(65536).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nContent-Length: %d" % len(body) in head


def test_as_many_long_calls_as_threads_hold_up_the_others_until_one_has_ended(two_threads):
    with slow_call(two_threads) as one, slow_call(two_threads) as other, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(status_of, two_threads)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.5)
        end(one)

        assert waiting.result(timeout=30) == 401
        end(other)


def test_client_who_hangs_up_amid_a_long_call_is_forgotten(two_threads):
    for _ in range(5):
        with slow_call(two_threads):
            assert status_of(two_threads) == 401

    with slow_call(two_threads):
        assert status_of(two_threads) == 401


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by /proc")
def test_processes_share_their_clients_evenly(tmp_path):
    with serving(tmp_path / "log", site(workers=2)) as server, ExitStack() as stack:
        wait_for_workers(server.pid, 2)
        before = sockets_of_workers(server.pid)
        for _ in range(20):
            client = stack.enter_context(closing(HTTPConnection("127.0.0.1", server.port, timeout=30)))
            client.request("GET", "/v3/clock")
            client.getresponse().read()

        taken = [now - then for now, then in zip(sockets_of_workers(server.pid), before, strict=True)]

        assert sum(taken) == 20
        assert max(taken) - min(taken) <= 4


def wait_for_workers(master, count):
    """Until each has begun to answer, by its threads."""
    give_up_at = time.monotonic() + 60
    while [len(list(Path(f"/proc/{pid}/task").iterdir())) > 1 for pid in workers_of(master)] != [True] * count:
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


def workers_of(master):
    return Path(f"/proc/{master}/task/{master}/children").read_text().split()


def sockets_of_workers(master):
    return [
        sum("socket:" in os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()) for pid in workers_of(master)
    ]


def test_many_who_ask_at_the_same_time_are_all_answered(two_threads):
    def ask(times: int) -> list[int]:
        client = HTTPConnection("127.0.0.1", two_threads, timeout=30)
        statuses = []
        for _ in range(times):
            client.request("GET", "/v3/clock")
            response = client.getresponse()
            response.read()
            statuses.append(response.status)
        client.close()
        return statuses

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(ask, [30] * 8))

    assert answers == [[401] * 30] * 8


def test_requests_sent_in_one_piece_are_all_answered(two_threads):
    request = b"GET /v3/clock HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with socket.create_connection(("127.0.0.1", two_threads), timeout=30) as client:
        client.sendall(request * 3)
        answer = b""
        while answer.count(b"HTTP/1.1 401 ") < 3:
            chunk = client.recv(65536)
            assert chunk
            answer += chunk


@pytest.mark.parametrize("path", ["/healthz", "/v3/schema", "/v3/receipts", "/static/admin/css/base.css"])
def test_head_has_the_headers_of_get_and_nothing_to_complain_of(port, log, path):
    told_before = log.read_text()

    (status, headers, _), (status_of_head, headers_of_head, body) = asked(port, "GET", path), asked(port, "HEAD", path)

    names = ("Content-Type", "Content-Length")
    assert (status_of_head, body) == (status, b"")
    assert [headers_of_head[name] for name in names] == [headers[name] for name in names]
    said = log.read_text().removeprefix(told_before).splitlines()
    assert [line for line in said if "[INFO]" not in line] == []


def asked(port, method, path):
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        client.request(method, path)
        response = client.getresponse()
        answer = response.status, response.headers, response.read()
        client.request("GET", "/healthz")  # served when everything is said of the first
        client.getresponse().read()
        return answer


def test_process_looks_for_unused_cycles_only_now_and_then_and_for_no_event_loop(monkeypatch):
    frozen, thresholds, kept = [], [], []
    monkeypatch.setattr("config.threads.keep_by_thread", lambda: kept.append(True))
    monkeypatch.setattr(gunicorn.gc, "freeze", lambda: frozen.append(True))
    monkeypatch.setattr(gunicorn.gc, "set_threshold", lambda *given: thresholds.append(given))
    monkeypatch.setattr(gunicorn.signal, "signal", lambda *given: None)

    gunicorn.post_worker_init(None)

    assert (frozen, thresholds, kept) == ([True], [(10_000,)], [True])
