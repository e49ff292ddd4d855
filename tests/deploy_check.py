"""`python -m tests.deploy_check`: the deploy check is silent, and no insecure production setting starts.

Exit code 0 if both hold, else 1 and what does not.
"""

import os
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PRODUCTION = {
    "DEBUG": "false",  # the file .env of a checkout says true
    "SECRET_KEY": secrets.token_urlsafe(50),
    "CREDENTIALS_KEY": secrets.token_urlsafe(32),
    "ALLOWED_HOSTS": "example.org",
    "DATABASE_URL": "postgres://milestreak:secret@database.example.org:5432/milestreak",
}
WEAK = {
    "SECRET_KEY": ["too-short", "a" * 80, "insecure-" * 8, "insecure-" * 7, f"django-insecure-{secrets.token_hex(40)}"],
    "CREDENTIALS_KEY": ["too-short", "a" * 80, "insecure-" * 8, "insecure-" * 7],
    "ALLOWED_HOSTS": ["*", "*,example.org", "example.org, *"],
    "DATABASE_URL": ["sqlite:///milestreak.db", "nonsense"],
}
UNSET = ""  # taken like a missing variable, and beats the file .env


def check(**changes: str) -> subprocess.CompletedProcess[str]:
    """`manage.py check --deploy` with the production environment and `changes`."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "VIRTUAL_ENV") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=environment | PRODUCTION | changes,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def problems() -> list[str]:
    found = []
    good = check()
    if good.returncode != 0:
        found.append(f"A full production environment does not pass:\n{good.stdout}{good.stderr}")
    for name, values in WEAK.items():
        for value in [UNSET, *values]:
            result = check(**{name: value})
            last_line = (result.stderr.strip().splitlines() or [""])[-1]
            if result.returncode == 0 or "ImproperlyConfigured" not in last_line or name not in last_line:
                found.append(f"{name}={value[:20]!r} starts, or is refused without naming it: {last_line}")
    return found


if __name__ == "__main__":
    found = problems()
    print("\n".join(found) or "The production settings pass the deploy check, and weak ones do not start.")
    sys.exit(1 if found else 0)
