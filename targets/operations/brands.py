"""Making brands, with an API user each."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from rest_framework import serializers

from targets.access import Role, access_group
from targets.credentials import digest, generate_secret, password_to_send
from targets.enums import SecretForm
from targets.errors import InvalidInput, NameTaken
from targets.fields import TextField
from targets.models import ApiUser, Brand


def _refuse_no_text(what: str, text: str) -> None:
    try:
        TextField(max_length=200).run_validation(text)
    except serializers.ValidationError as error:
        raise InvalidInput(f"{what}: {' '.join(map(str, error.detail))}") from None


@dataclass(frozen=True)
class BrandMade:
    """`secret` is known here only; the database keeps a keyed digest."""

    brand: Brand
    api_user: ApiUser
    secret: str


def create_brand(
    *, name: str, time_zone: str, sandbox: bool, username: str, secret_form: SecretForm, at: datetime
) -> BrandMade:
    """Make a brand and an API user who may do everything the API offers. The clock of a sandbox stands at `at`.

    Raises `InvalidInput` for an unusable name, zone or user name, `NameTaken` for one in use; then nothing is made.
    """
    for what, text in (("The name of the brand", name), ("The user name", username)):
        _refuse_no_text(what, text)
    users = get_user_model()
    secret = generate_secret()
    user = users(username=username)
    user.set_unusable_password()
    brand = Brand(name=name, time_zone=time_zone, sandbox=sandbox, clock_at=at if sandbox else None)
    try:
        brand.clean_fields()
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages)) from None
    refusals = {
        "brand_name_unique": NameTaken(f"There is a brand {name!r} already."),
        "auth_user_username_key": NameTaken(f"There is a user {username!r} already: name another with --api-user."),
    }
    if Brand.objects.filter(name__iexact=name).exists():
        raise refusals["brand_name_unique"]
    if users.objects.filter(username=username).exists():
        raise refusals["auth_user_username_key"]
    try:
        with transaction.atomic():
            brand.save()
            user.save()
            user.groups.add(access_group(Role.DEFAULT_ACCESS))
            api_user = ApiUser.objects.create(
                user=user,
                brand=brand,
                secret_form=secret_form,
                secret_digest=digest(password_to_send(secret, secret_form)),
            )
    except IntegrityError as error:  # somebody took the name after we had looked
        constraint = error.__cause__.diag.constraint_name  # type: ignore[union-attr]  # psycopg2's
        if constraint not in refusals:
            raise
        raise refusals[constraint] from None
    return BrandMade(brand, api_user, secret)
