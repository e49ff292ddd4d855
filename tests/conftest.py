"""Which tests run where; how a test calls the API."""

import base64
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import simplejson
from django.conf import settings
from django.core.management import call_command
from django.core.management.commands import flush
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from pytest_django import DjangoDbBlocker
from pytest_django.live_server_helper import LiveServer
from rest_framework.response import Response
from rest_framework.test import APIClient

from config import authentication
from config.guessing import Guesses
from config.passwords import RememberedCredentials
from config.recent_callers import recent_callers
from enrollments.operations import partition_receipts
from targets.models import Brand
from tests.database import commit_without_waiting, emptying, made_again, remember_what_migrating_made
from tests.factories import SECRET, START, ApiUserFactory, BrandFactory

A_FEW_RECEIPTS = 1_000  # so that tests come to write into the second part, and into what has none
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="also run the long tests marked soak")
    parser.addoption("--receipts-in-parts", action="store_true", help="divide the receipts before all tests")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: a long random or race run; needs the option --soak")
    # Counted later, by a thread, refusals would change the database of whatever test is running then.
    settings.REFUSED_CALLS_SECONDS = 0
    os.environ["REFUSED_CALLS_SECONDS"] = "0"  # of servers in processes of their own


def pytest_collection_finish() -> None:
    """What was imported stays: nobody need look through it for garbage again and again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    no_soak = pytest.mark.skip(reason="long: run with --soak")
    no_browser = pytest.mark.skip(reason=f"none of {', '.join(BROWSERS)} is installed")
    has_browser = any(shutil.which(browser) for browser in BROWSERS)
    for item in items:
        if "soak" in item.keywords and not config.getoption("--soak"):
            item.add_marker(no_soak)
        if "browser" in item.keywords and not has_browser:
            item.add_marker(no_browser)


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, pytestconfig: pytest.Config
) -> Iterator[None]:
    with django_db_blocker.unblock():
        commit_without_waiting()
        if pytestconfig.getoption("--receipts-in-parts"):
            list(partition_receipts(rows=A_FEW_RECEIPTS))
        remember_what_migrating_made()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", emptying)
        patch.setattr(flush, "emit_post_migrate_signal", made_again)
        yield


@pytest.fixture(scope="module")
def module_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """For what the tests of a module begin with: made once and committed; each test takes back what it does to it."""
    with django_db_blocker.unblock():
        yield
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False)


@pytest.fixture(autouse=True)
def nobody_has_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process remembers of credentials begins anew with each test."""
    monkeypatch.setattr(authentication, "guesses", Guesses())
    monkeypatch.setattr(authentication, "remembered", RememberedCredentials())
    monkeypatch.setattr(recent_callers, "_recent", {})


@pytest.fixture
def client_of() -> Callable[[str, str], APIClient]:
    """`client_of(username, password)`: a client that sends JSON and HTTP Basic, and gets 500 as an answer."""
    return new_client


def new_client(username: str, password: str) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.default_format = "json"
    client.credentials(HTTP_AUTHORIZATION=basic(username, password))
    return client


def basic(username: str, password: str) -> str:
    """The value of the header Authorization."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@pytest.fixture
def live_server(live_server: LiveServer, transactional_db: None) -> Iterator[LiveServer]:
    """The site on a real port. Its threads may outlive a test, but not the database: their sessions are ended."""
    yield live_server
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


class Site:
    """A sandbox brand with an API user: `site.post("/v3/...", body)` and so on answer (status, parsed body)."""

    def __init__(self, client: APIClient, username: str, brand: Brand) -> None:
        self.client = client
        self.username = username
        self.brand = brand

    def post(self, path: str, body: object) -> tuple[int, dict]:
        return self._answered(self.client.generic("POST", path, simplejson.dumps(body), "application/json"))

    def put(self, path: str, body: object) -> tuple[int, dict]:
        return self._answered(self.client.generic("PUT", path, simplejson.dumps(body), "application/json"))

    def get(self, path: str) -> tuple[int, dict]:
        return self._answered(self.client.get(path))

    def set_clock(self, now: str) -> None:
        assert self.put("/v3/clock", {"now": now})[0] == 200

    @staticmethod
    def _answered(response: Response) -> tuple[int, dict]:
        return response.status_code, simplejson.loads(response.content, use_decimal=True)


@pytest.fixture
def site(db: None) -> Site:
    return new_site()


@pytest.fixture
def committed_site(transactional_db: None) -> Site:
    """Each call commits: for feeds, which wait for running transactions, and for receipts as of their instant."""
    return new_site()


def new_site() -> Site:
    brand = BrandFactory(sandbox=True, clock_at=START + timedelta(days=1))
    username = ApiUserFactory(brand=brand).user.username
    return Site(new_client(username, SECRET), username, brand)
