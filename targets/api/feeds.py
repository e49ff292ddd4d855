"""Reading feeds page by page: a cursor that skips nothing (docs/architecture.md, "Feeds")."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

from targets.errors import InvalidInput
from targets.feeds import FeedHorizon
from targets.fields import QueryIntegerField, StrictSerializer, TextField

Row = TypeVar("Row", bound=Model)

CURSOR = re.compile(rb"([0-9]{1,18})\.([0-9]{1,18})")
MOST_ROWS = 1000


class FeedQuerySerializer(StrictSerializer):
    """The query of a feed."""

    after = TextField(
        required=False,
        default="",
        allow_blank=True,
        max_length=100,
        help_text="`next` of the page before; nothing: from the beginning.",
        example="",
    )
    limit = QueryIntegerField(
        required=False, default=100, min_value=1, max_value=MOST_ROWS, help_text="Rows on a page.", example=100
    )


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows of a feed, oldest first. `pagination.next` goes on behind them, also when nothing is there yet."""

    rows: list[Row]
    pagination: dict[str, Any]


def read_feed(rows: QuerySet[Row], query: Any) -> Page[Row]:
    """The page that `query` asks for, in one statement. Raises `ValidationError`, `InvalidInput`.

    Rows of transactions that may still be running, or that began after one that is, wait for the next page.
    """
    serializer = FeedQuerySerializer(data=query.dict())
    serializer.is_valid(raise_exception=True)
    after, limit = serializer.validated_data["after"], serializer.validated_data["limit"]
    finished = rows.filter(transaction_id__lt=FeedHorizon()).order_by("transaction_id", "pk")
    if after:
        transaction_id, pk = decode_cursor(after)
        # The first condition is for the index, which cannot use the second alone.
        finished = finished.filter(transaction_id__gte=transaction_id).filter(
            Q(transaction_id__gt=transaction_id) | Q(pk__gt=pk)
        )
    found = list(finished[:limit])
    last = encode_cursor(found[-1]) if found else after or None
    return Page(found, {"limit": limit, "next": last})


def encode_cursor(row: Any) -> str:
    """Opaque to clients."""
    return base64.urlsafe_b64encode(b"%d.%d" % (row.transaction_id, row.pk)).decode().rstrip("=")


def decode_cursor(text: str) -> tuple[int, int]:
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        plain = b""
    if (match := CURSOR.fullmatch(plain)) is None:
        raise InvalidInput("after: send what `pagination.next` of the page before said, unchanged.", field="after")
    return int(match[1]), int(match[2])
