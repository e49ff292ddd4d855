"""Every answer and every failure, over views that do nothing else."""

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg2.errors
import pytest
from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from targets.answers import Answer, Notice
from targets.errors import NotEnrolled, StaleInstant, WarningCode
from targets.fields import CustomerIdField, StrictSerializer

pytestmark = pytest.mark.urls(__name__)

FAILURES: dict[str, Exception] = {
    "domain": NotEnrolled("Not enrolled.", field="[0].customerId"),
    "stale": StaleInstant(datetime(2026, 1, 1, tzinfo=UTC)),
    "lock": OperationalError(psycopg2.errors.LockNotAvailable("canceling statement due to lock timeout")),
    "closed": InterfaceError("connection already closed"),
    "suspicious": SuspiciousOperation("hm"),
    "bug": ZeroDivisionError("secret detail"),
    "field": serializers.ValidationError({"a": [{}, {"b": ["Wrong."]}], "non_field_errors": ["Bad."]}),
    "many": serializers.ValidationError([{"a": ["Wrong."]}] * 103),
}


class Record(StrictSerializer):
    customerId = CustomerIdField()  # noqa: N815 the wire's name


class OpenView(APIView):
    authentication_classes = ()
    permission_classes = ()


class EchoView(OpenView):
    def post(self, request: Request) -> Response:
        return Answer(request.data)


class RecordsView(OpenView):
    def post(self, request: Request) -> Response:
        serializer = Record(data=request.data, many=True)
        serializer.is_valid(raise_exception=True)
        return Answer([record["customerId"] for record in serializer.validated_data])


class PublishedRecordsView(RecordsView):
    published_shape = True


class SmallView(EchoView):
    max_body_bytes = 10


class FailingView(OpenView):
    def get(self, request: Request, name: str) -> Response:
        raise FAILURES[name]


class AnswersView(OpenView):
    def get(self, request: Request, name: str) -> Response:
        if name == "plain":
            return Response({"a": 1})
        if name == "decimal":
            return Answer({"values": [Decimal("5.000"), Decimal("0.000"), Decimal("999999999999999.999")]})
        if name == "warned":
            notice = Notice(WarningCode.FIELD_IGNORED, "Ignored.", field="a")
            return Answer([1], status=201, warnings=[notice], pagination={"limit": 100, "next": None})
        return Answer([], empty_lists=True, pagination={"limit": 10, "offset": 0, "total": 0})


class UnwritableView(OpenView):
    def get(self, request: Request) -> Response:
        return Answer({"value": object()})


