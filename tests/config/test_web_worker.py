"""What the web server's own parser refuses is answered in the envelope."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection

import pytest

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
def patient(tmp_path_factory):
    """The port of a server with two threads, which would stay with their clients for ten minutes."""
    command = [*site(workers=1)[:-1], "--threads", "2", "--worker-class", "tests.config.patient_worker.PatientWorker"]
    with serving(tmp_path_factory.mktemp("patient") / "log", [*command, "config.wsgi"]) as server:
        yield server.port


def test_thread_that_stays_with_its_client_goes_to_those_who_need_it(patient):
    clients = [HTTPConnection("127.0.0.1", patient, timeout=30) for _ in range(5)]

    statuses = []
    for client in [*clients, *reversed(clients), *clients]:  # all keep their connections
        client.request("GET", "/v3/clock")
        response = client.getresponse()
        response.read()
        statuses.append(response.status)

    assert statuses == [401] * 15
    for client in clients:
        client.close()


def test_many_who_ask_at_the_same_time_are_all_answered(patient):
    def ask(times: int) -> list[int]:
        client = HTTPConnection("127.0.0.1", patient, timeout=30)
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


def test_requests_sent_in_one_piece_are_all_answered(patient):
    request = b"GET /v3/clock HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with socket.create_connection(("127.0.0.1", patient), timeout=30) as client:
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
