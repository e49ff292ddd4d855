from io import StringIO
from pathlib import Path

from django.core.management import call_command

from targets.errors import ErrorCode, WarningCode

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


def test_page_of_error_codes_is_what_the_code_says():
    out = StringIO()

    call_command("error_codes", stdout=out)

    assert out.getvalue() == PAGE.read_text(), "Run: manage.py error_codes > docs/errors.md"


def test_no_code_means_two_things():
    codes = [each.value.code for each in ErrorCode] + [each.value.code for each in WarningCode]

    assert len(codes) == len(set(codes))
