"""What browsers are told, what strangers cannot reach, and that no failure tells a secret."""

import logging
import re
import secrets
import sys
from pathlib import Path

import pytest
from django.conf import settings as site_settings
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path, reverse
from django.views.debug import ExceptionReporter

from config import urls
from config.headers import NO_FEATURES, HeadersMiddleware
from config.request_id import RequestIdFilter
from tests import deploy_check
from tests.conftest import basic
from tests.factories import UserFactory

# Made up at each run, so that no line of the source, which a report may show, has one.
IN_BODY, IN_VARIABLE, IN_TOKEN, IN_KEY, IN_COOKIE, IN_PASSWORD = (secrets.token_hex(8) for _ in range(6))
HEADERS = {
    "HTTP_AUTHORIZATION": basic("acme", IN_PASSWORD),
    "HTTP_X_CAP_API_OAUTH_TOKEN": IN_TOKEN,
    "HTTP_IDEMPOTENCY_KEY": IN_KEY,
    "HTTP_COOKIE": f"sessionid={IN_COOKIE}",
}


def broken(request):
    plain = str(IN_VARIABLE)
    raise RuntimeError(f"not foreseen, {len(plain)} characters")


urlpatterns = [path("v3/broken", broken), path("broken", broken), path("", include(urls))]


def told(text):
    """The secrets that stand in the text."""
    given = [IN_BODY, IN_VARIABLE, IN_TOKEN, IN_KEY, IN_COOKIE, IN_PASSWORD, HEADERS["HTTP_AUTHORIZATION"].split()[1]]
    return [each for each in [*given, site_settings.SECRET_KEY, site_settings.CREDENTIALS_KEY] if each in text]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("address", ["/v3/broken", "/broken"])
def test_unforeseen_failure_tells_no_secret_in_log_or_answer(address, caplog):
    client = Client(raise_request_exception=False)

    response = client.post(address, {"note": IN_BODY}, **HEADERS)

    line = logging.Formatter("{asctime} {levelname} {name} [{request_id}] {message}", style="{")
    logged = [record for record in caplog.records if RequestIdFilter().filter(record)]
    text = "\n".join(line.format(record) for record in logged)
    assert response.status_code == 500
    assert "RuntimeError: not foreseen" in text
    assert told(text + response.content.decode()) == []


def test_report_of_a_failure_tells_no_secret(rf):
    request = rf.post("/broken", {"note": IN_BODY}, **HEADERS)

    try:
        broken(request)
    except RuntimeError:
        reporter = ExceptionReporter(request, *sys.exc_info())

    text = reporter.get_traceback_text() + reporter.get_traceback_html()
    assert "not foreseen" in text
    assert told(text) == []


@pytest.mark.django_db
def test_answers_of_the_api_are_data_and_kept_by_no_cache(client):
    for address in ("/v3/customers/1", "/v3/nothing", "/targetGroups/1/targets/1/unEnroll"):
        response = client.get(address)

        assert response["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert (response["Cache-Control"], response["X-Content-Type-Options"]) == ("no-store", "nosniff")
        assert (response["X-Frame-Options"], response["Permissions-Policy"]) == ("DENY", NO_FEATURES)


def test_what_an_answer_says_of_caches_itself_is_left_and_no_other_answer_has_it(rf):
    answers = [HttpResponse(headers={"cache-control": "max-age=60"}), HttpResponse()]
    middleware = HeadersMiddleware(lambda request: answers.pop(0))

    told = [middleware(rf.get("/v3/schema"))["Cache-Control"] for _ in range(2)]

    assert told == ["max-age=60", "no-store"]


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/docs", "/v3/schema", "/v3/customers/1", "/targetGroups/1/targets/1/unEnroll"])
@pytest.mark.parametrize(
    ("subdomains", "preload", "told"),
    [
        (False, False, "max-age=60"),
        (True, False, "max-age=60; includeSubDomains"),
        (True, True, "max-age=60; includeSubDomains; preload"),
    ],
)
def test_calls_and_pages_need_tls_and_say_for_how_long(client, settings, address, subdomains, preload, told):
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 60
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS, settings.SECURE_HSTS_PRELOAD = subdomains, preload

    without, with_tls = client.post(address), client.get(address, secure=True)

    assert (without.status_code, without["Location"]) == (301, f"https://testserver{address}")
    assert "Strict-Transport-Security" not in without
    assert with_tls["Strict-Transport-Security"] == told


@pytest.mark.parametrize("seconds", [0, 60])
def test_refusal_of_a_host_says_so_too(client, settings, seconds):
    settings.SECURE_HSTS_SECONDS, settings.ALLOWED_HOSTS = seconds, ["loyalty.example"]

    response = client.get("/v3/schema", headers={"host": "evil.example"}, secure=True)

    assert response.status_code == 400
    assert ("Strict-Transport-Security" in response) == bool(seconds)


@pytest.mark.parametrize("address", ["/", "/docs", "/admin/login/"])
def test_pages_run_only_files_of_ours_and_are_not_framed(client, address):
    response = client.get(address)

    policy = dict(each.strip().split(" ", 1) for each in response["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert (policy["script-src"], policy["style-src"]) == ("'self'", "'self'")
    assert (policy["frame-ancestors"], policy["base-uri"], policy["form-action"]) == ("'none'", "'none'", "'self'")
    assert (response["X-Frame-Options"], response["Referrer-Policy"]) == ("DENY", "same-origin")
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response["Permissions-Policy"] == NO_FEATURES


@pytest.mark.django_db
@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_sign_in_leads_nowhere_else(client, elsewhere):
    user = UserFactory(username="sam", is_staff=True)
    user.set_password("a-Long-word-7")
    user.save()

    response = client.post("/admin/login/", {"username": "sam", "password": "a-Long-word-7", "next": elsewhere})

    assert response.status_code == 302
    assert "evil" not in response["Location"]
    assert "javascript" not in response["Location"]


def test_host_that_is_not_ours_is_refused(client, settings):
    settings.ALLOWED_HOSTS = ["loyalty.example"]

    page = client.get("/", headers={"host": "evil.example"})
    call = client.get("/v3/schema", headers={"host": "evil.example", "x-forwarded-host": "loyalty.example"})

    assert (page.status_code, call.status_code) == (400, 400)
    assert "evil" not in page.content.decode() + call.content.decode()


def test_host_that_is_no_name_leaves_no_traceback_in_the_log(client, caplog):
    response = client.get("/v3/schema", headers={"host": "a:b:c"})

    assert response.status_code == 400
    assert caplog.records == []


def test_path_of_the_admin_is_a_setting_that_links_follow(client):
    assert reverse("admin:index") == f"/{site_settings.ADMIN_PATH}/"
    assert 'href="/admin/"' in client.get("/").content.decode()
    assert deploy_check.check(ADMIN_PATH="back-office").returncode == 0


@pytest.mark.parametrize("unusable", ["v3", "docs", "Admin", "a/b", "-", "a b"])
def test_unusable_path_of_the_admin_does_not_start(unusable):
    result = deploy_check.check(ADMIN_PATH=unusable)

    assert result.returncode == 1
    assert "ImproperlyConfigured: ADMIN_PATH is one word" in result.stderr


def test_no_template_holds_scripts_or_styles_of_its_own():
    templates = [each for each in Path("templates").rglob("*") if each.is_file()]
    inline = re.compile(r"<style|<script(?![^>]*\bsrc=)|\bstyle=|\bon[a-z]+=|javascript:", re.IGNORECASE)

    assert len(templates) > 20
    assert [str(each) for each in templates if inline.search(each.read_text())] == []  # the content policy stops it
