"""Cells that a spreadsheet shows, and never computes."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet computes, or may come to


def as_text(text: str) -> str:
    """A text that somebody chose, as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
