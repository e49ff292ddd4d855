"""Which brands a member of staff sees and touches in the admin. Every page of it asks here (docs/access.md)."""

from typing import Any

from django.db.models import Q

from targets.models import StaffBrand


def brands_of(user: Any) -> tuple[int, ...] | None:
    """The ids of his brands; None: every brand. One statement for each request, none for a superuser."""
    if user.is_superuser:
        return None
    if not hasattr(user, "_brands"):  # each request loads its user anew
        brands = set(StaffBrand.objects.filter(user=user.pk).values_list("brand_id", flat=True))
        user._brands = None if None in brands else tuple(sorted(brands))
    found: tuple[int, ...] | None = user._brands
    return found


def of_brands_of(user: Any, path: str | None) -> Q:
    """What rows are to fulfil to be his to see. `path` leads from a row to its brand; None: they are of no brand."""
    brands = brands_of(user)
    if path is None and brands is not None:
        return Q(pk__in=())
    return Q() if brands is None else Q(**{f"{path}__in": brands})
