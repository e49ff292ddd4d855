"""Requests that nobody makes from a document: spoiled bodies, headers, paths, queries, methods, and no HTTP."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import requests
from hypothesis import strategies as st

Spoil = Callable[[requests.Request, Any], None]  # changes the request; draws by the function it is given

DEEP = 20_000
TOO_MUCH = 1024 * 1024 + 1
FORM = "application/x-www-form-urlencoded"

# Texts of JSON values; not all of them are JSON.
VALUES = (
    "null", "true", "0", "-0", "-1", "1.5", "1e400", "1E-400", "-1e-9999999999", "9" * 400, "1" + "0" * 5000, "0.1234",
    "9223372036854775808", "-9223372036854775809", "999999999999999.999", "1e15", "NaN", "-Infinity", "01", "+1", "1.",
    '""', '" "', '"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"\\u202e"', '"\x7f"', '"\t"', '"' + "x" * 70_000 + '"',
    '"1"', '"-1"', '"1e3"', '"１２"', '"2026-02-30T00:00:00Z"', '"0001-01-01T00:00:00+14:00"',
    '"9999-12-31T23:59:59.999999-12:00"', '"2026-01-01T00:00:00"', '"2026-01-01T24:00:00Z"', '"23:59"',
    "[]", "{}", "[[[]]]", '{"":{"":{}}}', '[{"customerId":1}]', "[" * DEEP, "[" * DEEP + "]" * DEEP, '{"a":' * DEEP,
    "'one'", "undefined", "/**/1", '"open',
)  # fmt: skip
BODIES = (
    b"", b" ", b"null", b"true", b"0", b'"text"', b"[]", b"{}", b"[[]]", b"[{}]", b"[{},{}]", b"[null]", b"{}{}",
    b"[1,]", b'{"a":1', b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b"\xff", b'{"\xc3(":1}', b"\x00", b"{}\x00",
    b'{"customerId":1,"customerId":2}', b'[{"customerId":1,"customerId":1}]', b'{"\\u0000":1}', b'{"\\ud800":1}',
    b'{"__proto__":{"a":1}}', b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    b"9" * 100_000, b'["' + b"x" * TOO_MUCH + b'"]', b"a=b&c=d", b"<a/>", b"%00", b"[1e9999999999]",
)  # fmt: skip
HEADERS: tuple[tuple[str, str | bytes], ...] = tuple(
    (name, value)
    for name, values in {
        "Content-Type": (
            "text/plain", "application/xml", "multipart/form-data", "multipart/form-data; boundary=x", FORM, "json",
            "application/json; charset=utf-16", "application/json;;;=", "application/json, text/html", "a/b/c", "*/*",
            "application/merge-patch+json", b"\xff/\xff", "", "application/json; charset=\x01",
        ),
        "Idempotency-Key": (
            "", "x" * 200, "x" * 201, "x" * 5000, b"\xe9", "a\tb", "\x7f", "a, b", "'; --", '"', "\x01",
        ),
        "X-Request-ID": ("x" * 64, "x" * 65, b"\xff", "a b", "<script>", "%0d%0a", ""),
        "X-CAP-API-OAUTH-TOKEN": ("", "x", b"\xff"),
        "Accept": ("text/html", "*/*;q=x", "application/xml, */*;q=0", ""),
        "Accept-Encoding": ("br", "gzip;q=nan", "identity;q=0"),
        "Accept-Language": ("xx" * 2000, "de;q=2"),
        "Content-Encoding": ("gzip", "br"),
        "X-Forwarded-For": ("' or 1", "::::", "1.2.3.4, " * 500, b"\xff"),
        "X-Forwarded-Proto": ("https", "ftp"),
        "X-HTTP-Method-Override": ("DELETE",),
        "Host": ("a b", "[::1", "x" * 300, "@", b"\xff", "a:b:c"),
        "Cookie": ("sessionid=x; csrftoken=\x01", ";" * 4000, "a" * 8000),
        "Expect": ("200-ok",),
        "Range": ("bytes=0-0",),
        "If-None-Match": ("*",),
        "If-Modified-Since": ("yesterday",),
        "Connection": ("upgrade",),
        "Upgrade": ("websocket",),
    }.items()
    for value in values
)  # fmt: skip
CREDENTIALS: tuple[str | bytes, ...] = (
    "", "Basic", "Basic ", "Basic !!!", "Basic Og==", "Basic AAAA", "Basic /////w==", "Basic OgAAOg==", "Bearer",
    "Bearer ", "Bearer x y", "Bearer " + "x" * 5000, "Digest a=b", "basic  YTpi", b"Bearer \xff", b"\xe9",
    "Basic YTpi, Bearer x",
)  # fmt: skip
SEGMENTS = (
    "0", "-1", "9223372036854775807", "9223372036854775808", "9" * 100, "1.0", "+1", "%201", "%31", "%00", "%0a", "%ff",
    "%ED%A0%80", "%F0%9F%98%80", "%EF%BC%91", "%2F", "..%2F..", "'", "%3Cscript%3E", "null", "1;a=b", "_", "%25",
    "{id}", "1_0",
)  # fmt: skip
QUERIES = (
    "limit=", "limit=0", "limit=1001", "limit=1&limit=2", "limit=99999999999999999999", "limit=1.0", "limit=%00",
    "after=%00", "after=!!!", "after=MTIzLjQ1Ng", "after=MTIzLjQ1Ng==", "after=LTEuLTE",
    "after=OTk5OTk5OTk5OTk5OTk5OTk5OTkuMQ",
    "after=%FF", "after=" + "A" * 1500, "offset=-1", "offset=2147483648", "periodId=", "periodId=x", "periodId=1_0",
    "targetRuleId=%D9%A1", "includeInactive=maybe", "includeInactive=", "includeInactive[]=true", "nothing=1",
    "%ff=%ff", "&&&", "=", "a" * 2000, ";", "includePeriods=true&includePeriods=false",
)  # fmt: skip
METHODS = ("DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "GET", "PUT", "POST", "PROPFIND", "get", "X-Y")


class Chunks:
    """A body of which nobody says how long it is."""

    def __init__(self, content: bytes, size: int) -> None:
        self.content = content
        self.size = size

    def __iter__(self) -> Iterator[bytes]:
        return (self.content[at : at + self.size] for at in range(0, len(self.content), self.size))


def with_another_body(request: requests.Request, draw: Any) -> None:
    request.json, request.data = None, draw(st.sampled_from(BODIES))
    request.headers.setdefault("Content-Type", "application/json")


def with_a_value_spoiled(request: requests.Request, draw: Any) -> None:
    """One value of the body, whichever, is something else."""
    body = text_of(request).decode(errors="replace")
    places = values_in(body)
    start, end = places[draw(st.integers(0, 2**10)) % len(places)]
    request.json, request.data = None, (body[:start] + draw(st.sampled_from(VALUES)) + body[end:]).encode()


def cut_short(request: requests.Request, draw: Any) -> None:
    body = text_of(request)
    request.json, request.data = None, body[: draw(st.integers(0, 2**10)) % (len(body) + 1)]


def with_a_name_doubled(request: requests.Request, draw: Any) -> None:
    body = text_of(request)
    where = body.find(b"{") + 1
    request.json, request.data = None, body[:where] + b'"customerId":1,"customerId":1,' + body[where:]


def with_an_odd_header(request: requests.Request, draw: Any) -> None:
    name, value = draw(st.sampled_from(HEADERS))
    request.headers[name] = value


def with_odd_credentials(request: requests.Request, draw: Any) -> None:
    request.headers["Authorization"] = draw(st.sampled_from(CREDENTIALS))


def with_another_segment(request: requests.Request, draw: Any) -> None:
    """One part of the path, whichever, is something else."""
    scheme, _, host, *segments = request.url.split("/")
    segments[draw(st.integers(0, 2**10)) % len(segments)] = draw(st.sampled_from(SEGMENTS))
    request.url = "/".join([scheme, "", host, *segments])


def with_another_query(request: requests.Request, draw: Any) -> None:
    request.params = {}
    request.url = f"{request.url.partition('?')[0]}?{draw(st.sampled_from(QUERIES))}"


def by_another_method(request: requests.Request, draw: Any) -> None:
    request.method = draw(st.sampled_from(METHODS))


def in_chunks(request: requests.Request, draw: Any) -> None:
    """The body unharmed, or another, without its length."""
    body = draw(st.sampled_from((text_of(request), *BODIES)))
    size = draw(st.sampled_from((1, 7, 4096)))
    body = body if len(body) < 1000 * size else body[: 1000 * size]
    request.json, request.data = None, Chunks(body, size)
    request.headers.setdefault("Content-Type", "application/json")


SPOILS: tuple[Spoil, ...] = (
    with_another_body, with_a_value_spoiled, with_a_value_spoiled, cut_short, with_a_name_doubled, with_an_odd_header,
    with_odd_credentials, with_another_segment, with_another_query, by_another_method, in_chunks,
)  # fmt: skip


def text_of(request: requests.Request) -> bytes:
    """The body as it would be sent."""
    if request.json is not None:
        return json.dumps(request.json).encode()
    return request.data if isinstance(request.data, bytes) else str(request.data or "null").encode()


def values_in(text: str) -> list[tuple[int, int]]:
    """Where the JSON values of a text begin and end, those inside others too."""
    decoder = json.JSONDecoder()
    found = [(0, len(text))]
    for start, each in enumerate(text):
        if each in '{["-0123456789tfn' and (start == 0 or text[start - 1] in " :,[{"):
            try:
                found.append((start, decoder.raw_decode(text, start)[1]))
            except ValueError:
                continue
    return found


# What no client library sends.
AT_THE_PORT = (
    b"POST /v3/activities HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    b"POST /v3/activities HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"POST /v3/activities HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    b"POST /v3/activities HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /v3/activities HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n",
    b"POST /v3/activities HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /v3/activities HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    b"POST /v3/activities HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
    b"POST /v3/activities HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
    b"POST /v3/activities HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"
    b"GET /v3/clock HTTP/1.1\r\nHost: x\r\n\r\n",  # in the body, never a second request
    b"POST /v3/activities HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n{}",
    b"GET /v3/clock HTTP/1.1\r\n\r\n",
    b"GET /v3/clock HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET /v3/clock HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    b"GET /v3/clock HTTP/1.1\r\nHost: x\r\nA\x00: b\r\n\r\n",
    b"GET /v3/clock HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
    b"GET /v3/clock HTTP/1.1\r\nHost: x\r\n folded: b\r\n\r\n",
    b"GET /v3/clock HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YTpi\r\nAuthorization: Bearer x\r\n\r\n",
    b"GET /v3/clock HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    b"GET /v3/clock HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 20_000 + b"\r\n\r\n",
    b"GET /v3/" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v3/clock HTTP/1.0\r\n\r\n",
    b"GET /v3/clock HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /v3/clock\r\n\r\n",
    b"GET v3/clock HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://elsewhere/v3/clock HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v3/clock#a?b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v3/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v3/clock?a=\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v3/cl ock HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v3/../v3/clock HTTP/1.1\r\nHost: x\r\n\r\n",
    b"G\x00T /v3/clock HTTP/1.1\r\nHost: x\r\n\r\n",
    b"* * *\r\n\r\n",
    b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
)  # fmt: skip
