"""What every view asks of its request."""

from typing import Any

from rest_framework.request import Request

from targets.models import Brand


def brand_of(request: Request) -> Brand:
    """The one brand of the API user who calls."""
    # The stubs know only DRF's own tokens; ours is the API user.
    brand: Brand = request.auth.brand  # type: ignore[union-attr]  # see above
    return brand


def request_id_of(request: Request) -> str:
    """The id that config.middleware gave the request; receipts keep it."""
    return getattr(request, "request_id", "")


def validated(serializer_class: Any, data: Any) -> dict[str, Any]:
    """The input as Python values. Raises `ValidationError` with the path of each field at fault."""
    serializer = serializer_class(data=data)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values
