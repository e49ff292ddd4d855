"""Who calls the API and what he may do, as one statement finds it for every call."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth.models import User

from targets.models import ApiUser, Brand
from targets.rows import Row, copy_of
from targets.statements import fetch_row


class Authorization(NamedTuple):
    """`permission` is the one that the call asks for, such as "enrollments.unenroll"; `is_granted`: he has it, by
    himself or by a group. No other was looked up. `scope`, `client_id` and `ends_at` are of the token he came by; None
    where he came by a password. `api_user` has its user and its brand.
    """

    api_user: ApiUser
    permission: str
    is_granted: bool
    has_second_factor: bool
    scope: str | None
    client_id: str | None
    ends_at: datetime | None  # of the token

    @classmethod
    def of(cls, row: Sequence[Any], permission: str) -> "Authorization":
        """Out of the `row` that the function of migration 0028 answers."""
        columns = Row(row)
        person, brand = columns.take(User, PERSON_FIELDS), columns.take(Brand, BRAND_FIELDS)
        api_user = columns.take(ApiUser, API_USER_FIELDS, user=person, brand=brand)
        is_granted, has_second_factor, scope, client_id, ends_at = columns
        return cls(api_user, permission, is_granted, has_second_factor, scope, client_id, ends_at)

    def again(self) -> "Authorization":
        """The same, with objects of its own."""
        person, brand = copy_of(self.api_user.user), copy_of(self.api_user.brand)
        return self._replace(api_user=copy_of(self.api_user, user=person, brand=brand))

    def may(self, permission: str) -> bool:
        """Raises `ValueError` for a permission that was not looked up."""
        if permission != self.permission:
            raise ValueError(f"Looked up was {self.permission!r}, not {permission!r}.")
        return self.is_granted or self.api_user.user.is_superuser


# What the function of migration 0028 answers, in its order.
PERSON_FIELDS = ("id", "username", "password", "is_active", "is_staff", "is_superuser")
BRAND_FIELDS = ("id", "name", "time_zone", "sandbox", "clock_at", "is_active")
API_USER_FIELDS = (
    "id",
    "user_id",
    "brand_id",
    "secret_form",
    "secret_digest",
    "former_digest",
    "former_until",
    "is_active",
    "requests_per_minute",
    "reads_primary_until",
)
FIND_CALLER = "SELECT * FROM find_caller(%s, %s, %s, %s, %s)"


def find_caller(
    *, username: str | None = None, token_checksum: str | None = None, permission: str, at: datetime
) -> Authorization | None:
    """The API user of that name, or whoever was given the token that has not expired at `at`; and whether he has the
    permission. By one query.

    Whether he, his user and his brand are active is for the caller to ask.
    """
    app, _, codename = permission.partition(".")
    row = fetch_row(FIND_CALLER, [username, token_checksum, at, app, codename])
    return None if row is None else Authorization.of(row, permission)
