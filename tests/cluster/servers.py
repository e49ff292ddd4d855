"""Real servers on loopback: PostgreSQL and its replica, PgBouncer, web nodes, HAProxy."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg2
from django.conf import settings

from tests.cluster.programs import path_of, service_account

ADDRESS = "127.0.0.1"
NAME = USER = "milestreak"
PASSWORD = secrets.token_hex(16)
TOO_LONG = 60  # seconds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def wait_until(happens: Callable[[], bool], what: str) -> float:
    """The seconds that it took."""
    began = time.monotonic()
    while not happens():
        assert time.monotonic() - began < TOO_LONG, f"{what}: not within {TOO_LONG} seconds"
        time.sleep(0.02)
    return time.monotonic() - began


def url(port: int, database: str = NAME) -> str:
    return f"postgres://{USER}:{PASSWORD}@{ADDRESS}:{port}/{database}"


class Server:
    """A process of its own group, listening on `port`; what it says is in a log."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory
        self.name = name
        self.log = directory / f"{name}.log"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(
        self, command: Sequence[str], *, as_service: bool = True, environment: dict[str, str] | None = None
    ) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=settings.BASE_DIR,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
                **(as_user() if as_service else {}),
            )
        wait_until(self.listens, f"{self.name} starts")

    def listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} has ended:\n{self.log.read_text()[-2000:]}"
        return self.is_open()

    def is_open(self) -> bool:
        try:
            socket.create_connection((ADDRESS, self.port)).close()
        except ConnectionError:
            return False
        return True

    def kill(self, with_signal: int = signal.SIGKILL) -> None:
        """The whole group; it has ended afterwards."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, with_signal)
            self.process.wait(TOO_LONG)
            wait_until(lambda: not self.is_open(), f"{self.name} ends")  # its children do a moment later

    def write(self, name: str, text: str) -> Path:
        """A file that the service's account can read, and nobody else."""
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)
        if account := service_account():
            os.chown(path, *account)
        return path


def as_user() -> dict[str, Any]:
    account = service_account()
    return {} if account is None else {"user": account[0], "group": account[1], "extra_groups": []}


class Postgres(Server):
    @property
    def data(self) -> Path:
        return self.directory / f"{self.name}-data"

    def run(self, program: str, *arguments: str) -> None:
        environment = os.environ | {"PGPASSWORD": PASSWORD}
        done = subprocess.run(
            [path_of(program), *arguments],
            capture_output=True,
            cwd=self.directory,
            env=environment,
            text=True,
            check=False,
            **as_user(),
        )
        assert done.returncode == 0, done.stderr

    def make(self) -> None:
        password = self.write("password", PASSWORD)
        access = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password}"]
        self.run("initdb", "--pgdata", str(self.data), "--encoding=UTF8", "--locale=C", *access)
        self.serve()
        self.ask(f"CREATE DATABASE {NAME}", database="postgres")

    def copy(self, primary: "Postgres") -> None:
        """Become a streaming replica of the primary, which from then on acknowledges only what is here too."""
        primary.run(
            "pg_basebackup",
            "-h",
            ADDRESS,
            "-p",
            str(primary.port),
            "-U",
            USER,
            "-D",
            str(self.data),
            "-R",
            "-c",
            "fast",
        )
        self.serve()
        primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.ask("SELECT pg_reload_conf()")
        wait_until(lambda: primary.ask("SELECT sync_state FROM pg_stat_replication") == [("sync",)], "replicating")

    def serve(self) -> None:
        options = {"listen_addresses": ADDRESS, "unix_socket_directories": "", "shared_buffers": "64MB"}
        given = [f"--{name}={value}" for name, value in options.items()]
        self.start([path_of("postgres"), "-D", str(self.data), "-p", str(self.port), *given])
        wait_until(self.answers, f"{self.name} answers")

    def answers(self) -> bool:
        try:
            return self.ask("SELECT 1", database="postgres") == [(1,)]
        except psycopg2.OperationalError:  # starting up
            return False

    def crash(self) -> None:
        """Without a word to anybody, as when the machine fails."""
        self.kill(signal.SIGQUIT)

    def promote(self) -> None:
        self.run("pg_ctl", "promote", "--wait", "--pgdata", str(self.data))

    def ask(self, statement: str, database: str = NAME) -> list[tuple[Any, ...]]:
        return ask(self.port, statement, database)


def ask(port: int, statement: str, database: str = NAME) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(url(port, database))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


class PgBouncer(Server):
    """In transaction mode. docs/scaling.md shows the same settings."""

    def configure(self, port: int) -> None:
        aim = f"host={ADDRESS} port={port} dbname={NAME}"
        web = "SET lock_timeout=5000; SET statement_timeout=20000; SET idle_in_transaction_session_timeout=60000"
        users = self.write("users.txt", f'"{USER}" "{PASSWORD}"\n')
        lines = [
            "[databases]",
            f"{NAME} = {aim} connect_query='{web}'",
            f"{NAME}_commands = {aim} connect_query='SET lock_timeout=30000'",
            "[pgbouncer]",
            f"listen_addr = {ADDRESS}",
            f"listen_port = {self.port}",
            "unix_socket_dir =",
            "auth_type = scram-sha-256",
            f"auth_file = {users}",
            "pool_mode = transaction",
            "default_pool_size = 5",  # fewer than the threads of the web nodes: sessions change hands all the time
            "server_login_retry = 1",
            "server_connect_timeout = 2",
        ]
        self.ini = self.write("pgbouncer.ini", "\n".join(lines) + "\n")

    def serve(self, postgres: Postgres) -> None:
        self.configure(postgres.port)
        self.start([path_of("pgbouncer"), str(self.ini)])

    def point_to(self, postgres: Postgres) -> None:
        self.configure(postgres.port)
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGHUP)


class WebNode(Server):
    def serve(self, environment: dict[str, str]) -> None:
        arguments = ["--config", "config/gunicorn.py", "--bind", f"{ADDRESS}:{self.port}"]
        command = [sys.executable, "-m", "gunicorn", *arguments, "config.wsgi"]
        self.start(command, as_service=False, environment=environment)


class HAProxy(Server):
    def serve(self, nodes: Sequence[WebNode]) -> None:
        lines = [
            "defaults",
            "  mode http",
            "  timeout connect 1s",
            "  timeout client 30s",
            "  timeout server 30s",
            "  retries 3",
            "  option redispatch 1",
            "  retry-on conn-failure",  # only what has not reached a node: the rest is the client's to repeat
            "frontend web",
            f"  bind {ADDRESS}:{self.port}",
            "  http-request set-header X-Forwarded-Proto https",
            "  option forwardfor",
            "  default_backend nodes",
            "backend nodes",
            "  balance roundrobin",
            "  option httpchk GET /healthz",
            "  default-server check inter 300ms fall 1 rise 1",
            *(f"  server {node.name} {ADDRESS}:{node.port}" for node in nodes),
        ]
        configuration = self.write("haproxy.cfg", "\n".join(lines) + "\n")
        self.start([path_of("haproxy"), "-db", "-f", str(configuration)])
