"""Who changed permissions and credentials is on record: from where, how, through which door; whoever changes them."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from targets.access import keep_roles_in_step
from targets.callers import account
from targets.models import AuditEntry, Brand
from targets.operations import (
    Change,
    auditing,
    create_api_client,
    revoke_api_client,
    revoke_former_secret,
    rotate_secret,
)
from tests.factories import ApiUserFactory, BrandFactory, UserFactory
from tests.targets.test_admin_people import inline, of

pytestmark = pytest.mark.django_db

ENTRIES = "/admin/targets/auditentry/"


@pytest.fixture
def chief(client):
    client.force_login(UserFactory(username="chief", is_staff=True, is_superuser=True))
    return client


def told(**which):
    """(action, what about, what) of the entries, oldest first."""
    return [
        (each.action, f"{each.kind} {each.name}", [str(Change(**change)) for change in each.changes])
        for each in AuditEntry.objects.filter(**which).order_by("pk")
    ]


def test_page_of_the_admin_says_who_from_where_and_how(chief, settings):
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    brand = BrandFactory(name="Acme")

    response = chief.post(
        f"/admin/targets/brand/{brand.pk}/change/",
        {"name": "Acme 2", "time_zone": "Asia/Tokyo"},
        headers={"X-Forwarded-For": "203.0.113.7", "X-Request-ID": "r-7"},
    )

    assert response.status_code == 302
    entry = AuditEntry.objects.latest("pk")
    assert told(pk=entry.pk) == [
        ("CHANGED", "brand Acme 2", ["name: Acme → Acme 2", "time zone: UTC → Asia/Tokyo", "is active: yes → no"])
    ]
    assert (entry.by, entry.source, entry.credential) == ("chief", "ADMIN", "session chief")
    assert (entry.address, entry.request_id, entry.object_id) == ("203.0.113.7", "r-7", str(brand.pk))


def test_permission_given_and_taken_is_told_of_user_and_of_group(chief):
    user = UserFactory(username="sam")
    group = Group.objects.create(name="Tills")
    permission = Permission.objects.get(codename="unenroll")
    before = AuditEntry.objects.latest("pk").pk

    user.groups.add(group)
    group.permissions.add(permission)
    user.user_permissions.set([permission])
    user.user_permissions.clear()
    group.user_set.remove(user)

    given = str(permission)
    assert told(pk__gt=before) == [
        ("CHANGED", "user sam", ["groups added: Tills"]),
        ("CHANGED", "group Tills", [f"permissions added: {given}"]),
        ("CHANGED", "user sam", [f"permissions added: {given}"]),
        ("CHANGED", "user sam", [f"permissions removed: {given}"]),
        ("CHANGED", "group Tills", ["users removed: sam"]),
    ]


def test_brand_given_changed_and_taken_is_told_of_staff(chief):
    acme, clerk = BrandFactory(name="Acme"), UserFactory(username="sam", is_staff=True)
    page, before = f"/admin/auth/user/{clerk.pk}/change/", AuditEntry.objects.latest("pk").pk

    statuses = [chief.post(page, of(clerk) | inline(acme)).status_code]
    statuses.append(chief.post(page, of(clerk) | inline(kept=[(clerk.staff_brands.get(), None)])).status_code)
    kept = inline(kept=[(clerk.staff_brands.get(), None)])
    statuses.append(chief.post(page, of(clerk) | kept | {"staff_brands-0-DELETE": "on"}).status_code)

    assert statuses == [302, 302, 302]
    assert told(pk__gt=before) == [
        ("ADDED", "brand of staff sam: Acme", ["user: sam", "brand: Acme"]),
        ("CHANGED", "brand of staff sam: every brand", ["brand: Acme → every brand"]),
        ("REMOVED", "brand of staff sam: every brand", []),
    ]
    assert set(AuditEntry.objects.filter(pk__gt=before).values_list("by", "credential")) == {("chief", "session chief")}


def test_password_and_secret_are_told_by_name_only(chief):
    user = UserFactory(username="sam")
    api_user = ApiUserFactory(user=user)

    chief.post(
        f"/admin/auth/user/{user.pk}/password/",
        {"usable_password": "true", "password1": "a-Long-word-7", "password2": "a-Long-word-7"},
    )
    api_user.secret_digest = "a" * 64
    api_user.save()

    user.refresh_from_db()
    assert user.check_password("a-Long-word-7")
    assert told(kind="user", name="sam")[-1] == ("CHANGED", "user sam", ["password changed"])
    assert told(kind="API user")[-1] == ("CHANGED", f"API user {api_user}", ["secret digest changed"])
    everything = str(list(AuditEntry.objects.values()))
    assert user.password not in everything
    assert "aaaa" not in everything


def test_command_is_told_with_the_account_that_ran_it():
    call_command("create_brand", "Acme", stdout=StringIO())

    made = [(action, about) for action, about, _ in told(action="ADDED", kind__in=["brand", "user", "API user"])]
    entry = AuditEntry.objects.get(kind="brand")
    assert made == [("ADDED", "brand Acme"), ("ADDED", "user acme-api"), ("ADDED", "API user acme-api (Acme)")]
    assert (entry.by, entry.source, entry.address) == (f"account {account()}", "COMMAND", "")
    assert ("CHANGED", "user acme-api", ["groups added: Default access"]) in told()


def test_brand_that_could_not_be_made_leaves_no_entry(monkeypatch):
    keep_roles_in_step()
    before = AuditEntry.objects.count()
    monkeypatch.setattr("targets.operations.api_users.digest", lambda secret: "no digest")

    with pytest.raises(IntegrityError):
        call_command("create_brand", "Acme", stdout=StringIO())

    assert (AuditEntry.objects.count(), Brand.objects.count()) == (before, 0)


def test_sign_in_is_told_and_its_stamp_is_no_change(client):
    user = User.objects.create_user("sam", password="a-Long-word-7", is_staff=True)

    client.post("/admin/login/", {"username": "sam", "password": "a-Long-word-7"})
    client.post("/admin/login/", {"username": "sam", "password": "wrong"})

    user.refresh_from_db()
    assert user.last_login is not None
    assert told(name="sam")[1:] == [("SIGNED_IN", "user sam", []), ("SIGN_IN_FAILED", "user sam", [])]
    assert AuditEntry.objects.latest("pk").address == "127.0.0.1"


def failures():
    return AuditEntry.objects.filter(action="SIGN_IN_FAILED").order_by("pk")


@pytest.fixture
def sam(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("sam", password="a-Long-word-7", is_staff=True)


def try_to_sign_in(client, username, *, word="a-Wrong-word-7", address="192.0.2.1", **headers):
    form = {"username": username, "password": word}
    return client.post("/admin/login/", form, REMOTE_ADDR=address, headers=headers).status_code


def test_failed_sign_in_says_whom_from_where_and_is_by_nobody(client, sam):
    try_to_sign_in(client, "sam", **{"X-Request-ID": "r-7"})

    entry = AuditEntry.objects.values().latest("pk")
    del entry["id"], entry["at"]
    assert entry == {
        "by": "",
        "action": "SIGN_IN_FAILED",
        "kind": "user",
        "object_id": str(sam.pk),
        "name": "sam",
        "changes": [],
        "source": "ADMIN",
        "address": "192.0.2.1",
        "credential": "",
        "request_id": "r-7",
    }


def test_failed_sign_in_with_a_name_that_nobody_has_is_told_unless_nobody_could_have_it(client, sam):
    statuses = [try_to_sign_in(client, name) for name in ("nobody", "n" * 1000)]

    assert statuses == [200, 200]
    assert list(failures().values_list("object_id", "name")) == [("", "nobody")]


def test_tries_while_the_log_in_is_closed_are_not_told(client, sam, settings):
    answers = [try_to_sign_in(client, "sam") for _ in range(settings.AXES_FAILURE_LIMIT + 3)]
    right = try_to_sign_in(client, "sam", word="a-Long-word-7")

    assert ([*answers, right], failures().count()) == ([200] * 4 + [429] * 5, settings.AXES_FAILURE_LIMIT)


def test_flood_of_names_or_addresses_adds_a_bounded_number_of_entries_an_hour(client, sam, monkeypatch):
    monkeypatch.setattr(auditing, "MOST_FAILURES", 3)
    for number in range(5):
        try_to_sign_in(client, f"nobody-{number}")
        try_to_sign_in(client, "sam", address=f"192.0.2.{number}")
    told_of = sorted(failures().values_list("name", flat=True))
    monkeypatch.setattr(auditing, "FAILURES_WITHIN", timedelta(0))

    try_to_sign_in(client, "sam", address="192.0.2.99")

    assert told_of == ["nobody-0", "nobody-1", "nobody-2", "sam", "sam", "sam"]
    assert failures().count() == len(told_of) + 1


def test_removed_group_keeps_its_entries(chief):
    group = Group.objects.create(name="Tills")

    chief.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"})

    assert told(kind="group", name="Tills") == [
        ("ADDED", "group Tills", ["name: Tills"]),
        ("REMOVED", "group Tills", []),
    ]


def test_entries_are_found_by_who_object_day_and_request(chief):
    brand = BrandFactory(name="Acme")
    chief.post(
        f"/admin/targets/brand/{brand.pk}/change/", {"name": "B", "time_zone": "UTC"}, headers={"X-Request-ID": "r-7"}
    )
    changed = AuditEntry.objects.latest("pk")

    def shown(**query):
        return [each.pk for each in chief.get(ENTRIES, query).context["cl"].result_list]

    assert changed.pk in shown()
    assert shown(request="r-7") == [changed.pk]
    assert shown(request="r-") == []
    assert changed.pk in shown(who="chief")
    assert changed.pk not in shown(who="che")
    assert shown(q="B") == [changed.pk]
    assert shown(q=f"brand #{brand.pk}", who="chief") == [changed.pk]
    assert changed.pk in shown(day=changed.at.date().isoformat())
    assert shown(day="2020-02-30") == shown(day="2020-02-03") == []


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("by = 'w-7'", "audit_by_who"),
        ("request_id = 'r-7'", "audit_by_request"),
        ("name = 'n-7'", "audit_by_name"),
        ("kind = 'user' AND object_id = '7'", "audit_by_object"),
        ("at >= '2026-01-07' AND at < '2026-01-08'", "audit_by_time"),
    ],
)
def test_search_uses_the_index_made_for_it(condition, index):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO targets_auditentry (at, by, action, kind, object_id, name, changes, source, address,"
            " credential, request_id) SELECT timestamptz '2026-01-01' + n * interval '1 h', 'w-' || n, 'CHANGED',"
            " 'user', n, 'n-' || n, '[]', 'ADMIN', '', '', 'r-' || n FROM generate_series(1, 5000) n"
        )
        cursor.execute("ANALYZE targets_auditentry")

        cursor.execute(f"EXPLAIN SELECT * FROM targets_auditentry WHERE {condition} ORDER BY id DESC LIMIT 50")

        plan = str(cursor.fetchall())
    assert index in plan


@pytest.mark.parametrize("statement", ["UPDATE targets_auditentry SET by = ''", "DELETE FROM targets_auditentry"])
def test_entries_are_only_ever_added(statement):
    BrandFactory()

    with pytest.raises(DatabaseError) as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert refused.value.__cause__.diag.constraint_name == "targets_auditentry_append_only"


def test_client_of_oauth_made_and_revoked_is_told_without_its_secret():
    api_user = ApiUserFactory(user__username="till")
    before = AuditEntry.objects.latest("pk").pk

    made = create_api_client(username="till", brand_name=None, group_name=None)
    revoke_api_client(client_id=made.client_id)

    name = f"API client {made.client_id} (till)"
    added, removed = told(pk__gt=before)
    assert added[:2] == ("ADDED", name)
    assert {"user: till", "client secret"} <= set(added[2])
    assert removed == ("REMOVED", name, [])
    assert made.secret not in str(added)
    assert api_user.secret_digest not in str(added)


def test_rotated_secret_is_told_by_name_and_end_only():
    api_user = ApiUserFactory(user__username="till")
    before = AuditEntry.objects.latest("pk").pk

    made = rotate_secret(username="till", grace=timedelta(hours=1), at=datetime(2026, 3, 1, tzinfo=UTC))
    revoke_former_secret(username="till", at=datetime(2026, 3, 1, tzinfo=UTC))

    told_of = told(pk__gt=before)
    assert told_of == [
        (
            "CHANGED",
            f"API user {api_user}",
            ["secret digest changed", "former digest changed", "former until: none → 2026-03-01 01:00:00+00:00"],
        ),
        (
            "CHANGED",
            f"API user {api_user}",
            ["former digest changed", "former until: 2026-03-01 01:00:00+00:00 → none"],
        ),
    ]
    assert made.api_user.secret_digest not in str(told_of)
