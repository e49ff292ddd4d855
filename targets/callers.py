"""Who is calling: from where, through which door and with which credential.

config.middleware says which request is being answered; whatever writes history asks `current_caller`, so that nobody
hands these four words through every operation.
"""

from contextvars import ContextVar
from functools import cache
from getpass import getuser
from typing import NamedTuple

from django.http import HttpRequest

from targets.addresses import client_address
from targets.enums import Source
from targets.second_factor import has_passed

CREDENTIAL_LENGTH = 170  # with the detail: 220

current_request: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)


class Caller(NamedTuple):
    """`credential` is what proved who it is, never the secret.

    "basic acme-api", "bearer acme-api, client q3ZkX0bV8yT1mL5n", "session sam", "session sam, second factor",
    "account root".
    """

    by: str
    source: Source
    credential: str
    address: str = ""
    request_id: str = ""


def current_caller() -> Caller:
    """Whoever sent the request being answered in this thread; without one, the account that runs the command."""
    request = current_request.get()
    if request is None:
        return Caller(by=f"account {account()}", source=Source.COMMAND, credential=f"account {account()}")
    user = getattr(request, "user", None)
    name = user.get_username() if user is not None else ""
    is_api = hasattr(request, "auth")  # Django REST framework leaves there what it has authenticated
    return Caller(
        by=name,
        source=Source.API if is_api else Source.ADMIN,
        credential=f"{_way(request, is_api)} {name}".strip()[:CREDENTIAL_LENGTH] + _detail(request, is_api),
        address=client_address(request),
        request_id=getattr(request, "request_id", ""),
    )


def _way(request: HttpRequest, is_api: bool) -> str:
    if not is_api:
        return "session"
    scheme = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[0]
    return "basic" if scheme.lower() == "basic" else "bearer"


def _detail(request: HttpRequest, is_api: bool) -> str:
    if not is_api:
        return ", second factor" if has_passed(request) else ""
    client = getattr(getattr(request, "auth", None), "client_id", None)  # none where nobody was let in
    return "" if client is None else f", client {client}"


@cache
def account() -> str:
    """The operating system's account; a container may know no name for it."""
    try:
        return getuser()
    except (KeyError, OSError):
        return "unknown"
