"""Who calls the API and what he may do, as one statement finds it for every call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import connection

from targets.models import ApiUser, Brand
from targets.rows import Row, columns_of


@dataclass(frozen=True)
class Authorization:
    """`permissions` are names such as "enrollments.unenroll". `scope` and `client_id` are of the token he came by;
    None where he came by a password. `api_user` has its user and its brand.
    """

    api_user: ApiUser
    permissions: Sequence[str]
    has_second_factor: bool
    scope: str | None = None
    client_id: str | None = None


# The function of migration 0023 answers whole rows: the columns are named here, so that it need not know them.
PERSON_FIELDS = ("id", "username", "password", "is_active", "is_staff", "is_superuser")
FIND_CALLER = f"""
SELECT {columns_of("person", User, PERSON_FIELDS)}, {columns_of("brand", Brand)}, {columns_of("api_user", ApiUser)},
       permissions, has_second_factor, scope, client_id
  FROM find_caller(%s, %s, %s)
"""  # noqa: S608 - names of our own columns


def find_caller(
    *, username: str | None = None, token_checksum: str | None = None, at: datetime
) -> Authorization | None:
    """The API user of that name, or whoever was given the token that has not expired at `at`. By one query.

    Whether he, his user and his brand are active is for the caller to ask.
    """
    with connection.cursor() as cursor:
        cursor.execute(FIND_CALLER, [username, token_checksum, at])
        values: Sequence[Any] = cursor.fetchone()
    row = Row(values)
    person, brand = row.take(User, PERSON_FIELDS), row.take(Brand)
    api_user = row.take(ApiUser, user=person, brand=brand)
    if api_user is None:
        return None
    return Authorization(api_user, *row)
