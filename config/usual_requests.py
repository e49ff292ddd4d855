"""Requests of the form that clients send: read by one pattern instead of line by line, and answered in one piece.

What has any other form - a continued, repeated or empty header, chunks, Expect, HTTP/1.0, a head that came in two
parts - is gunicorn's parser to read, and to refuse.
"""

import io
import os
import re
from functools import lru_cache
from typing import Any

from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http.body import Body, LengthReader  # type: ignore[import-untyped]
from gunicorn.http.message import Request  # type: ignore[import-untyped]
from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]
from gunicorn.http.wsgi import FileWrapper, Response, base_environ, create  # type: ignore[import-untyped]

LONGEST_HEAD = 4000  # bytes; below each of the limits in config/gunicorn.py
NAME, VALUE = "[A-Za-z][A-Za-z0-9-]*", "[!-~](?:[ -~]*[!-~])?"
FIELD = re.compile(rf"({NAME}): ?({VALUE})\r\n".encode())
USUAL = re.compile(rf"(GET|POST|PUT|PATCH|DELETE) (/[!-~]*) HTTP/1\.1\r\n((?:{NAME}: ?{VALUE}\r\n)++)\r\n".encode())
LENGTH = re.compile(r"[0-9]{1,15}")
UNUSUAL_FIELDS = frozenset({"TRANSFER-ENCODING", "EXPECT", "UPGRADE", "HTTP2-SETTINGS", "TE", "TRAILER"})
MOST_FIELDS = 64
SHOWN = r"[\x21-\x7e\x80-\xff]"
LINES = re.compile(rf"(?:[A-Za-z0-9-]+: {SHOWN}(?:[ \t\x21-\x7e\x80-\xff]*{SHOWN})?\r\n)*+")


class MaybeUsualRequest(Request):
    """As gunicorn's, and the same in every attribute; `is_usual` says by whom it was read. `is_whole`: all of its body
    has come with it.
    """

    is_usual = is_whole = False

    def __init__(self, cfg: Any, unreader: Any, peer_addr: Any, req_number: int = 1) -> None:
        sent = unreader.read()
        head = USUAL.match(sent, 0, LONGEST_HEAD)
        if head is None or not self._read(head, sent, unreader):
            unreader.unread(sent)
            super().__init__(cfg, unreader, peer_addr, req_number)
            return
        self.is_usual = True
        self.cfg, self.unreader, self.peer_addr, self.req_number = cfg, unreader, peer_addr, req_number
        self.remote_addr, self.proxy_protocol_info = peer_addr, None
        self.version, self.scheme, self.must_close = (1, 1), "http", False
        self.trailers: list[Any] = []

    def _read(self, head: re.Match[bytes], sent: bytes, unreader: Any) -> bool:
        """Whether it is usual in all that the pattern does not say."""
        method, uri, block = head.groups()
        fields = [(name_of(name), value.decode()) for name, value in FIELD.findall(block)]
        named = dict(fields)
        length = named.get("CONTENT-LENGTH", "0")
        if (
            not len(fields) == len(named) <= MOST_FIELDS
            or not UNUSUAL_FIELDS.isdisjoint(named)
            or not LENGTH.fullmatch(length)
            or uri.startswith(b"//")
            or b"#" in uri
        ):
            return False
        self.headers, self.method, self.uri, self.fragment = fields, method.decode(), uri.decode(), ""
        path, _, query = self.uri.partition("?")
        self.path, self.query = path, query
        end, announced = head.end(), int(length)
        self.is_whole = len(sent) - end >= announced
        if self.is_whole:
            self.body: Any = io.BytesIO(sent[end : end + announced])
            unreader.unread(sent[end + announced :])
        else:
            unreader.unread(sent[end:])
            self.body = Body(LengthReader(unreader, announced))
        return True


