"""What a brand takes for now. Only the doors (API, admin, commands) ask; operations get `at` from them."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from django.utils import timezone

from targets.errors import StaleInstant
from targets.models import Brand

Result = TypeVar("Result")


def brand_now(brand: Brand) -> datetime:
    """The instant at which the test clock of a sandbox stands; for other brands the real time."""
    return brand.clock_at or timezone.now()


def run_at_now(brand: Brand, operation: Callable[[datetime], Result]) -> Result:
    """Run `operation(at)` with the brand's now; once more with a fresh one if it was overtaken (domain.md 3).

    Raises what the operation raises; a second `StaleInstant` goes to the caller.
    """
    try:
        return operation(brand_now(brand))
    except StaleInstant:
        brand.refresh_from_db(fields=["clock_at"])
        return operation(brand_now(brand))
