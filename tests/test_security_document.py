"""Each thing that docs/security.md says is stopped has a test that exists."""

import ast
import re
from pathlib import Path

NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
DOCUMENT = Path("docs/security.md").read_text()


def names_in(path: str) -> set[str]:
    module = ast.parse(Path(path).read_text())
    return {each.name for each in module.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")}


def test_named_tests_exist():
    named = NAMED.findall(DOCUMENT)

    missing = [
        f"{path}::{name}"
        for path, name in named
        if not Path(path).exists() or (name and name not in names_in(path)) or not (name or names_in(path))
    ]

    assert missing == []


def test_every_row_names_a_test():
    rows = [line for line in DOCUMENT.splitlines() if line.startswith("| ") and not line.startswith("| Attack")]

    assert len(rows) > 10
    assert [row for row in rows if not NAMED.search(row.rsplit(" | ", 1)[-1])] == []
