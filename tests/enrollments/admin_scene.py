"""The scene of the admin tests: staff, and a brand whose test clock stands on the fourth day of c1."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission, User
from django.db.models import QuerySet
from django.test import Client

from enrollments.enums import Source
from enrollments.models import Participation, Receipt
from enrollments.operations import ActivityData, enroll, record_activity
from targets.models import Brand, Customer, StaffBrand, Target
from tests.factories import START, BrandFactory, CustomerFactory, UserFactory, make_programme

ACT: dict[str, Any] = {"by": "test", "source": Source.API}
NOW = START + timedelta(days=3)
SUPPORT = (
    "enrollments.view_participation",
    "enrollments.unenroll",
    "enrollments.bulk_unenroll",
    "enrollments.view_receipt",
)
LIST = "/admin/enrollments/participation/"
UNENROL = "/admin/enrollments/participation/unenroll/"


def sandbox() -> Brand:
    return BrandFactory(sandbox=True, clock_at=NOW)


def programme(**details: Any) -> Target:
    return make_programme(**({"brand": details.pop("brand", None) or sandbox(), "target_value": 1} | details))


def enrolled(target: Target, *, achieved: bool = False, **details: Any) -> Participation:
    """A new customer in the target since its start; `achieved`: with the value of c1 reached."""
    customer: Customer = CustomerFactory(brand=target.brand, **details)
    receipt = enroll(customer=customer, target=target, at=START, **ACT)
    if achieved:
        buy(target, customer)
    return Participation.objects.get(pk=receipt.participation_id)


def buy(target: Target, customer: Customer, at: Any = START) -> None:
    number = f"{customer.pk}-{at}"
    record_activity(
        brand=target.brand, activity=ActivityData(number, "purchase", customer.customer_id, at), at=max(at, START)
    )


def staff(*permissions: str, brands: Sequence[Brand | None] = (None,), **details: Any) -> User:
    """A member of staff with these permissions, written app_label.codename, for these brands; None: for all."""
    user: User = UserFactory(is_staff=True, **details)
    StaffBrand.objects.bulk_create(StaffBrand(user=user, brand=brand) for brand in brands)
    _permit(user, permissions)
    return user


def _permit(user: User, permissions: Sequence[str]) -> None:
    """Into the table: given one by one, each put on record, they took most of the time that making staff takes."""
    wanted = {tuple(permission.split(".")) for permission in permissions}
    known = Permission.objects.values_list("content_type__app_label", "codename", "pk")
    found = {(app_label, codename): pk for app_label, codename, pk in known}
    given = User.user_permissions.through
    given.objects.bulk_create(given(user=user, permission_id=found[each]) for each in sorted(wanted))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def unenrol_page(client: Client, *participations: Participation) -> str:
    return client.get(UNENROL, {"id": [each.pk for each in participations]}).content.decode()


def seen(html: str) -> list[str]:
    """The hidden fields of the page: the enrolments, and what was shown of each."""
    return re.findall(r'name="seen" value="([^"]*)"', html)


def confirm(client: Client, html: str, *, reason: str = "Moved abroad", effective: str = "now", **details: str) -> Any:
    """Send the form of the page, as its red button does."""
    return client.post(
        UNENROL, {"seen": seen(html), "effective": effective, "reason": reason, "confirm": "Unenrol"} | details
    )


def receipts_of_admin() -> QuerySet[Receipt]:
    return Receipt.objects.filter(source=Source.ADMIN).order_by("pk")
