"""What every view asks of its request."""

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
    serializer = serializer_class(data=data)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values