class Parser(RequestParser):
    mesg_class = MaybeUsualRequest

    def finish_body(self, *limits: Any, **more: Any) -> bool:
        if self.mesg is not None and self.mesg.is_whole:
            return True  # nothing of it is left in the connection
        return bool(super().finish_body(*limits, **more))


@lru_cache(maxsize=256)
def name_of(field: bytes) -> str:
    return field.decode().upper()


@lru_cache(maxsize=256)
def key_of(name: str) -> str:
    """In the environment of WSGI."""
    key = name.replace("-", "_")
    return key if name in ("CONTENT-TYPE", "CONTENT-LENGTH") else f"HTTP_{key}"


class WholeResponse(Response):
    """Keeps the head back until it can go with the first piece of the body: one message, not two."""

    head = b""
    headers_sent: bool

    def send(self, answer: Any) -> None:
        """All of what the application answers."""
        if isinstance(answer, FileWrapper):
            self.write_file(answer)
        else:
            for each in answer:
                self.write(each)
        self.close()

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        names = {name.lower(): value for name, value in headers}
        if not LINES.fullmatch(lines) or lines.count("\n") != len(headers) or not util.hop_headers.isdisjoint(names):
            super().process_headers(headers)
            return
        if "content-length" in names:
            self.response_length = int(names["content-length"])
        self.headers = headers

    def send_headers(self) -> None:
        if not self.headers_sent:
            lines = [*self.default_headers(), *[f"{name}: {value}\r\n" for name, value in self.headers], "\r\n"]
            self.head = "".join(lines).encode("latin-1")
            self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        if self.chunked:
            self.flush()
            super()._emit_body(data)
        else:
            self.sock.sendall(self.head + data)
            self.head = b""

    def flush(self) -> None:
        if self.head:
            self.sock.sendall(self.head)
            self.head = b""

    def sendfile(self, respiter: Any) -> Any:
        self.send_headers()
        self.flush()
        return super().sendfile(respiter)

    def close(self) -> None:
        self.send_headers()
        self.flush()
        super().close()


def expect_usual(conn: Any, cfg: Any) -> None:
    """Have the requests of a connection read as this module says, unless gunicorn is told to do something else with
    connections: then by gunicorn alone.
    """
    is_tcp = isinstance(conn.client, tuple) and isinstance(conn.server, tuple)
    told = (cfg.is_ssl, cfg.forwarded_allow_ips, cfg.proxy_protocol != "off", cfg.http2_cleartext != "off")
    if is_tcp and not any(told) and not os.environ.get("SCRIPT_NAME"):
        conn.parser, conn.environ = Parser(cfg, conn.sock, conn.client), environ_of(conn, cfg)


def environ_of(conn: Any, cfg: Any) -> dict[str, Any]:
    """What the environments of all usual requests of a connection have in common."""
    common: dict[str, Any] = base_environ(cfg) | {
        "gunicorn.socket": conn.sock,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "REMOTE_ADDR": conn.client[0],
        "REMOTE_PORT": str(conn.client[1]),
        "SERVER_NAME": conn.server[0],
        "SERVER_PORT": str(conn.server[1]),
        "SCRIPT_NAME": "",
    }
    return common


def response_and_environ(request: Any, conn: Any, cfg: Any) -> tuple[WholeResponse, dict[str, Any]]:
    """What WSGI needs to have a request answered."""
    if not getattr(request, "is_usual", False):
        made: tuple[WholeResponse, dict[str, Any]] = create(
            request, conn.sock, conn.client, conn.server, cfg, response_class=WholeResponse
        )
        return made
    environ: dict[str, Any] = conn.environ | {
        "REQUEST_METHOD": request.method,
        "RAW_URI": request.uri,
        "PATH_INFO": util.unquote_to_wsgi_str(request.path) if "%" in request.path else request.path,
        "QUERY_STRING": request.query,
        "wsgi.input": request.body,
    }
    for name, value in request.headers:
        environ[key_of(name)] = value
    return WholeResponse(request, conn.sock, cfg), environ
