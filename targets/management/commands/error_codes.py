"""`manage.py error_codes`: every code of the API as a Markdown page; docs/errors.md is its output."""

from typing import Any

from django.core.management.base import BaseCommand

from targets.errors import Caution, ErrorCode, Refusal, WarningCode

HEAD = """# Error codes

Written by `manage.py error_codes` from the one table in `targets/errors.py`. Every answer of the API has the envelope
`{"data", "errors", "warnings"}`; a refusal has `data: null` and one or more errors, and has changed nothing. So has a
5xx, with one exception: of an array of activities without `Idempotency-Key` those before the failure are recorded. Send
it again: each is recorded once.

When several apply, the first in this order is answered: 401, 403, 300004, 310017, 310018, 310011, then 310126 or
310119, then 310019. Milestreak answers 409 for 310126, where the published service answers 500.

## Errors
"""
WARNINGS = """
## Warnings

They come beside the data of a success.
"""


class Command(BaseCommand):
    help = "Print every error and warning code of the API as Markdown, with cause and remedy."

    def handle(self, *args: Any, **options: Any) -> None:
        errors = [section(each.value, f"{each.value.code} (HTTP {each.value.status})") for each in ErrorCode]
        warnings = [section(each.value, str(each.value.code)) for each in WarningCode]
        self.stdout.write(f"{HEAD}{''.join(errors)}{WARNINGS}{''.join(warnings)}", ending="")


def section(entry: Refusal | Caution, title: str) -> str:
    return f"\n### {title}\n\n{entry.meaning}\n\n- **Cause**: {entry.cause}\n- **Remedy**: {entry.remedy}\n"
