"""A page of the system's Chromium, with a server of its own behind it."""

import shutil
from collections.abc import Iterator

import pytest
from django.db import connections
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.conftest import BROWSERS

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def browser(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """Started after the database of the test and stopped before it: only meanwhile an event loop runs here."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the loop is playwright's, the queries are the test's
    executable = next(path for browser in BROWSERS if (path := shutil.which(browser)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()
        connections.close_all()  # those opened within the loop: Django keeps them apart from the thread's own


@pytest.fixture
def page(browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    """A page that fails the test when it fetches from elsewhere, or when its scripts fail."""
    troubles: list[str] = []
    context = browser.new_context(base_url=live_server.url)
    page = context.new_page()
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith(live_server.url) else troubles.append(request.url),
    )
    yield page
    context.close()
    assert troubles == []
