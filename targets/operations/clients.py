"""OAuth clients of API users: made, and revoked; their tokens, removed once they have expired."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import Group
from django.db import transaction
from oauth2_provider.models import AccessToken

from targets.credentials import generate_secret
from targets.enums import SecretForm
from targets.errors import InvalidInput
from targets.models import ApiClient, ApiUser, Brand
from targets.operations.api_users import make_api_user

TOKENS_AT_ONCE = 1_000


@dataclass(frozen=True)
class ClientMade:
    """`secret` is known here only. `others` are the ids of the user's older clients, which still work."""

    client_id: str
    secret: str = field(repr=False)
    api_user: ApiUser
    others: list[str]


def create_api_client(*, username: str, brand_name: str | None, group_name: str | None) -> ClientMade:
    """Make an OAuth client for the API user `username`; with `brand_name` make that user first, in the group named.

    A user made so has no password: he can come by tokens only. An existing one keeps his brand and his groups, and his
    older clients stay valid. Raises `InvalidInput` for an unknown user, brand or group or an unusable name, `NameTaken`
    where a user is to be made who exists; then nothing is made.
    """
    with transaction.atomic():
        if brand_name is None:
            api_user = _existing_api_user(username)
        else:
            api_user = _new_api_user(username, brand_name, group_name)
        others = list(ApiClient.objects.filter(user=api_user.user).order_by("pk").values_list("client_id", flat=True))
        secret = generate_secret()
        client = ApiClient.objects.create(
            user=api_user.user,
            client_type=ApiClient.CLIENT_CONFIDENTIAL,
            authorization_grant_type=ApiClient.GRANT_CLIENT_CREDENTIALS,
            client_secret=secret,  # hashed when saved
        )
    return ClientMade(client.client_id, secret, api_user, others)


def revoke_api_client(*, client_id: str) -> ApiUser:
    """Delete the client with its tokens, and tell whose it was. From then on its secret and its tokens are refused.

    Raises `InvalidInput` where there is no such client.
    """
    with transaction.atomic():
        # Locked first: a token that is being issued is then either seen and deleted here, or not issued.
        client = ApiClient.objects.select_for_update(of=("self",)).filter(client_id=client_id).first()
        if client is None:
            raise InvalidInput(f"There is no API client {client_id!r}.")
        api_user = ApiUser.objects.select_related("user", "brand").get(user=client.user_id)
        client.delete()
    return api_user


def purge_tokens(*, before: datetime, at_once: int = TOKENS_AT_ONCE) -> Iterator[int]:
    """Remove tokens that expired before that instant; how many, a transaction each time.

    What is not consumed is not removed. Several may do it at once.
    """
    while True:
        with transaction.atomic():
            expired = AccessToken.objects.filter(expires__lt=before).order_by("pk").select_for_update(skip_locked=True)
            numbers = list(expired.values_list("pk", flat=True)[:at_once])
            AccessToken.objects.filter(pk__in=numbers).delete()
        if not numbers:
            return
        yield len(numbers)


def _existing_api_user(username: str) -> ApiUser:
    api_user = ApiUser.objects.select_related("user", "brand").filter(user__username=username).first()
    if api_user is None:
        raise InvalidInput(f"There is no API user {username!r}: name the brand to make one.")
    return api_user


def _new_api_user(username: str, brand_name: str, group_name: str | None) -> ApiUser:
    brand = Brand.objects.filter(name__iexact=brand_name).first()
    if brand is None:
        raise InvalidInput(f"There is no brand {brand_name!r}.")
    group = Group.objects.filter(name=group_name).first()
    if group is None:
        raise InvalidInput(f"There is no group {group_name!r}.")
    return make_api_user(
        brand=brand,
        username=username,
        group=group,
        secret_form=SecretForm.PLAIN,
        sent=generate_secret(),  # a secret that nobody knows: no password fits
        remedy=": leave the brand out to make a client for him",
    )
