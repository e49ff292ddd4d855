"""What every view asks of its request."""

from functools import lru_cache
from threading import get_ident
from typing import Any

from rest_framework.request import Request

from targets.authorization import Authorization
from targets.errors import InvalidInput
from targets.models import ApiUser, Brand


def authorization_of(request: Request) -> Authorization:
    """Who calls and what he may do."""
    # The stubs know only DRF's own tokens.
    found: Authorization = request.auth  # type: ignore[assignment]  # see above
    return found


def caller_of(request: Request) -> ApiUser:
    """The API user who calls."""
    return authorization_of(request).api_user


def brand_of(request: Request) -> Brand:
    """The one brand of the API user who calls."""
    return caller_of(request).brand


def body_of(request: Request) -> Any:
    """The parsed body. Raises `InvalidInput` where none was sent, which DRF takes for an empty object."""
    body = request.data
    if request.stream is None:
        raise InvalidInput("The body is empty: send a JSON object.")
    return body


def request_id_of(request: Request) -> str:
    """The id that config.middleware gave the request; receipts keep it."""
    return getattr(request, "request_id", "")


def validated(serializer_class: Any, data: Any) -> dict[str, Any]:
    """The input as Python values. Raises `ValidationError` with the path of each field at fault."""
    values: dict[str, Any] = _validator(serializer_class, get_ident()).run_validation(data)
    return values


@lru_cache(maxsize=1024)
def _validator(serializer_class: Any, thread: int) -> Any:
    """Made once: Django REST framework copies every field for each serializer it makes. One for each thread, though
    its fields keep nothing of what they validate.
    """
    return serializer_class()
