"""Which tests run where; how a test calls the API."""

import base64
import shutil
from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="also run the long tests marked soak")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: a long random or race run; needs the option --soak")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    no_soak = pytest.mark.skip(reason="long: run with --soak")
    no_browser = pytest.mark.skip(reason=f"none of {', '.join(BROWSERS)} is installed")
    has_browser = any(shutil.which(browser) for browser in BROWSERS)
    for item in items:
        if "soak" in item.keywords and not config.getoption("--soak"):
            item.add_marker(no_soak)
        if "browser" in item.keywords and not has_browser:
            item.add_marker(no_browser)


@pytest.fixture
def client_of() -> Callable[[str, str], APIClient]:
    """`client_of(username, password)`: a client that sends JSON and HTTP Basic, and gets 500 as an answer."""

    def make(username: str, password: str) -> APIClient:
        client = APIClient(raise_request_exception=False)
        client.default_format = "json"
        client.credentials(HTTP_AUTHORIZATION=basic(username, password))
        return client

    return make


def basic(username: str, password: str) -> str:
    """The value of the header Authorization."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
