"""Activities as nearly all of them are sent, read without a serializer, which takes longer than recording them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from enrollments.operations import ActivityData
from targets.fields import BELOW, EARLIEST, INTEGER, LATEST, NUMBER, THREE_PLACES

FIELDS = frozenset(("eventId", "eventName", "customerId", "occurredAt", "amount", "quantity", "attributes"))
PLAIN_ID = re.compile(r"[ -~]{1,200}")
PLAIN_NAME = re.compile(r"[ -~]{1,100}")


class NotPlain(Exception):
    """What `ActivitySerializer` has to look at: whether it is wrong, and how it is to be taken."""


def plain_activity(item: Any) -> ActivityData:
    """The activity, just as `ActivitySerializer` takes it. Raises `NotPlain`, also for much that is right."""
    if not isinstance(item, Mapping) or not item.keys() <= FIELDS:
        raise NotPlain
    attributes = item.get("attributes", {})
    if not isinstance(attributes, dict):
        raise NotPlain
    return ActivityData(
        plain_text(item.get("eventId"), PLAIN_ID),
        plain_text(item.get("eventName"), PLAIN_NAME),
        plain_number(item.get("customerId")),
        plain_instant(item.get("occurredAt")),
        plain_amount(item.get("amount")),
        plain_amount(item.get("quantity")),
        attributes,
    )


def plain_text(value: Any, plain: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not plain.fullmatch(value):
        raise NotPlain
    return value


def plain_number(value: Any) -> int:
    if isinstance(value, str) and INTEGER.fullmatch(value):
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotPlain
    return value


def plain_instant(value: Any) -> datetime:
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise NotPlain from None
    if instant.utcoffset() is None or not EARLIEST <= instant <= LATEST:
        raise NotPlain
    return instant.astimezone(UTC)


def plain_amount(value: Any) -> Decimal | None:
    if value is None:
        return None
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and NUMBER.fullmatch(value)):
        raise NotPlain
    exact = Decimal(value)
    if not -BELOW < exact < BELOW:
        raise NotPlain
    rounded = exact.quantize(THREE_PLACES)
    if rounded != exact:
        raise NotPlain
    return rounded
