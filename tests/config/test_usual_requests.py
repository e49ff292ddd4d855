"""What is read by a pattern is what gunicorn's own parser reads; what is answered in one piece is what it answers."""

import socket
from io import BytesIO
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import FileWrapper, Response, create
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config import gunicorn as ours
from config.usual_requests import WholeResponse, expect_usual, response_and_environ

CLIENT, SERVER = ("10.0.0.7", 51234), ("10.0.0.1", 8000)
LIMITS = ("limit_request_line", "limit_request_fields", "limit_request_field_size", "forwarded_allow_ips")


def configured(**more):
    cfg = Config()
    for name, value in ({name: getattr(ours, name) for name in LIMITS} | more).items():
        cfg.set(name, value)
    return cfg


CFG = configured()


class Sent:
    """A socket out of which come `pieces`, and which keeps what is sent to it."""

    def __init__(self, *pieces):
        self.pieces = list(pieces)
        self.answered = []

    def recv(self, size):
        return self.pieces.pop(0) if self.pieces else b""

    def send(self, data):
        self.answered.append(data)

    sendall = send


def expecting(*pieces, cfg=CFG, client=CLIENT):
    conn = SimpleNamespace(sock=Sent(*pieces), client=client, server=SERVER, parser=None)
    expect_usual(conn, cfg)
    return conn


def told(environ):
    """All that an application is told, and the body."""
    left_out = ("wsgi.input", "wsgi.errors", "wsgi.early_hints", "gunicorn.socket")
    return {name: value for name, value in environ.items() if name not in left_out}, environ["wsgi.input"].read()


def read_by_us(*pieces):
    """Each request, until there is none or one is refused; and whether each was usual."""
    conn, found, usual = expecting(*pieces), [], []
    try:
        for request in conn.parser:
            environ = response_and_environ(request, conn, CFG)[1]
            found.append((*told(environ), request.should_close()))
            usual.append(request.is_usual)
    except Exception as error:
        found.append(type(error))
    return found, usual


def read_by_gunicorn(*pieces):
    sock, found = Sent(*pieces), []
    try:
        for request in RequestParser(CFG, sock, CLIENT):
            _, environ = create(request, sock, CLIENT, SERVER, CFG)
            found.append((*told(environ), request.should_close()))
    except Exception as error:
        found.append(type(error))
    return found


POST = (
    b"POST /v3/targetGroups/7/targets/8/unEnroll?a=%20b&c HTTP/1.1\r\nHost: example.test\r\n"
    b"Authorization: Basic YTpi\r\nContent-Type: application/json\r\nX-Request-Id: a b\r\nContent-Length: 21\r\n\r\n"
    b'[{"customerId": 423}]'
)


def test_usual_request_is_read_as_gunicorn_reads_it():
    found, usual = read_by_us(POST)

    assert usual == [True]
    assert found == read_by_gunicorn(POST)
    assert found[0][1] == b'[{"customerId": 423}]'


UNUSUAL = {
    "chunks": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
    "length too long": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 16 + b"\r\n\r\na",
    "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nhost: y\r\n\r\n",
    "repeated": b"GET / HTTP/1.1\r\nHost: x\r\nAccept: a\r\nAccept: b\r\n\r\n",
    "underscore": b"GET / HTTP/1.1\r\nHost: x\r\nRemote_User: admin\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length : 1\r\n\r\na",
    "continued": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "empty header": b"GET / HTTP/1.1\r\nHost: x\r\nA:\r\n\r\n",
    "control character": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
    "latin": b"GET / HTTP/1.1\r\nHost: x\r\nA: \xe4\r\n\r\n",
    "bare line feed": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare line feed amid": b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
    "expect": b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
    "old": b"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
    "new": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "head": b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
    "whole address": b"GET http://x/v3?a=b HTTP/1.1\r\nHost: x\r\n\r\n",
    "two slashes": b"GET //v3/x HTTP/1.1\r\nHost: x\r\n\r\n",
    "fragment": b"GET /v3#x?y HTTP/1.1\r\nHost: x\r\n\r\n",
    "bytes in path": b"GET /\xe4 HTTP/1.1\r\nHost: x\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no headers": b"GET / HTTP/1.1\r\n\r\n",
    "line before": b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "upgrade": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "long line": b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * 4090),
    "long header": b"GET / HTTP/1.1\r\nHost: x\r\nA: %s\r\n\r\n" % (b"a" * 9000),
    "many headers": b"GET / HTTP/1.1\r\n%s\r\n" % b"".join(b"A%d: x\r\n" % each for each in range(65)),
    "nothing": b"",
    "nonsense": b"what is this\r\n\r\n",
}


@pytest.mark.parametrize("sent", UNUSUAL.values(), ids=UNUSUAL)
def test_anything_else_is_left_to_gunicorn(sent):
    found, usual = read_by_us(sent)

    assert True not in usual
    assert found == read_by_gunicorn(sent)


@pytest.mark.parametrize("at", [1, 30, len(POST) - 22, len(POST) - 21, len(POST) - 20, len(POST) - 1])
def test_request_that_comes_in_two_pieces_is_read_as_gunicorn_reads_it(at):
    found, _ = read_by_us(POST[:at], POST[at:])

    assert found == read_by_gunicorn(POST)


def test_requests_in_one_piece_are_read_one_after_the_other():
    unusual = UNUSUAL["chunks"]

    found, usual = read_by_us(POST * 2 + unusual + POST)

    assert usual == [True, True, False, True]
    assert found == read_by_gunicorn(POST * 2 + unusual + POST)


