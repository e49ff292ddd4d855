"""Cells that a spreadsheet shows, and never computes."""

import re

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # how a cell begins that a spreadsheet computes, or may come to
# Where the spreadsheet of another country, which separates by semicolons and heeds no quotes amid a line, would begin
# a cell of its own.
BEGINS_WITHIN = re.compile(r"(?<=[;\t\r\n])(?=[=+\-@])")


def as_text(text: str) -> str:
    """A text that somebody chose, as a cell that no spreadsheet takes for a formula, whole or divided."""
    divided = BEGINS_WITHIN.sub("'", text)
    return f"'{divided}" if text.startswith(FORMULA) else divided
