"""`manage.py error_codes`: every code of the API as a Markdown page; docs/errors.md is its output."""

from typing import Any

from django.core.management.base import BaseCommand

from targets.errors import ErrorCode, WarningCode

HEAD = """# Error codes

Written by `manage.py error_codes` from the one table in `targets/errors.py`. Every answer of the API has the envelope
`{"data", "errors", "warnings"}`; a refusal has `data: null` and one or more errors, and has changed nothing.

When several apply, the first in this order is answered: 401, 403, 300004, 310017, 310018, 310011, then 310126 or
310119, then 310019. Milestreak answers 409 for 310126, where the published service answers 500.

## Errors

| Code | HTTP | Meaning |
|---:|---:|---|
"""
WARNINGS = """
## Warnings

They come beside the data of a success.

| Code | Meaning |
|---:|---|
"""


class Command(BaseCommand):
    help = "Print every error and warning code of the API as Markdown."

    def handle(self, *args: Any, **options: Any) -> None:
        errors = [each.value for each in ErrorCode]
        lines = [f"| {each.code} | {each.status} | {each.meaning} |\n" for each in errors]
        warnings = [f"| {code} | {meaning} |\n" for code, meaning in (each.value for each in WarningCode)]
        self.stdout.write(HEAD + "".join(lines) + WARNINGS + "".join(warnings), ending="")
