"""What `make check` makes of the answers of pip-audit."""

import json
import subprocess

import pytest

from tests import dependency_audit
from tests.dependency_audit import audit, not_audited

SOUND = {"name": "django", "version": "5.2.19", "vulns": []}
VULNERABLE = {
    "name": "jinja2",
    "version": "3.0",
    "vulns": [
        {"id": "PYSEC-1", "fix_versions": ["3.1", "3.0.9"], "aliases": [], "description": "long"},
        {"id": "GHSA-2", "fix_versions": []},
    ],
}
UNKNOWN = {"name": "attrs", "skip_reason": "Dependency not found"}
OFFLINE = "Traceback ...\nConnectionError: Max retries exceeded\n"


@pytest.fixture
def says(monkeypatch):
    """`says(code, stdout, stderr)`: so pip-audit answers from now on."""

    def answer(code, stdout, stderr=""):
        done = subprocess.CompletedProcess(dependency_audit.COMMAND, code, stdout, stderr)
        monkeypatch.setattr(subprocess, "run", lambda command, **options: done)

    return answer


def found(*dependencies):
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_nothing_found_passes(says):
    says(0, found(SOUND, SOUND))

    assert audit() == (0, "No known vulnerability in 2 packages.")


def test_vulnerability_fails_with_its_id_and_the_versions_that_mend_it(says):
    says(1, found(SOUND, VULNERABLE, UNKNOWN))

    assert audit() == (
        1,
        "Known vulnerabilities of what requirements.txt pins:\n"
        "jinja2 3.0: PYSEC-1, mended in 3.1, 3.0.9\n"
        "jinja2 3.0: GHSA-2, mended in no version yet",
    )


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [(OFFLINE, "ConnectionError: Max retries exceeded"), ("", "pip-audit said nothing")],
)
def test_without_network_the_check_goes_on_and_says_so(says, stderr, reason):
    says(1, "", stderr)

    assert audit() == (0, not_audited(reason))


def test_service_that_does_not_answer_in_time_is_a_notice(monkeypatch):
    def too_slow(command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", too_slow)

    assert audit() == (0, not_audited("no answer within 120 s"))


def test_packages_that_the_service_does_not_know_are_not_called_sound(says):
    says(0, found(SOUND, UNKNOWN))

    assert audit() == (0, not_audited("the service knows nothing of 1 of 2 packages"))


@pytest.mark.parametrize(
    "output", ["<html>", "[]", "{}", '{"dependencies": null}', found({"vulns": [{}]}), '{"dependencies": ["x"]}']
)
def test_output_that_is_not_understood_fails(says, output):
    says(0, output)

    assert audit() == (1, f"pip-audit was not understood; it said:\n{output}")
