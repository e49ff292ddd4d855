"""The handler that the web server runs: it remembers paths, and leaves connections in order."""

import io

import pytest
from django.conf import settings
from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection, reset_queries
from django.test import RequestFactory, override_settings
from django.urls import path, resolve

from config import wsgi
from tests.faults import ends_connection

urlpatterns = [path("docs", lambda request: None, name="elsewhere")]


@pytest.fixture(autouse=True)
def nothing_remembered():
    wsgi.find.cache_clear()
    yield
    wsgi.find.cache_clear()


@pytest.fixture
def outside_of_transactions(transactional_db):
    """The handler ends what a request has used; so does a test of it."""
    yield
    connection.close()
    request_started.connect(reset_queries)
    request_finished.connect(close_caches)
    request_finished.connect(close_old_connections)
    request_finished.connect(reset_urlconf)


def answer(path):
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
    }
    told = []
    response = wsgi.application(environ, lambda status, headers: told.append(status))
    content = b"".join(response)
    response.close()
    return told[0], content


def resolved(path, **attributes):
    request = RequestFactory().get(path)
    vars(request).update(attributes)
    found = wsgi.application.resolve_request(request)
    match = request.resolver_match
    assert found == (match.func, match.args, match.kwargs)
    return match


@pytest.mark.parametrize(
    "path",
    [
        "/v3/targetGroups/1/targets/2/unEnroll",
        "/targetGroups/1/targets/2/enroll",
        "/v3/customers/5",
        f"/{settings.ADMIN_PATH}/enrollments/receipt/",
        "/docs",
    ],
)
def test_path_leads_where_django_finds_it_each_time(path):
    expected = resolve(path)

    first, second = resolved(path), resolved(path)

    assert (first.func, first.args, first.kwargs, first.view_name) == (
        expected.func,
        expected.args,
        expected.kwargs,
        expected.view_name,
    )
    assert second is first


def test_each_path_has_what_it_names():
    one, other = (resolved(f"/v3/targetGroups/1/targets/{target}/unEnroll") for target in (2, 3))

    assert (one.kwargs["target_id"], other.kwargs["target_id"]) == ("2", "3")


def test_as_many_paths_are_remembered_as_there_is_room_for():
    for number in range(wsgi.PATHS + 10):
        resolved(f"/v3/customers/{number}")

    assert wsgi.find.cache_info().currsize == wsgi.PATHS


def test_path_that_leads_nowhere_is_answered_so_each_time_and_not_remembered(outside_of_transactions):
    answers = [answer("/v3/nowhere") for _ in range(2)]

    assert [status for status, _ in answers] == ["404 Not Found"] * 2
    assert wsgi.find.cache_info().currsize == 0


def test_other_url_configurations_are_not_mixed_up():
    resolved("/docs")

    own = resolved("/docs", urlconf=__name__)
    with override_settings(ROOT_URLCONF=__name__):
        replaced = resolved("/docs")

    assert [own.view_name, replaced.view_name, resolved("/docs").view_name] == ["elsewhere", "elsewhere", "docs"]


def test_nothing_needs_to_be_closed_of_the_caches():
    assert settings.CACHES == {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


def test_connection_that_ended_between_two_requests_is_replaced(outside_of_transactions):
    connection.close()
    assert answer("/readyz") == ("200 OK", b'{"status": "ok"}')
    kept = connection.connection
    assert kept is not None

    ends_connection(kept.info.backend_pid)

    assert answer("/readyz") == ("200 OK", b'{"status": "ok"}')
    assert connection.connection is not kept


def test_connection_that_has_become_too_old_since_the_last_request_is_replaced(outside_of_transactions):
    connection.close()
    assert answer("/readyz")[0] == "200 OK"
    kept = connection.connection
    assert kept is not None

    connection.close_at = 0

    assert answer("/readyz")[0] == "200 OK"
    assert kept.closed


@pytest.mark.parametrize(
    ("ages", "expected"), [([60], True), ([None, 1], True), ([0], False), ([60, 0], False), ([-1], False)]
)
def test_connections_are_closed_after_each_request_only_where_the_settings_say_so(ages, expected):
    databases = {str(number): {"CONN_MAX_AGE": age} for number, age in enumerate(ages)}

    assert wsgi.outlive_requests(databases) is expected


def test_connection_is_kept_for_the_next_request(outside_of_transactions):
    connection.close()
    assert answer("/readyz")[0] == "200 OK"
    kept = connection.connection

    assert answer("/readyz")[0] == "200 OK"
    assert connection.connection is kept
