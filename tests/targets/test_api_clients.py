"""`manage.py create_api_client` and `revoke_api_client`: credentials that work, are replaced, and end."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import check_password, make_password
from django.core.management import CommandError, call_command
from django.utils import timezone
from oauth2_provider.models import AccessToken
from rest_framework.test import APIClient

from targets.models import ApiClient, ApiUser
from targets.operations import create_api_client, purge_tokens
from tests.config.token_scene import FORM, TOKEN
from tests.conftest import basic
from tests.factories import ApiUserFactory, BrandFactory, UserFactory

pytestmark = pytest.mark.django_db


def run(command, *arguments):
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def create(*arguments):
    return json.loads(run("create_api_client", *arguments, "--format", "json"))


def ask(made):
    headers = {"Authorization": basic(made["clientId"], made["clientSecret"])}
    return APIClient().generic("POST", TOKEN, "grant_type=client_credentials", FORM, headers=headers)


def status_with(token, method="get", path="/v3/receipts"):
    call = getattr(APIClient(), method)
    return call(path, headers={"Authorization": f"Bearer {token}"}).status_code


def test_printed_credentials_of_a_new_user_call_the_api_as_far_as_his_group_may():
    brand = BrandFactory(name="Acme")

    made = create("acme-till", "--brand", "acme", "--group", "Read only")
    token = ask(made).json()["access_token"]

    assert made == {
        "clientId": ApiClient.objects.get().client_id,
        "clientSecret": made["clientSecret"],
        "username": "acme-till",
        "brandId": brand.pk,
        "otherClientIds": [],
    }
    assert len(made["clientSecret"]) == 32  # 192 bits
    assert status_with(token) == 200
    assert status_with(token, "post", "/v3/activities") == 403


def test_user_made_for_a_client_has_no_password(client_of):
    BrandFactory(name="Acme")

    made = create("acme-till", "--brand", "Acme", "--group", "Read only")

    user = get_user_model().objects.get()
    assert (user.has_usable_password(), user.is_staff, user.is_superuser) == (False, False, False)
    assert client_of("acme-till", made["clientSecret"]).get("/v3/receipts").status_code == 401


def test_group_is_default_access_unless_named():
    ApiUserFactory(brand__name="Acme")  # makes the group

    create("acme-till", "--brand", "Acme")

    groups = get_user_model().objects.get(username="acme-till").groups
    assert list(groups.values_list("name", flat=True)) == ["Default access"]


def test_secret_is_replaced_without_downtime(settings):
    settings.CALLER_SECONDS = 0
    user = ApiUserFactory().user
    old = create(user.username)
    old_token = ask(old).json()["access_token"]

    new = create(user.username)
    new_token = ask(new).json()["access_token"]
    meanwhile = [status_with(old_token), status_with(new_token), ask(old).status_code]
    said = run("revoke_api_client", old["clientId"])

    assert new["otherClientIds"] == [old["clientId"]]
    assert meanwhile == [200, 200, 200]
    assert (status_with(old_token), ask(old).status_code) == (401, 401)
    assert (status_with(new_token), ask(new).status_code) == (200, 200)
    brand = ApiUser.objects.get().brand
    assert said == f"Revoked a client of {user.username} (brand {brand.name}); its tokens are void from now on.\n"


def test_text_says_id_and_secret_once_and_how_to_revoke_the_older_client():
    user = ApiUserFactory().user
    old = create(user.username)

    out = run("create_api_client", user.username)

    new = ApiClient.objects.exclude(client_id=old["clientId"]).get()
    assert f"Client id      {new.client_id}\n" in out
    assert "it is not shown again" in out
    assert out.endswith(f"    manage.py revoke_api_client {old['clientId']}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "There is no API user 'nobody': name the brand to make one."),
        (["boss"], "There is no API user 'boss': name the brand to make one."),
        (["till", "--brand", "Acme"], "There is a user 'till' already: leave the brand out to make a client for him."),
        (["boss", "--brand", "Acme"], "There is a user 'boss' already: leave the brand out to make a client for him."),
        (["new", "--brand", "Acne"], "There is no brand 'Acne'."),
        (["new", "--brand", "Acme", "--group", "Gods"], "There is no group 'Gods'."),
        (["new", "--group", "Default access"], "--group is for a new user: name his --brand too."),
        (
            ["a b", "--brand", "Acme"],
            "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
        ),
        (["", "--brand", "Acme"], "This field cannot be blank."),
    ],
)
def test_unusable_arguments_are_refused_with_exit_code_2_and_make_nothing(arguments, message):
    ApiUserFactory(user__username="till", brand__name="Acme")
    UserFactory(username="boss")

    with pytest.raises(CommandError) as refused:
        create(*arguments)

    assert (str(refused.value), refused.value.returncode) == (message, 2)
    assert (get_user_model().objects.count(), ApiUser.objects.count(), ApiClient.objects.count()) == (2, 1, 0)


def test_unknown_client_cannot_be_revoked():
    made = create(ApiUserFactory().user.username)

    with pytest.raises(CommandError) as refused:
        run("revoke_api_client", "nobody")

    assert (str(refused.value), refused.value.returncode) == ("There is no API client 'nobody'.", 2)
    assert ApiClient.objects.get().client_id == made["clientId"]


def test_cleartokens_removes_what_has_expired_and_nothing_else(capsys):
    made = create(ApiUserFactory().user.username)
    old, new = [ask(made).json()["access_token"] for _ in range(2)]
    first = AccessToken.objects.earliest("pk")
    AccessToken.objects.filter(pk=first.pk).update(expires=timezone.now() - timedelta(seconds=1))

    run("cleartokens")

    assert [status_with(old), status_with(new)] == [401, 200]
    assert AccessToken.objects.filter(pk=first.pk).count() == 0
    assert ApiClient.objects.count() == 1
    assert capsys.readouterr().err == ""


def test_purging_tokens_removes_what_has_expired_by_the_batch_and_nothing_else():
    made = create(ApiUserFactory().user.username)
    *_, new = [ask(made).json()["access_token"] for _ in range(4)]
    *old, last = AccessToken.objects.order_by("pk").values_list("pk", flat=True)
    AccessToken.objects.filter(pk__in=old).update(expires=timezone.now() - timedelta(seconds=1))
    purging = purge_tokens(before=timezone.now(), at_once=2)

    first = next(purging)
    left = list(AccessToken.objects.order_by("pk").values_list("pk", flat=True))
    others = list(purging)

    assert (first, left, others) == (2, [old[2], last], [1])
    assert AccessToken.objects.get().pk == last
    assert (status_with(new), ApiClient.objects.count()) == (200, 1)


def test_secret_is_kept_as_a_digest_with_the_key(settings):
    stored = make_password("a-secret", hasher="keyed_digest")

    right, wrong = check_password("a-secret", stored), check_password("A-secret", stored)
    settings.CREDENTIALS_KEY = "another key"

    assert (right, wrong) == (True, False)
    assert not check_password("a-secret", stored)


def test_passwords_of_people_are_hashed_slowly_as_before():
    assert make_password("a-secret").startswith("pbkdf2_sha256$")


def test_secret_is_not_in_the_repr():
    made = create_api_client(username=ApiUserFactory().user.username, brand_name=None, group_name=None)

    assert made.client_id in repr(made)
    assert made.secret not in repr(made)


def test_admin_lists_clients_and_shows_no_secret(client):
    made = create(ApiUserFactory(user__username="till", brand__name="Acme").user.username)
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    row = ApiClient.objects.get()

    listed = client.get("/admin/targets/apiclient/", {"q": "till"}).content.decode()
    page = client.get(f"/admin/targets/apiclient/{row.pk}/change/").content.decode()

    secrets = (made["clientSecret"], row.client_secret, row.client_secret.partition("$")[2])
    for shown in (listed, page):
        assert (row.client_id in shown, "till" in shown, "Acme" in shown) == (True, True, True)
        assert [secret for secret in secrets if secret in shown] == []
    assert 'name="client_' not in page


@pytest.mark.parametrize("path", ["add/", "{pk}/delete/"])
def test_admin_neither_makes_nor_deletes_clients(client, path):
    create(ApiUserFactory().user.username)
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    row = ApiClient.objects.get()

    response = client.post(f"/admin/targets/apiclient/{path.format(pk=row.pk)}", {"post": "yes"})

    assert response.status_code == 403
    assert ApiClient.objects.get() == row


def test_admin_shows_clients_to_those_only_who_may_view_them(client):
    create(ApiUserFactory().user.username)
    client.force_login(UserFactory(is_staff=True))

    response = client.get("/admin/targets/apiclient/")

    assert response.status_code == 403


def test_pages_of_the_library_are_not_in_the_admin(client):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))

    paths = [f"/admin/oauth2_provider/{name}/" for name in ("application", "accesstoken", "grant", "refreshtoken")]

    assert [client.get(path).status_code for path in paths] == [404] * 4
