"""Making brands, with an API user each."""

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from rest_framework import serializers

from targets.access import Role, access_group
from targets.credentials import generate_secret, password_to_send
from targets.enums import SecretForm
from targets.errors import InvalidInput, NameTaken
from targets.fields import TextField
from targets.models import ApiUser, Brand
from targets.operations.api_users import make_api_user


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
    secret = generate_secret()
    brand = Brand(name=name, time_zone=time_zone, sandbox=sandbox, clock_at=at if sandbox else None)
    try:
        brand.clean_fields()
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages)) from None
    try:
        with transaction.atomic():
            brand.save()
            api_user = make_api_user(
                brand=brand,
                username=username,
                group=access_group(Role.DEFAULT_ACCESS),
                secret_form=secret_form,
                sent=password_to_send(secret, secret_form),
                remedy=": name another with --api-user",
            )
    except IntegrityError as error:
        if error.__cause__.diag.constraint_name != "brand_name_unique":  # type: ignore[union-attr]  # psycopg2's
            raise
        raise NameTaken(f"There is a brand {name!r} already.") from None
    return BrandMade(brand, api_user, secret)
