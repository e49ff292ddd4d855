"""How values of any kind are written in answers."""

from datetime import UTC, datetime
from decimal import Decimal

from targets.fields import THREE_PLACES


def instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def amount(value: Decimal | None) -> Decimal | None:
    """Three places, as a JSON number."""
    return None if value is None else value.quantize(THREE_PLACES)


def published_instant(value: datetime | None) -> str | None:
    """As published calls write it: 2024-04-11T12:25:09.000+0000."""
    return None if value is None else f"{to_milliseconds(value)}+0000"


def published_timestamp(value: datetime) -> str:
    """As the published log writes it: 2025-01-09 12:00:12.0, with as many decimals as say something; in UTC."""
    utc = value.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S}.{f'{utc.microsecond:06}'.rstrip('0') or '0'}"


def published_zulu(value: datetime | None) -> str | None:
    """As published calls write the bounds of a period: 2024-04-30T23:59:59.000Z."""
    return None if value is None else f"{to_milliseconds(value)}Z"


def to_milliseconds(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
