"""The header `Idempotency-Key`: a changing call that is sent again is carried out once (api.md 1)."""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from targets.api.requests import caller_of
from targets.errors import DomainError, InvalidInput
from targets.fields import INTEGER
from targets.operations import FirstAnswer, KeyedCall, answer_once
from targets.queries import LARGEST_ID

if TYPE_CHECKING:
    from targets.answers import Envelope

HEADER = "Idempotency-Key"
IN_META = "HTTP_IDEMPOTENCY_KEY"  # `request.headers` would name all of them anew
REPLAYED = "Idempotent-Replayed"
LONGEST_KEY = 200
KEY = re.compile(rf"[\x20-\x7e]{{1,{LONGEST_KEY}}}")

# Refusals that the operation decided. All others say that the call could not be tried, so a repeat is to be.
DECIDED = frozenset({404, 409, 410})

Handler = TypeVar("Handler", bound=Callable[..., Any])


def idempotent(handler: Handler) -> Handler:
    """For the handler of a POST or PUT that changes something: its work is done once for each key.

    With the header the handler runs inside one transaction, which also stores its answer; without it nothing is
    different. The handler answers a success and raises a refusal, with nothing changed, as operations do.
    """

    @wraps(handler)
    def handle(view: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        if IN_META not in request.META:
            return handler(view, request, *args, **kwargs)

        def work() -> FirstAnswer:
            response: Envelope
            try:
                response = handler(view, request, *args, **kwargs)
            except DomainError as refusal:
                if refusal.error.value.status not in DECIDED:
                    raise
                response = view.handle_exception(refusal)
            return FirstAnswer(response.status_code, response.text, list(customers_in(response.told)))

        answer, is_repeated = answer_once(keyed_call(request, kwargs), work)
        headers = {REPLAYED: "true"} if is_repeated else None
        return HttpResponse(answer.body, status=answer.status, content_type="application/json", headers=headers)

    handle.is_idempotent = True  # type: ignore[attr-defined]  # for the OpenAPI document, and the test of all calls
    return cast("Handler", handle)


def keyed_call(request: Request, path_ids: Mapping[str, Any]) -> KeyedCall:
    """Who asks what under which key. Raises `InvalidInput` for a key that is none, and what reading the body raises."""
    key = request.META[IN_META]
    if not KEY.fullmatch(key):
        raise InvalidInput(f"{HEADER} is 1 to {LONGEST_KEY} printable ASCII characters.", field=HEADER)
    named = {"customerId": path_ids.get("customer_id"), "body": request.data}
    return KeyedCall(
        api_user=caller_of(request),
        key_digest=keyed_digest(b"idempotency key", key.encode()),
        fingerprint=fingerprint_of(request),
        customer_ids=sorted(set(customers_in(named))),
        at=timezone.now(),
    )


def fingerprint_of(request: Request) -> str:
    """The published calls answer with and without /v3: it is the same call."""
    path = request.path_info.removeprefix("/v3")
    query = request.META.get("QUERY_STRING", "")
    # The body as it was sent: the parser has read it, within the limit of the view, and Django has kept it.
    return keyed_digest(b"request", (request.method or "").encode(), path.encode(), query.encode(), request.body)


def keyed_digest(*parts: bytes) -> str:
    """Keyed, since what a call names is easily guessed. Each part has its length before it: none runs into the next."""
    keyed = hmac.new(settings.CREDENTIALS_KEY.encode(), digestmod=hashlib.sha256)
    for part in parts:
        keyed.update(len(part).to_bytes(8, "big") + part)
    return keyed.hexdigest()


def customers_in(data: Any) -> Iterator[int]:
    """What stands beside `customerId` or `customerIds` anywhere in it, as far as a customer can have it."""
    if isinstance(data, Mapping):
        for name, value in data.items():
            if name == "customerId":
                yield from numbers_in([value])
            elif name == "customerIds" and isinstance(value, list):
                yield from numbers_in(value)
            else:
                yield from customers_in(value)
    elif isinstance(data, list | tuple):
        for each in data:
            yield from customers_in(each)


def numbers_in(values: list[Any]) -> Iterator[int]:
    for value in values:
        if (isinstance(value, int) and not isinstance(value, bool)) or (
            isinstance(value, str) and INTEGER.fullmatch(value)
        ):
            number = int(value)
            if 0 < number <= LARGEST_ID:
                yield number
