"""The id of a request: made here, and told to the log. Loaded while logging is set up: no models."""

import logging
import secrets
import time
from contextvars import ContextVar

current_request_id: ContextVar[str] = ContextVar("current_request_id", default="-")


def new_request_id() -> str:
    """32 hexadecimal digits, half of them chance. They begin with the time, so that one after the other goes into the
    same pages of the index that receipts have on it; random ones would each fetch a page of their own.
    """
    return f"{time.time_ns():016x}{secrets.token_hex(8)}"


class RequestIdFilter(logging.Filter):
    """Gives each record `request_id`: that of the request being answered, or "-"."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id.get()
        return True