def test_body_that_nobody_reads_is_not_taken_for_the_next_request():
    parser = expecting(POST.replace(b'[{"customerId": 423}]', b"GET / HTTP/1.1\r\nA: b\r\n\r\n"[:21]) + POST).parser

    methods = [next(parser).method, next(parser).method]

    assert methods == ["POST", "POST"]


def test_rest_of_a_body_that_nobody_reads_is_not_taken_for_the_next_request():
    parser = expecting(POST[:-5], POST[-5:] + POST).parser

    methods = [next(parser).method, next(parser).method]

    assert methods == ["POST", "POST"]


# Parted by bars.
TOKENS = (
    b"GET|POST|HEAD| |  |\t|/|//|/a?b=%2F|#|HTTP/1.1|HTTP/1.0|\r\n|\n|\r|\r\n\r\n|Host|Host: x\r\n|Content-Length|: |:|"
    b"0|3|abc|\xff|Content-Length: 3\r\n|Transfer-Encoding: chunked\r\n|Connection: close\r\n|X_Y: z\r\n|\0|A: b\r\n|"
    b"a: c \r\n|GET / HTTP/1.1\r\n|POST /x HTTP/1.1\r\nHost: x\r\n|0\r\n\r\n"
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(TOKENS.split(b"|")), max_size=14).map(b"".join), st.integers(0, 200))
@example(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: x\r\n\r\n", 0)
def test_whatever_is_sent_is_read_or_refused_as_by_gunicorn(sent, at):
    pieces = [piece for piece in (sent[:at], sent[at:]) if piece]

    assert read_by_us(*pieces)[0] == read_by_gunicorn(*pieces)


@pytest.mark.parametrize(
    ("more", "client"),
    [
        ({"forwarded_allow_ips": "10.0.0.7"}, CLIENT),
        ({"proxy_protocol": "auto"}, CLIENT),
        ({"certfile": "x"}, CLIENT),
        ({"http2_cleartext": "both"}, CLIENT),
        ({}, ""),
    ],
    ids=["trusted proxy", "proxy protocol", "TLS", "HTTP/2", "socket file"],
)
def test_gunicorn_told_otherwise_reads_all_requests(more, client):
    assert expecting(cfg=configured(**more), client=client).parser is None


def test_gunicorn_under_a_path_reads_all_requests(monkeypatch):
    monkeypatch.setenv("SCRIPT_NAME", "/loyalty")

    assert expecting().parser is None


def answered(response_class, status, headers, pieces, request=POST):
    """What the client gets for it."""
    sock = Sent(request)
    response = response_class(next(RequestParser(CFG, sock, CLIENT)), sock, CFG)
    response.start_response(status, headers)
    if response_class is WholeResponse:
        response.send(pieces)
    else:
        for each in pieces:
            response.write(each)
        response.close()
    return sock.answered, response.should_close()


HEAD = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWERS = {
    "whole": ("200 OK", [("Content-Length", "5"), ("A", "b")], [b"hello"], POST),
    "two pieces": ("200 OK", [("Content-Length", "5"), ("A", "b")], [b"he", b"llo"], POST),
    "too much": ("200 OK", [("Content-Length", "5")], [b"hello, world"], POST),
    "chunks": ("200 OK", [("A", "b")], [b"he", b"", b"llo"], POST),
    "empty": ("200 OK", [("Content-Length", "0")], [], POST),
    "nothing": ("204 No Content", [], [], POST),
    "not modified": ("304 Not Modified", [("Content-Length", "5")], [], POST),
    "HEAD": ("200 OK", [("Content-Length", "5")], [b"hello"], HEAD),
    "hop by hop": ("200 OK", [("Content-Length", "2"), ("Connection", "close"), ("Server", "x")], [b"ok"], POST),
    "spaces": ("200 OK", [("Content-Length", "2"), ("A", "\tb "), ("B", "ä")], [b"ok"], POST),
    "cookies": ("200 OK", [("Set-Cookie", "a=b"), ("Set-Cookie", "c=d"), ("Content-Length", "2")], [b"ok"], POST),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_answer_is_the_one_of_gunicorn(answer, monkeypatch):
    monkeypatch.setattr("gunicorn.util.http_date", lambda: "now")

    sent, closes = answered(WholeResponse, *answer)
    sent_by_gunicorn, closed_by_gunicorn = answered(Response, *answer)

    assert (b"".join(sent), closes) == (b"".join(sent_by_gunicorn), closed_by_gunicorn)


@pytest.mark.parametrize(("name", "messages"), [("whole", 1), ("empty", 1), ("nothing", 1), ("two pieces", 2)])
def test_head_goes_with_the_first_piece(name, messages):
    assert len(answered(WholeResponse, *ANSWERS[name])[0]) == messages


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (("A", "b\r\nSet-Cookie: c"), InvalidResponseHeader),
        (("A", "b\nc"), InvalidResponseHeader),
        (("A: b\r\nC", "d"), InvalidResponseHeaderName),
        (("A B", "c"), InvalidResponseHeaderName),
        (("", "c"), InvalidResponseHeaderName),
    ],
)
def test_header_that_would_be_two_is_refused(header, error):
    with pytest.raises(error):
        answered(WholeResponse, "200 OK", [header, ("Content-Length", "0")], [])


def test_file_is_sent_after_its_head():
    ours_end, client = socket.socketpair()
    with ours_end, client:
        request = next(RequestParser(CFG, Sent(POST), CLIENT))
        response = WholeResponse(request, ours_end, CFG)
        response.start_response("200 OK", [("Content-Length", "5")])

        response.send(FileWrapper(BytesIO(b"hello")))

        head, _, body = client.recv(65536).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert (body or client.recv(65536)) == b"hello"