def fail_outside_the_framework(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("secret detail")


urlpatterns = [
    path("v3/echo", EchoView.as_view()),
    path("v3/records", RecordsView.as_view()),
    path("targetGroups/records", PublishedRecordsView.as_view()),
    path("v3/small", SmallView.as_view()),
    path("v3/failing/<name>", FailingView.as_view()),
    path("v3/answers/<name>", AnswersView.as_view()),
    path("v3/unwritable", UnwritableView.as_view()),
    path("v3/outside", fail_outside_the_framework),
]


@pytest.fixture
def http() -> Client:
    return Client(raise_request_exception=False)


def post(http: Client, address: str, body: bytes | str, **extra: Any) -> Any:
    return http.post(address, body, content_type=extra.pop("content_type", "application/json"), **extra)


def refusals(response: Any) -> list[dict[str, Any]]:
    envelope = json.loads(response.content)
    assert set(envelope) == {"data", "errors", "warnings"}
    assert (envelope["data"], envelope["warnings"]) == (None, None)
    assert response["Content-Type"] == "application/json"
    return envelope["errors"]


@pytest.mark.parametrize(
    ("name", "status", "content"),
    [
        ("plain", 200, b'{"data":{"a":1},"errors":null,"warnings":null}'),
        (
            "decimal",
            200,
            b'{"data":{"values":[5.000,0.000,999999999999999.999]},"errors":null,"warnings":null}',
        ),
        (
            "warned",
            201,
            b'{"data":[1],"errors":null,"warnings":[{"code":310202,"message":"Ignored.","field":"a"}],'
            b'"pagination":{"limit":100,"next":null}}',
        ),
        (
            "published",
            200,
            b'{"data":[],"errors":[],"warnings":[],"pagination":{"limit":10,"offset":0,"total":0}}',
        ),
    ],
)
def test_answer_is_in_the_envelope(http, name, status, content):
    response = http.get(f"/v3/answers/{name}", HTTP_ACCEPT="text/html")

    assert (response.status_code, response["Content-Type"]) == (status, "application/json")
    assert response.content == content


def test_domain_error_answers_its_code_status_and_field(http):
    response = http.get("/v3/failing/domain")

    assert response.status_code == 409
    assert refusals(response) == [{"code": 310126, "message": "Not enrolled.", "field": "[0].customerId"}]


@pytest.mark.parametrize("name", ["stale", "lock", "closed"])
def test_failure_that_passes_answers_503_and_when_to_try_again(http, name):
    response = http.get(f"/v3/failing/{name}")

    assert (response.status_code, response["Retry-After"]) == (503, "2")
    assert [error["code"] for error in refusals(response)] == [5030]


@pytest.mark.parametrize("address", ["/v3/failing/bug", "/v3/outside", "/v3/unwritable"])
@pytest.mark.parametrize("debug", [False, True])
def test_bug_is_logged_and_answers_the_request_id_and_no_detail(http, settings, caplog, address, debug):
    settings.DEBUG = debug

    response = http.get(address, HTTP_X_REQUEST_ID="call-7")

    assert response.status_code == 500
    message = "An error of ours. Quote the request id when you report it. Request id: call-7"
    assert refusals(response) == [{"code": 5000, "message": message}]
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"]


def test_suspicious_operation_is_invalid_input(http):
    response = http.get("/v3/failing/suspicious")

    assert response.status_code == 400
    assert refusals(response) == [{"code": 300004, "message": "Invalid input."}]


def test_validation_error_answers_the_path_of_each_field(http):
    response = http.get("/v3/failing/field")

    assert response.status_code == 400
    assert refusals(response) == [
        {"code": 300004, "message": "Wrong.", "field": "a[1].b"},
        {"code": 300004, "message": "Bad."},
    ]


def test_many_validation_errors_are_cut_off_and_counted(http):
    response = http.get("/v3/failing/many")

    errors = refusals(response)
    assert len(errors) == 101
    assert errors[99]["field"] == "[99].a"
    assert errors[100] == {"code": 300004, "message": "There are 3 more errors."}


def test_unknown_field_is_refused_beside_other_errors(http):
    response = post(http, "/v3/records", '[{"customerId": 1}, {"customerId": true, "colour": 1}]')

    assert response.status_code == 400
    assert refusals(response) == [
        {
            "code": 300004,
            "message": "A customer id is an integer or a string of digits.",
            "field": "[1].customerId",
        },
        {"code": 300004, "message": "This field is not known here.", "field": "[1].colour"},
    ]


def test_name_that_the_caller_has_made_up_is_cut_off(http):
    response = post(http, "/v3/records", f'[{{"customerId": 1, "{"x" * 5000}": 1}}]')

    field = f"[0].{'x' * 295}…"
    assert refusals(response) == [{"code": 300004, "message": "This field is not known here.", "field": field}]


def test_published_shape_names_the_field_in_the_message(http):
    response = post(http, "/targetGroups/records", '[{"customerId": 1, "colour": 1}]')

    message = "[0].colour: This field is not known here."
    assert refusals(response) == [{"code": 300004, "message": message}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The body is not JSON: "),
        (b"\xff", "The body is not UTF-8."),
        (b"[NaN]", "The body is not JSON"),
        (b"[-Infinity]", "The body is not JSON"),
        (b'{"a": 1, "b": 2, "a": 3}', "The body has the key 'a' twice in one object."),
        (b"[" * 33 + b"]" * 33, "The body is nested deeper than 32."),
        (b"[" * 100_000, "The body is nested deeper than 32."),
        (b"1" * 5_000, "The body has an integer of absurd length."),
        (b"[1e1000]", "The body has a number of absurd size."),
        (b"[1e99999999999999999999]", "The body has a number of absurd size."),
        (b"[0." + b"1" * 200 + b"]", "The body has a number of absurd size."),
        (b"[" + b"1," * 500_001 + b"1]", "The body has more than 500,000 commas: send fewer records in a call."),
        (rb'{"a": "\u0000"}', "The body has a text with a character that no text may have."),
        (rb'{"\ud800": 1}', "The body has a text with a character that no text may have."),
        (b'["\0"]', "The body is not JSON: "),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_body_that_is_not_proper_json_is_refused(http, body, message):
    response = post(http, "/v3/echo", body)

    assert response.status_code == 400
    (error,) = refusals(response)
    assert error["code"] == 300004
    assert error["message"].startswith(message)


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"[1.50]", b"[1.50]"),
        (b"[" * 32 + b"]" * 32, b"[" * 32 + b"]" * 32),
        (b"[" + b"1," * 500_000 + b"1]", b"[" + b"1," * 500_000 + b"1]"),
        (rb'["\ud83d\ude00"]', '["\U0001f600"]'.encode()),
        (b'\xef\xbb\xbf{"a":null}', b'{"a":null}'),
        (rb'["\\u0000"]', rb'["\\u0000"]'),
        (b"0e-7", b"0E-7"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_body_is_read_exactly(http, body, data):
    response = post(http, "/v3/echo", body)

    assert response.content == b'{"data":' + data + b',"errors":null,"warnings":null}'


@pytest.mark.parametrize(
    ("address", "size", "status"),
    [
        ("/v3/small", 10, 200),
        ("/v3/small", 11, 413),
        ("/v3/echo", 1024 * 1024, 200),
        ("/v3/echo", 1024 * 1024 + 1, 413),
        ("/v3/echo", 16 * 1024 * 1024 + 1, 413),
    ],
)
def test_body_beyond_the_limit_is_refused(http, address, size, status):
    response = post(http, address, b'"' + b"a" * (size - 2) + b'"')

    assert response.status_code == status
    if status == 413:
        assert [error["code"] for error in refusals(response)] == [4130]


def test_body_that_is_shorter_than_announced_is_refused(http):
    """The caller hung up, and what has come happens to be JSON."""
    environ = {"CONTENT_LENGTH": "4", "wsgi.input": io.BytesIO(b"[1]"), "CONTENT_TYPE": "application/json"}

    response = http.generic("POST", "/v3/echo", **environ)

    assert response.status_code == 400
    assert refusals(response) == [{"code": 300004, "message": "The body ended early."}]


def post_chunked(http: Client, body: Any) -> Any:
    environ = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    environ |= {"wsgi.input_terminated": True, "wsgi.input": body, "CONTENT_TYPE": "application/json"}
    return http.generic("POST", "/v3/echo", **environ)


def test_chunked_body_is_read(http):
    response = post_chunked(http, io.BytesIO(b"[1]"))

    assert response.content == b'{"data":[1],"errors":null,"warnings":null}'


def test_chunked_body_beyond_the_limit_is_refused(http):
    response = post_chunked(http, io.BytesIO(b"1" * (17 * 1024 * 1024)))

    assert response.status_code == 413
    assert [error["code"] for error in refusals(response)] == [4130]


@pytest.mark.parametrize("failure", [ConnectionResetError, ValueError])
def test_chunked_body_that_breaks_off_is_refused(http, failure):
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise failure

    response = post_chunked(http, Broken())

    assert response.status_code == 400
    assert refusals(response) == [{"code": 300004, "message": "Invalid input."}]


def test_other_content_type_is_refused(http):
    response = post(http, "/v3/echo", "a=1", content_type="application/x-www-form-urlencoded")

    assert response.status_code == 415
    assert refusals(response) == [{"code": 4150, "message": "The body must be application/json."}]


@pytest.mark.parametrize("method", ["get", "delete", "options"])
def test_other_method_is_refused_and_told_which_is_right(http, method):
    response = getattr(http, method)("/v3/echo")

    assert (response.status_code, response["Allow"]) == (405, "POST, OPTIONS")
    assert [error["code"] for error in refusals(response)] == [4050]


@pytest.mark.parametrize("address", ["/v3", "/v3/nothing", "/targetGroups/1/nothing", "/users/1"])
@pytest.mark.parametrize("debug", [False, True])
def test_unknown_path_of_the_api_answers_in_the_envelope(http, settings, address, debug):
    settings.DEBUG = debug

    response = http.get(address)

    assert response.status_code == 404
    assert refusals(response) == [{"code": 4040, "message": "No such resource."}]


def test_unknown_path_elsewhere_answers_a_page(http):
    response = http.get("/nothing")

    assert (response.status_code, response["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize("debug", [False, True])
def test_forbidden_host_answers_in_the_envelope(http, settings, debug):
    settings.DEBUG = debug
    settings.ALLOWED_HOSTS = ["example.org"]

    response = http.get("/v3/answers/plain", HTTP_HOST="evil.example.com")

    assert response.status_code == 400
    assert refusals(response) == [{"code": 300004, "message": "Invalid input."}]
