"""One cluster for all tests here; their order is that of the file, since the last one loses the primary."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.cluster.load import Client
from tests.cluster.programs import missing_packages, service_account
from tests.cluster.servers import ADDRESS, NAME, HAProxy, PgBouncer, Postgres, WebNode, ask, url
from tests.conftest import basic

LAG_SECONDS = 4
CUSTOMERS = range(1, 1001)
KEPT = ("PATH", "HOME", "VIRTUAL_ENV", "LANG")


@dataclass
class Cluster:
    """`writer` and `reader` are clients of the proxy, of one brand; all customers are enrolled in `target`."""

    primary: Postgres
    replica: Postgres
    pool: PgBouncer
    nodes: list[WebNode]
    proxy: HAProxy
    environment: dict[str, str]
    writer: Client
    reader: Client
    target: str

    def manage(self, *arguments: str) -> str:
        return manage(self.environment, self.pool, *arguments)

    def ask_pool(self, statement: str, database: str = NAME) -> list[tuple[Any, ...]]:
        return ask(self.pool.port, statement, database)


def manage(environment: dict[str, str], pool: PgBouncer, *arguments: str) -> str:
    """A command, through the pool as everything else."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environment | {"DATABASE_URL": url(pool.port, f"{NAME}_commands")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    if missing := missing_packages():
        pytest.exit(f"Install first, with apt-get on Debian and Ubuntu: {' '.join(missing)}", returncode=2)
    directory = Path(tempfile.mkdtemp(prefix="milestreak-cluster-"))
    if account := service_account():
        os.chown(directory, *account)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def cluster(directory: Path) -> Iterator[Cluster]:
    primary, replica = Postgres(directory, "primary"), Postgres(directory, "replica")
    pool, proxy = PgBouncer(directory, "pgbouncer"), HAProxy(directory, "haproxy")
    nodes = [WebNode(directory, "one"), WebNode(directory, "two")]
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
        "DEBUG": "false",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "CREDENTIALS_KEY": secrets.token_urlsafe(32),
        "ALLOWED_HOSTS": ADDRESS,
        "TLS_PROXY": "true",
        "TRUSTED_PROXIES": ADDRESS,
        "DATABASE_URL": url(pool.port),
        "DATABASE_POOLED": "true",
        "REPLICA_URL": url(replica.port),
        "REPLICA_LAG_SECONDS": str(LAG_SECONDS),
        "REQUESTS_PER_MINUTE": "0",
        "WEB_WORKERS": "1",
        "WEB_THREADS": "8",
    }
    try:
        primary.make()
        pool.serve(primary)
        manage(environment, pool, "migrate", "--verbosity", "0")
        replica.copy(primary)
        for node in nodes:
            node.serve(environment)
        proxy.serve(nodes)
        brand = json.loads(manage(environment, pool, "create_brand", "Cluster", "--format", "json"))
        other = manage(environment, pool, "add_api_user", "reader", "--brand", "Cluster")
        writer = Client(proxy.port, basic(brand["username"], brand["password"]))
        reader = Client(proxy.port, basic("reader", re.search(r"Password\s+(\S+)", other)[1]))
        yield Cluster(primary, replica, pool, nodes, proxy, environment, writer, reader, enrolled(writer))
    finally:
        for server in (proxy, *nodes, pool, replica, primary):
            server.kill()


def enrolled(writer: Client) -> str:
    """The path of a target in which all customers are, in its first period."""
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=1), today + timedelta(days=1), today + timedelta(days=3)]
    periods = [
        {"refCode": f"c{number}", "startDate": f"{begin}T00:00:00Z", "endDate": f"{end - timedelta(days=1)}T23:59:59Z"}
        for number, (begin, end) in enumerate(pairwise(days), 1)
    ]
    group = writer.post(
        "/v3/targetGroups",
        {
            "name": "ABC",
            "trackingType": "DEFAULT",
            "targetEvaluationType": "FIXED_CALENDAR_WINDOW",
            "timeZoneName": "UTC",
            "periods": periods,
            "targets": [
                {
                    "name": "Visits",
                    "targetEntity": "TRANSACTION",
                    "targetType": "COUNT",
                    "eventName": "purchase",
                    "defaultValues": [{"defaultValue": 2}],
                    "rewardAllocationType": "IMMEDIATE",
                    "reward": {"name": "100 points", "kind": "POINTS", "value": 100},
                }
            ],
        },
    )
    target = f"/v3/targetGroups/{group['id']}/targets/{group['targets'][0]['id']}"
    writer.post("/v3/customers/bulk", {"customers": [{"customerId": number} for number in CUSTOMERS]})
    writer.post(f"{target}/enroll/bulk", {"records": [{"customerId": number} for number in CUSTOMERS]})
    return target
