"""Nothing is left in a session of the database between transactions: behind PgBouncer it is somebody else's then."""

import re
from pathlib import Path

import pytest
from django.conf import settings

PACKAGES = ("config", "targets", "rewards", "enrollments")
# The embedded server is never behind a pool.
PASSED_OVER = ("config/embedded_postgres/", "/migrations/")

SESSION_STATE = {
    "a lock of the session": r"pg_(try_)?advisory_(un)?lock(_shared|_all)?\b",
    "a setting of the session": r"\bSET\s+(SESSION\s+)?\w+\s*(=|TO)\s|set_config\((?!.*true\s*\))",
    "a prepared statement": r"\bPREPARE\s+\w+\s*(\(|AS\b)|\bDEALLOCATE\b",
    "listening": r"\b(UN)?LISTEN\s+\w+",
    "a cursor that outlives its transaction": r"\bWITH\s+HOLD\b|\.iterator\(|\.cursor\(\s*[\"']",
    "a temporary table that outlives its transaction": r"\bTEMP(ORARY)?\s+TABLE\b(?![\s\S]{0,400}ON\s+COMMIT\s+DROP)",
}


def found_in(text):
    # An UPDATE has a SET too.
    plain = re.sub(r"(UPDATE|update)\b[\s\S]*?\bSET\b", "", text)
    return {state for state, pattern in SESSION_STATE.items() if re.search(pattern, plain)}


def test_no_module_leaves_anything_in_a_session():
    paths = [path for package in PACKAGES for path in Path(settings.BASE_DIR, package).rglob("*.py")]
    looked_at = [path for path in paths if not any(part in str(path) for part in PASSED_OVER)]

    found = {str(path): states for path in looked_at if (states := found_in(path.read_text()))}

    assert len(looked_at) > 100
    assert found == {}


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("SELECT pg_advisory_lock(1)", "a lock of the session"),
        ("SELECT pg_try_advisory_lock_shared(1, 2)", "a lock of the session"),
        ("SET lock_timeout = 0", "a setting of the session"),
        ("SET SESSION statement_timeout TO 0", "a setting of the session"),
        ("SELECT set_config('lock_timeout', '0', false)", "a setting of the session"),
        ("PREPARE leave AS SELECT 1", "a prepared statement"),
        ("LISTEN closings", "listening"),
        ("for row in rows.iterator():", "a cursor that outlives its transaction"),
        ("connection.connection.cursor('rows')", "a cursor that outlives its transaction"),
        ("CREATE TEMPORARY TABLE leaving (id bigint)", "a temporary table that outlives its transaction"),
    ],
)
def test_session_state_is_noticed(text, state):
    assert found_in(text) == {state}


@pytest.mark.parametrize(
    "text",
    [
        "SELECT pg_advisory_xact_lock(1)",
        "SELECT pg_try_advisory_xact_lock_shared(1, 2)",
        "SET LOCAL lock_timeout = 0",
        "SELECT set_config('lock_timeout', '0', true)",
        "UPDATE enrollments_stay SET end_cycle = 1 WHERE id = 2",
        "CREATE TEMPORARY TABLE leaving (id bigint) ON COMMIT DROP",
    ],
)
def test_what_ends_with_the_transaction_is_allowed(text):
    assert found_in(text) == set()
