"""Which reading calls may be answered from a replica, a little behind (docs/scaling.md)."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.conf import settings
from django.utils import timezone
from rest_framework.request import Request

from targets import replica
from targets.api.requests import caller_of

STATEMENT_TIMEOUT = "57014"  # the primary would take as long
RECOVERY_CONFLICT = "40001"  # what was being read has been vacuumed on the primary: no fault of the replica

Handler = TypeVar("Handler", bound=Callable[..., Any])


def tolerates_lag(handler: Handler) -> Handler:
    """For the handler of a GET that only reads: it is answered from the replica, if there is one that is close behind.

    From the primary, as ever, for a caller who has changed something lately. What the replica fails to do the primary
    does; so the handler may run twice.
    """

    @wraps(handler)
    def handle(view: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        if not is_for_replica(request):
            return handler(view, request, *args, **kwargs)
        try:
            with replica.reading_replica():
                return handler(view, request, *args, **kwargs)
        except replica.FAILURES as error:
            code = getattr(error.__cause__, "pgcode", None)
            if code == STATEMENT_TIMEOUT:
                raise
            if code != RECOVERY_CONFLICT:
                replica.closeness.is_away(error)
        return handler(view, request, *args, **kwargs)

    handle.tolerates_lag = True  # type: ignore[attr-defined]  # for the test of all calls
    return cast("Handler", handle)


def is_for_replica(request: Request) -> bool:
    if replica.REPLICA not in settings.DATABASES:
        return False
    until = caller_of(request).reads_primary_until
    return (until is None or until <= timezone.now()) and replica.closeness.is_close()
