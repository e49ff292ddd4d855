"""Users, groups and brands of staff in the admin: only superusers touch them, so that nobody helps himself to more."""

import pytest
from django.contrib.auth.models import Group, Permission, User

from targets.access import ROLES, Role
from targets.models import ApiUser, StaffBrand
from tests.enrollments.admin_scene import signed_in, staff
from tests.factories import ApiUserFactory, BrandFactory

pytestmark = pytest.mark.django_db

USERS, GROUPS = "/admin/auth/user/", "/admin/auth/group/"


@pytest.fixture
def chief():
    return signed_in(staff(is_superuser=True, username="chief", brands=[]))


def powers(user):
    """All that decides what he may do."""
    found = User.objects.get(pk=user.pk)
    return (
        found.is_superuser,
        found.is_active,
        found.password,
        sorted(found.groups.values_list("name", flat=True)),
        sorted(found.user_permissions.values_list("codename", flat=True)),
        sorted(found.staff_brands.values_list("brand", flat=True)),
    )


def inline(*brands, kept=()):
    """What the form of a user sends of his brands."""
    rows = [*kept, *((None, brand) for brand in brands)]
    sent = {"staff_brands-TOTAL_FORMS": len(rows), "staff_brands-INITIAL_FORMS": len(kept)}
    for number, (row, brand) in enumerate(rows):
        sent[f"staff_brands-{number}-id"] = row.pk if row else ""
        sent[f"staff_brands-{number}-brand"] = brand.pk if brand else ""
    return sent


def of(user, **changes):
    joined = user.date_joined
    fields = {"username": user.username, "is_active": "on", "is_staff": "on"}
    return fields | {"date_joined_0": f"{joined:%Y-%m-%d}", "date_joined_1": f"{joined:%H:%M:%S}"} | changes


def test_staff_with_every_permission_cannot_give_himself_more():
    ours, other = BrandFactory(), BrandFactory()
    clerk = staff(brands=[ours])
    clerk.user_permissions.set(Permission.objects.all())
    client, group = signed_in(clerk), Group.objects.create(name="Night shift")
    before = powers(clerk)
    everything = {"is_superuser": "on", "groups": [group.pk]} | inline(other)

    statuses = [
        client.get(USERS).status_code,
        client.get(f"{USERS}{clerk.pk}/change/").status_code,
        client.post(f"{USERS}{clerk.pk}/change/", of(clerk) | everything).status_code,
        client.post(f"{USERS}{clerk.pk}/password/", {"password1": "x", "password2": "x"}).status_code,
        client.post(f"{USERS}add/", {"username": "second", "password1": "x", "password2": "x"}).status_code,
        client.post(f"{USERS}{clerk.pk}/delete/", {"post": "yes"}).status_code,
        client.post(f"{GROUPS}{group.pk}/change/", {"name": "x", "permissions": [1]}).status_code,
        client.post(f"{GROUPS}add/", {"name": "x", "permissions": [1]}).status_code,
    ]

    assert statuses == [403] * 8
    assert powers(clerk) == before
    assert (User.objects.count(), group.permissions.count()) == (1, 0)


def test_staff_with_every_permission_sees_api_users_of_his_brand_and_changes_none():
    mine, other = ApiUserFactory(), ApiUserFactory()
    clerk = staff(brands=[mine.brand])
    clerk.user_permissions.set(Permission.objects.all())
    client = signed_in(clerk)

    listed = [each.pk for each in client.get("/admin/targets/apiuser/").context["cl"].result_list]
    changed = client.post(f"/admin/targets/apiuser/{mine.pk}/change/", {})

    assert (listed, changed.status_code) == ([mine.pk], 403)
    assert list(ApiUser.objects.values_list("is_active", flat=True)) == [True, True]
    assert other.pk not in listed


def test_index_of_staff_does_not_mention_users_and_groups(chief):
    clerk = staff()
    clerk.user_permissions.set(Permission.objects.all())

    apps = [
        [each["app_label"] for each in client.get("/admin/").context["app_list"]]
        for client in (signed_in(clerk), chief)
    ]

    assert ["auth" in each for each in apps] == [False, True]


def test_superuser_gives_and_takes_brands_on_the_page_of_a_user(chief):
    one, other, clerk = BrandFactory(), BrandFactory(), staff(brands=[])

    given = chief.post(f"{USERS}{clerk.pk}/change/", of(clerk) | inline(one, other))
    after_giving = list(clerk.staff_brands.order_by("brand").values_list("brand", flat=True))
    first, second = clerk.staff_brands.order_by("brand")
    taken = chief.post(
        f"{USERS}{clerk.pk}/change/",
        of(clerk) | inline(kept=[(first, one), (second, other)]) | {"staff_brands-0-DELETE": "on"},
    )

    assert (given.status_code, taken.status_code) == (302, 302)
    assert after_giving == [one.pk, other.pk]
    assert list(clerk.staff_brands.values_list("brand", flat=True)) == [other.pk]


def test_brand_given_twice_is_refused_and_so_is_every_brand(chief):
    clerk, brand = staff(), BrandFactory()

    response = chief.post(f"{USERS}{clerk.pk}/change/", of(clerk) | inline(brand, brand))

    assert response.status_code == 200
    assert list(StaffBrand.objects.values_list("brand", flat=True)) == [None]


def test_new_user_is_made_before_he_is_given_brands(chief):
    html = chief.get(f"{USERS}add/").content.decode()

    assert "staff_brands" not in html


def test_group_of_a_role_can_be_looked_at_and_given_but_not_changed(chief):
    role, clerk = Group.objects.get(name=Role.SUPPORT), staff(brands=[])
    page = f"{GROUPS}{role.pk}/change/"

    statuses = [
        chief.get(page).status_code,
        chief.post(page, {"name": "Mine", "permissions": []}).status_code,
        chief.post(f"{GROUPS}{role.pk}/delete/", {"post": "yes"}).status_code,
        chief.post(f"{USERS}{clerk.pk}/change/", of(clerk) | {"groups": [role.pk]} | inline()).status_code,
    ]

    assert statuses == [200, 403, 403, 302]
    assert (Group.objects.get(pk=role.pk).name, role.permissions.count()) == (Role.SUPPORT, len(ROLES[Role.SUPPORT]))
    assert list(clerk.groups.all()) == [role]


def test_group_of_the_operator_can_be_changed(chief):
    own = Group.objects.create(name="Night shift")

    response = chief.post(f"{GROUPS}{own.pk}/change/", {"name": "Early shift", "permissions": []})

    assert (response.status_code, Group.objects.get(pk=own.pk).name) == (302, "Early shift")


def test_user_who_was_given_brands_can_be_deleted(chief):
    clerk = staff(brands=[BrandFactory()])

    response = chief.post(f"{USERS}{clerk.pk}/delete/", {"post": "yes"})

    assert (response.status_code, StaffBrand.objects.count(), User.objects.filter(pk=clerk.pk).count()) == (302, 0, 0)
