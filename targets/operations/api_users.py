"""Who may use the API of a brand, and with which secret. Every change of a credential is made here."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q

from targets.access import Role, access_group
from targets.credentials import digest, generate_secret, password_to_send
from targets.enums import SecretForm
from targets.errors import InvalidInput, NameTaken
from targets.models import ApiUser, Brand
from targets.second_factor import bars_own_password, has_second_factor

LONGEST_GRACE = timedelta(days=90)


@dataclass(frozen=True)
class SecretMade:
    """`secret` is known here only; the database keeps a keyed digest. Empty for a person with a password of his own."""

    api_user: ApiUser
    secret: str


def add_api_user(*, brand: Brand, username: str, secret_form: SecretForm) -> SecretMade:
    """Make one more API user of the brand, who may do everything the API offers.

    With `SecretForm.PASSWORD` the user is a person who exists, has a password, and keeps the permissions he has.
    Raises `InvalidInput` for an unusable user name or person, also one with a second factor, which the API does not ask
    for; `NameTaken` for a name in use. Then nothing is made.
    """
    if secret_form == SecretForm.PASSWORD:
        return SecretMade(_let_person_in(brand, username), "")
    secret = generate_secret()
    sent = password_to_send(secret, secret_form)
    api_user = make_api_user(
        brand=brand, username=username, group=access_group(Role.DEFAULT_ACCESS), secret_form=secret_form, sent=sent
    )
    return SecretMade(api_user, secret)


def make_api_user(
    *, brand: Brand, username: str, group: Group, secret_form: SecretForm, sent: str, remedy: str = ""
) -> ApiUser:
    """Make a user without a password of his own, in `group`, who calls with `sent` as his secret.

    Raises `InvalidInput` for an unusable user name; `NameTaken`, with the `remedy`, for one in use. Then nothing is
    made.
    """
    user = get_user_model()(username=username)
    user.set_unusable_password()
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        raise InvalidInput(" ".join(error.messages)) from None
    try:
        with transaction.atomic():
            user.save()
            user.groups.add(group)
            return ApiUser.objects.create(user=user, brand=brand, secret_form=secret_form, secret_digest=digest(sent))
    except IntegrityError as error:
        if error.__cause__.diag.constraint_name != "auth_user_username_key":  # type: ignore[union-attr]  # psycopg2's
            raise
        raise NameTaken(f"There is a user {username!r} already{remedy}.") from None


def _let_person_in(brand: Brand, username: str) -> ApiUser:
    person = get_user_model().objects.filter(username=username).first()
    if person is None or not person.has_usable_password():
        raise InvalidInput(f"There is no user {username!r} with a password: make one with manage.py createsuperuser.")
    if bars_own_password(person, has_one=has_second_factor(person)):
        raise InvalidInput(
            f"{username!r} signs in with a second factor, which the API does not ask for: make an API user of another "
            "name, with a secret of its own."
        )
    api_user, is_new = ApiUser.objects.get_or_create(
        user=person, defaults={"brand": brand, "secret_form": SecretForm.PASSWORD}
    )
    if not is_new:
        raise NameTaken(f"{username!r} is an API user already, of the brand {api_user.brand.name!r}.")
    return api_user


def rotate_secret(*, username: str, grace: timedelta, at: datetime) -> SecretMade:
    """Make a new secret. The former one is accepted too until `at` plus `grace`; with a grace of 0 it ends at once.

    Raises `InvalidInput` where there is no such secret, for an impossible grace, and while the secret before is still
    accepted, for that would end unannounced; without grace the rotation is done all the same. Then nothing is changed.
    """
    if not timedelta(0) <= grace <= LONGEST_GRACE:
        raise InvalidInput(f"The grace is from 0 to {LONGEST_GRACE.days} days.")
    with transaction.atomic():
        api_user = _locked(username)
        if grace and api_user.former_until is not None and at < api_user.former_until:
            raise InvalidInput(
                f"A former secret of {username!r} is accepted until {api_user.former_until:%Y-%m-%d %H:%M} UTC. Wait, "
                "or end it with --revoke; --grace 0 makes a new secret and ends all others."
            )
        secret = generate_secret()
        api_user.former_digest = api_user.secret_digest if grace else ""
        api_user.former_until = at + grace if grace else None
        api_user.secret_digest = digest(password_to_send(secret, SecretForm(api_user.secret_form)))
        api_user.save(update_fields=["secret_digest", "former_digest", "former_until"])
    return SecretMade(api_user, secret)


def revoke_former_secret(*, username: str, at: datetime) -> bool:
    """Accept the former secret no longer; whether it was accepted until now. Raises `InvalidInput` as above."""
    with transaction.atomic():
        api_user = _locked(username)
        was_accepted = api_user.former_until is not None and at < api_user.former_until
        api_user.former_digest = ""
        api_user.former_until = None
        api_user.save(update_fields=["former_digest", "former_until"])
    return was_accepted


def _locked(username: str) -> ApiUser:
    api_users = ApiUser.objects.select_for_update(of=("self",), no_key=True)
    api_user = api_users.filter(user__username=username).first()
    if api_user is None:
        raise InvalidInput(f"There is no API user {username!r}.")
    if api_user.secret_form == SecretForm.PASSWORD:
        raise InvalidInput(
            f"{username!r} sends a password of his own: it is changed with manage.py changepassword, and at once."
        )
    return api_user


def keep_on_primary(*, api_user_id: int, until: datetime) -> None:
    """Until then nothing that he reads comes from a replica. Never shortens it."""
    unless_longer = Q(reads_primary_until=None) | Q(reads_primary_until__lt=until)
    ApiUser.objects.filter(unless_longer, pk=api_user_id).update(reads_primary_until=until)
