"""Which reading calls may be answered from a replica, a little behind (docs/scaling.md)."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar, cast

from rest_framework.request import Request

from targets.api.requests import caller_of
from targets.replica import read_behind

Handler = TypeVar("Handler", bound=Callable[..., Any])


def tolerates_lag(handler: Handler) -> Handler:
    """For the handler of a GET that only reads; it may run twice. Who calls has been read on the primary before."""

    @wraps(handler)
    def handle(view: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        work = partial(handler, view, request, *args, **kwargs)
        return read_behind(work, reads_primary_until=caller_of(request).reads_primary_until)

    handle.tolerates_lag = True  # type: ignore[attr-defined]  # for the test of all calls
    return cast("Handler", handle)
