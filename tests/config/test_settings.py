import json
import secrets
import subprocess
import sys

import pytest

from tests import deploy_check

SHOWN = """
import json
from django.conf import settings
shown = ("DATABASES", "DATABASE_ROUTERS", "MIDDLEWARE")
print(json.dumps({name: getattr(settings, name) for name in shown}))
"""
REPLICA_URL = "postgres://reader:secret@replica.example.org:5432/milestreak"


def settings_with(**changes):
    environment = deploy_check.PRODUCTION | {"DJANGO_SETTINGS_MODULE": "config.settings"} | changes
    command = [sys.executable, "-c", SHOWN]
    done = subprocess.run(command, cwd=deploy_check.ROOT, env=environment, capture_output=True, check=True)
    return json.loads(done.stdout)


def test_deploy_check_with_production_settings_and_with_weak_ones():
    assert deploy_check.problems() == []


def test_deploy_check_of_debug_in_production_fails():
    result = deploy_check.check(DEBUG="true")

    assert result.returncode == 1
    assert "security.W018" in result.stderr


def test_hosts_with_spaces_between_them_are_taken():
    result = deploy_check.check(ALLOWED_HOSTS="example.org, example.com")

    assert (result.returncode, result.stdout) == (0, "System check identified no issues (0 silenced).\n")


def test_tokens_that_would_live_too_long_stop_the_start():
    result = deploy_check.check(ACCESS_TOKEN_SECONDS="86401")

    assert result.returncode == 1
    assert result.stderr.endswith("ImproperlyConfigured: ACCESS_TOKEN_SECONDS is from 60 to 86400, not 86401.\n")


def test_one_key_for_two_purposes_stops_the_start():
    key = secrets.token_urlsafe(50)

    result = deploy_check.check(SECRET_KEY=key, CREDENTIALS_KEY=key)

    assert result.returncode == 1
    assert "SECRET_KEY and CREDENTIALS_KEY are the same" in result.stderr


def test_quota_below_zero_stops_the_start():
    result = deploy_check.check(REQUESTS_PER_MINUTE="-1")

    assert result.returncode == 1
    assert "REQUESTS_PER_MINUTE is from 0" in result.stderr


def test_keys_cannot_be_forgotten_before_a_day_is_over():
    result = deploy_check.check(IDEMPOTENCY_HOURS="23")

    assert result.returncode == 1
    assert result.stderr.rstrip().endswith("IDEMPOTENCY_HOURS is from 24 to 8784, not 23.")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("GUESSES_PER_USER", "many"),
        ("GUESSES_PER_ADDRESS", "0/minute"),
        ("LOGIN_FAILURES", "0"),
        ("SESSION_HOURS", "0"),
        ("HSTS_SECONDS", "-1"),
    ],
)
def test_limit_that_is_none_stops_the_start_and_is_named(name, text):
    result = deploy_check.check(**{name: text})

    last_line = result.stderr.strip().splitlines()[-1]
    assert result.returncode == 1
    assert last_line.startswith("django.core.exceptions.ImproperlyConfigured")
    assert name in last_line


def test_replica_is_a_second_database_with_a_router_and_is_given_up_soon():
    found, without = settings_with(REPLICA_URL=REPLICA_URL), settings_with()

    replica = found["DATABASES"]["replica"]
    assert (replica["HOST"], replica["USER"], replica["TEST"]) == (
        "replica.example.org",
        "reader",
        {"MIRROR": "default"},
    )
    assert replica["OPTIONS"] == found["DATABASES"]["default"]["OPTIONS"] | {
        "connect_timeout": 2,
        "tcp_user_timeout": 5000,
    }
    assert found["DATABASE_ROUTERS"] == ["targets.replica.Router"]
    assert found["MIDDLEWARE"] == [*without["MIDDLEWARE"], "config.recent_writes.RecentWritesMiddleware"]
    assert (list(without["DATABASES"]), without["DATABASE_ROUTERS"]) == (["default"], [])


def test_behind_a_pool_connections_begin_with_nothing_that_it_would_refuse():
    pooled, direct = settings_with(DATABASE_POOLED="true", REPLICA_URL=REPLICA_URL), settings_with()

    assert pooled["DATABASES"]["default"]["OPTIONS"] == {"connect_timeout": 10}
    assert pooled["DATABASES"]["replica"]["OPTIONS"] == {"connect_timeout": 2, "tcp_user_timeout": 5000}
    assert direct["DATABASES"]["default"]["OPTIONS"] == {
        "connect_timeout": 10,
        "options": "-c lock_timeout=5s -c statement_timeout=20s -c idle_in_transaction_session_timeout=60s",
    }


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"REPLICA_URL": "sqlite:///replica.db"}, "REPLICA_URL must name a PostgreSQL"),
        ({"REPLICA_LAG_SECONDS": "1"}, "REPLICA_LAG_SECONDS is from 2 to 300, not 1."),
    ],
)
def test_replica_that_cannot_be_read_stops_the_start(changes, sentence):
    result = deploy_check.check(**changes)

    assert result.returncode == 1
    assert sentence in result.stderr.strip().splitlines()[-1]
