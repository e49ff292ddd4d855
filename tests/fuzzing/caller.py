"""Sends requests to a running server and judges each answer; remembers what was wrong, and goes on."""

import base64
import json
import re
import shlex
import socket
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import requests
import schemathesis
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import FailureGroup

from config.schema import schema_bytes

DOCUMENT = schemathesis.openapi.from_dict(json.loads(schema_bytes()))
OPERATIONS = {each.ok().definition.raw["operationId"]: each.ok() for each in DOCUMENT.get_all_operations()}

load_all_checks()
# What is documented: status, headers, form of the body. Not positive_data_acceptance: a document cannot say that names
# are unused, dates in order, and customers enrolled.
CONFORMITY = CHECKS.get_by_names(
    [
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
REJECTION = CHECKS.get_by_names(["negative_data_rejection"])
# Not of these: each row is answered in its place, a wrong one by a refusal amid an answer of 200 (api.md 3); an id that
# no row can have narrows a reading to nothing, as any unknown id does.
TAKES_WHAT_IS_WRONG = {"recordActivities", "enrollBulk", "unEnrollBulk", "readUserTargetGroups"}

BEFORE_ANY_VIEW = (414, 431)  # lines and headers that are too long, whatever was to be done

PATIENCE = 30  # seconds
TOKEN = "/oauth/token"
CREDENTIALS = ("Authorization", "X-CAP-API-OAUTH-TOKEN")
ENVELOPE = {"data", "errors", "warnings"}


class Finding(NamedTuple):
    """Something wrong with an answer, what to send to see it again, and the seed of the conversations before it."""

    what: str
    request: str
    seed: int

    def __str__(self) -> str:
        return f"{self.what}\n  seed {self.seed}: {self.request}"


class Caller:
    """Counts what it sends by status and, where a whole request was answered 2xx, by operation.

    `seed` is said of what is found.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.session = requests.Session()
        self.seed = 0
        self.sent = 0
        self.statuses: Counter[int] = Counter()
        self.served: Counter[str] = Counter()
        self.findings: list[Finding] = []

    def call(self, case: Any, credentials: Mapping[str, str], spoil: Any = None) -> requests.Response | None:
        """Send what `case` describes, changed by `spoil` if given; None where there was no answer."""
        for name in CREDENTIALS:
            case.headers.pop(name, None)
        arguments = case.as_transport_kwargs(base_url=self.base_url, headers=dict(credentials))
        request = requests.Request(
            **{name: arguments.get(name) for name in ("method", "url", "headers", "params", "json", "data")}
        )
        if spoil is not None:
            spoil(request)
        response = self.send(request)
        if response is None:
            return None
        name = name_of(case.operation)
        is_wrong = spoil is None and case.meta is not None and case.meta.generation.mode.is_negative
        if is_about(case, response.request) and response.status_code not in BEFORE_ANY_VIEW:
            self.compare(case, response, REJECTION if is_wrong and name not in TAKES_WHAT_IS_WRONG else [])
        if response.ok and spoil is None:
            self.served[name] += 1
        return response

    def compare(self, case: Any, response: requests.Response, further: list[Any]) -> None:
        """With the document."""
        try:
            case.validate_response(response, checks=[*CONFORMITY, *further])
        except FailureGroup as group:
            for each in group.exceptions:
                self.find(f"{case.operation.label}: {each.title}: {each.message}", response)

    def send(self, request: requests.Request) -> requests.Response | None:
        """The answer, looked at as far as it can be without the document."""
        prepared = self.session.prepare_request(request)
        self.sent += 1
        try:
            response = self.session.send(prepared, timeout=PATIENCE, allow_redirects=False)
        except requests.RequestException as error:
            self.findings.append(Finding(f"No answer: {error!r}", as_curl(prepared), self.seed))
            return None
        self.statuses[response.status_code] += 1
        if response.status_code >= 500:
            self.find(f"Status {response.status_code}: {response.text[:300]}", response)
        if not is_well_formed(response):
            self.find(f"Not in the envelope, {response.status_code}: {response.text[:300]!r}", response)
        return response

    def find(self, what: str, response: requests.Response) -> None:
        self.findings.append(Finding(what, as_curl(response.request), self.seed))

    def send_bytes(self, sent: bytes) -> None:
        """What need not be HTTP, and then nothing more. It is to be refused all the same, once and in the envelope."""
        self.sent += 1
        host, _, port = self.base_url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as client:
            try:
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: client.recv(65536), b""))
            except OSError as error:
                answer = repr(error).encode()
        status = int(answer[9:12]) if answer.startswith(b"HTTP/1.") else 0
        self.statuses[status] += 1
        body = answer[
            answer.find(b'{"') : answer.rfind(b"}") + 1
        ]  # it may have come in chunks; two answers are no JSON
        if not 400 <= status < 500 or not is_envelope(body):
            again = f"printf %s {as_base64(sent)} | base64 -d | nc {host} {port}"
            self.findings.append(Finding(f"At the port: {answer[:300]!r}", again, self.seed))


def name_of(operation: Any) -> str:
    return str(operation.definition.raw["operationId"])


def is_about(case: Any, request: requests.PreparedRequest) -> bool:
    """Whether it is a request for the operation, though spoiled."""
    path = "[^/]+".join(re.escape(each) for each in re.split(r"\{\w+\}", case.path))
    is_path = re.fullmatch(path, unquote(urlsplit(request.url or "").path)) is not None
    return is_path and request.method == case.method


def is_well_formed(response: requests.Response) -> bool:
    """The envelope, whole; or nothing, where HTTP wants nothing; or the form of RFC 6749."""
    request = response.request
    if request.method == "HEAD":
        return response.content == b""
    if request.path_url.partition("?")[0] == TOKEN:
        return is_answer_of_a_token(response)
    if not request.path_url.startswith(("/v3/", "/targetGroups", "/users", "/oauth")):
        return True  # a page, or that there is none
    return (
        response.headers.get("Content-Type") == "application/json"
        and bool(response.headers.get("X-Cap-Requestid"))
        and is_envelope(response.content)
    )


def is_envelope(body: bytes) -> bool:
    try:
        envelope = json.loads(body, parse_constant=refuse)
    except ValueError:
        return False
    if not isinstance(envelope, dict) or not ENVELOPE <= set(envelope) <= ENVELOPE | {"pagination"}:
        return False
    return envelope["data"] is None if envelope["errors"] else True


def refuse(constant: str) -> None:
    raise ValueError(constant)


def is_answer_of_a_token(response: requests.Response) -> bool:
    try:
        answer = json.loads(response.content)
    except ValueError:
        return False
    if response.status_code == 200:
        return {"access_token", "token_type", "expires_in"} <= set(answer)
    if response.status_code in (400, *BEFORE_ANY_VIEW) and is_envelope(response.content):
        return True  # no HTTP, or a host that is none: refused before anybody looked what it was for
    return isinstance(answer.get("error"), str) and set(answer) <= {"error", "error_description"}


def as_base64(sent: bytes) -> str:
    return base64.b64encode(sent).decode()


def as_curl(request: requests.PreparedRequest) -> str:
    """A line for a shell; the body in base64, as it may be anything."""
    words = ["curl", "-i", "-X", request.method or "", request.url or ""]
    for name, value in request.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        words += ["-H", f"{name}: {text}"] if name not in ("Content-Length", "Connection", "User-Agent") else []
    if request.body is None:
        return shlex.join(words)
    body: Any = getattr(request.body, "content", request.body)  # of chunks
    body = body if isinstance(body, bytes) else str(body).encode()
    return f"printf %s {as_base64(body)} | base64 -d | {shlex.join([*words, '--data-binary', '@-'])}"
