"""`python -m tests.dependency_audit`: nothing that requirements.txt pins has a known vulnerability.

Exit code 1 names each that has, and the versions that mend it. Where the audit cannot be made - no network, a service
that does not answer or does not know a package - it says so and the exit code is 0: a check must work offline too.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ANSWER_WITHIN = 5  # seconds, of each connection
LONGEST = 120  # seconds, all in all
COMMAND = [sys.executable, "-m", "pip_audit", "--requirement", "requirements.txt", "--disable-pip", "--require-hashes"]
COMMAND += ["--timeout", str(ANSWER_WITHIN), "--progress-spinner", "off", "--format", "json"]


def audit() -> tuple[int, str]:
    """(exit code, what to print)."""
    try:
        done = subprocess.run(COMMAND, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        return 0, not_audited(f"no answer within {LONGEST} s")
    if not done.stdout.strip():
        return 0, not_audited((done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1])
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
        vulnerable = [line for each in dependencies for line in vulnerabilities(each)]
    except (ValueError, LookupError, TypeError, AttributeError):
        return 1, f"pip-audit was not understood; it said:\n{done.stdout[:500]}"
    if vulnerable:
        return 1, "\n".join(["Known vulnerabilities of what requirements.txt pins:", *vulnerable])
    skipped = [each["name"] for each in dependencies if "skip_reason" in each]
    if skipped:
        return 0, not_audited(f"the service knows nothing of {len(skipped)} of {len(dependencies)} packages")
    return 0, f"No known vulnerability in {len(dependencies)} packages."


def vulnerabilities(dependency: dict[str, Any]) -> list[str]:
    return [
        f"{dependency['name']} {dependency['version']}: {each['id']}, "
        f"mended in {', '.join(each['fix_versions']) or 'no version yet'}"
        for each in dependency.get("vulns", [])
    ]


def not_audited(reason: str) -> str:
    return f"NOTICE: the dependencies were NOT audited for known vulnerabilities: {reason}."


if __name__ == "__main__":
    code, text = audit()
    print(text)
    sys.exit(code)
