"""What a bulk call weighs (docs/integrating.md, "Too many requests"): declared at its handler."""

from collections.abc import Callable, Mapping
from functools import wraps
from math import ceil
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from targets import quota
from targets.api.requests import caller_of

SET_BASED = 10  # so many records, written set by set, cost about what a call costs

Handler = Callable[..., HttpResponse]


def weighs(field: str = "", *, records_per_unit: int, most: int, limit: str = "") -> Callable[[Handler], Handler]:
    """A handler that costs a unit for each `records_per_unit` records of the body, rounded up.

    They are in the array `field` of the body, or the body is the array. Where they are not in the body, its field
    `limit` says how many are wanted, `most` if it is left out. More than `most` are refused by the handler
    and weigh as much as those: one wrong call must not shut its client out for hours. Raises `Throttled` where the
    client has nothing left. The first unit was paid before the body was read (config.throttling).
    Outside whatever opens a transaction: the row of the quota would be locked until its end.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def weighed(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
            wanted = wanted_by(request.data, limit, most) if limit else records_in(request.data, field)
            records = min(wanted, most)
            units = ceil(records / records_per_unit) - 1
            if units > 0:
                # The real time: that of a sandbox stands still.
                seconds = quota.leases.spend(caller_of(request), units=units, at=timezone.now())
                if seconds:
                    raise Throttled(seconds)
            return handler(view, request, *args, **kwargs)

        return weighed

    return decorate


def records_in(body: Any, field: str) -> int:
    """As far as can be seen before it is checked: what is no array of records is refused soon."""
    records = body.get(field) if field and isinstance(body, Mapping) else body
    return len(records) if isinstance(records, list) else 1


def wanted_by(body: Any, limit: str, most: int) -> int:
    """What is no number is refused soon."""
    wanted = body.get(limit) if isinstance(body, Mapping) else None
    return wanted if isinstance(wanted, int) and wanted > 0 else most
