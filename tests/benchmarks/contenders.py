"""Who is measured over HTTP: how each is served, and what it is asked."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.test import override_settings

from targets.models import Brand
from targets.operations import create_api_client
from tests.benchmarks.crowd import Crowd
from tests.concurrency.workers import url_of_this_database
from tests.conftest import basic
from tests.factories import SECRET, ApiUserFactory
from tests.serving import Serving, serving, site

WORKERS = 2
PEERS = ("asyncpg", "sqlalchemy")
# The peers need what requirements-bench.txt pins: here, or in another environment that has Milestreak's too.
PEERS_PYTHON = os.environ.get("PEERS_PYTHON", sys.executable)
CREDENTIALS_KEY = "the-key-of-digests-in-benchmarks-only"
PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "of-no-use-to-anybody-and-long-enough-0123456789-abcdefghij",
    "CREDENTIALS_KEY": CREDENTIALS_KEY,
    "ALLOWED_HOSTS": "127.0.0.1",
    "TLS_PROXY": "true",
    "REQUESTS_PER_MINUTE": "0",
    "LOCK_TIMEOUT": "5s",
    "STATEMENT_TIMEOUT": "20s",
}


@dataclass(frozen=True)
class Contender:
    """`server` is who serves it. `call` is what follows the target's path. One that `changes` needs new customers."""

    name: str
    title: str
    server: str
    call: str = "/unEnroll"
    method: str = "POST"
    scheme: str = "Basic"
    changes: bool = True


CONTENDERS = (
    Contender("milestreak", "Milestreak, Basic", "milestreak"),
    Contender("bearer", "Milestreak, bearer", "milestreak", scheme="Bearer"),
    Contender("open", "Milestreak, without authentication", "open"),
    Contender("asyncpg", "FastAPI + hand-written asyncpg", "asyncpg"),
    Contender("sqlalchemy", "FastAPI + SQLAlchemy ORM", "sqlalchemy"),
    Contender("pgbench", "floor: pgbench, no HTTP, no authentication", "pgbench"),
    Contender("preview", "Milestreak, unEnroll/preview", "milestreak", call="/unEnroll/preview", changes=False),
    Contender(
        "read", "Milestreak, readEnrollment", "milestreak", call="/enrollments/{customer}", method="GET", changes=False
    ),
)


def has_peers() -> bool:
    """Whether what the peers need is installed."""
    command = [PEERS_PYTHON, "-c", "import asyncpg, fastapi, httptools, sqlalchemy, uvicorn, uvloop"]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


@dataclass(frozen=True)
class Credentials:
    """Of an API user of the crowd's brand, and of a client of his that is given tokens."""

    username: str
    client_id: str
    client_secret: str

    @classmethod
    def of(cls, brand: Brand) -> "Credentials":
        with override_settings(CREDENTIALS_KEY=CREDENTIALS_KEY):
            username = ApiUserFactory(brand=brand).user.username
            client = create_api_client(username=username, brand_name=None, group_name=None)
        return cls(username, client.client_id, client.secret)

    def basic(self) -> str:
        return basic(self.username, SECRET)


def command_of(server: str) -> tuple[list[str], Mapping[str, str]]:
    """How it is started, and with which environment."""
    if server in ("milestreak", "open"):
        environment = PRODUCTION | {"DATABASE_URL": url_of_this_database()}
        if server == "open":
            environment["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.everybody"
        return site(WORKERS), environment
    peer = ["-m", "uvicorn", f"tests.benchmarks.peers.{server}_service:app", "--workers", str(WORKERS)]
    arguments = ["--port", "{port}", "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    environment = {"PEER_DATABASE": url_of_this_database(), "CREDENTIALS_KEY": CREDENTIALS_KEY}
    return [PEERS_PYTHON, *peer, *arguments], environment


@contextmanager
def all_served(contenders: Sequence[Contender], logs: Path) -> Iterator[dict[str, Serving]]:
    """The web servers that the contenders need, all at a time; those that are not asked do nothing."""
    with ExitStack() as stack:
        servers = {}
        for name in dict.fromkeys(each.server for each in contenders if each.server != "pgbench"):
            command, environment = command_of(name)
            servers[name] = stack.enter_context(serving(logs / f"{name}.log", command, environment))
        yield servers


def path_of(contender: Contender, crowd: Crowd) -> str:
    return f"/v3/targetGroups/{crowd.target.target_group_id}/targets/{crowd.target.pk}{contender.call}"
