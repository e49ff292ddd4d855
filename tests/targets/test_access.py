"""Roles as code: what the groups of every installation may do, and that nothing keeps them from being so."""

from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver

from targets.access import ALL_OPERATIONS, OPERATIONS, ROLES, Role, access_group, keep_roles_in_step
from targets.models import StaffBrand
from tests.factories import BrandFactory, UserFactory

pytestmark = pytest.mark.django_db

PAGE = Path(__file__).parents[2] / "docs" / "access.md"


def granted(name):
    return {
        f"{app_label}.{codename}"
        for app_label, codename in Group.objects.get(name=name).permissions.values_list(
            "content_type__app_label", "codename"
        )
    }


def views(patterns):
    for each in patterns:
        if isinstance(each, URLPattern):
            yield getattr(each.callback, "cls", None)
        else:
            yield from views(each.url_patterns)


def asked_by_the_api():
    """The permissions that the views of the API ask for."""
    asked = (getattr(each, "required_permissions", {}) for each in views(get_resolver().url_patterns))
    return {permission for each in asked for permission in each.values()}


def test_page_of_roles_is_what_the_code_says():
    out = StringIO()

    call_command("access_page", stdout=out)

    assert out.getvalue() == PAGE.read_text(), "Run: manage.py access_page > docs/access.md"


def test_migrate_has_made_the_roles_with_just_what_they_may_do():
    assert {role: granted(role) for role in Role} == ROLES


def test_default_access_may_do_all_that_the_api_asks_for_and_nothing_else():
    assert ROLES[Role.DEFAULT_ACCESS] == asked_by_the_api()


def test_each_operation_is_what_some_role_or_nobody_but_superusers_may_do():
    of_no_role = OPERATIONS.keys() - frozenset().union(*ROLES.values())

    assert of_no_role == {"targets.change_brand"}
    assert frozenset().union(*ROLES.values()) <= ALL_OPERATIONS.keys()


def test_reader_changes_nothing():
    assert ROLES[Role.READ_ONLY] & OPERATIONS.keys() == frozenset()


def test_migrate_puts_a_changed_role_right_and_keeps_its_members():
    member = UserFactory()
    group = Group.objects.get(name=Role.SUPPORT)
    group.user_set.add(member)
    group.permissions.set(Permission.objects.filter(codename__in=["erase_customer", "view_customer"]))
    Group.objects.filter(name=Role.READ_ONLY).delete()

    call_command("migrate", verbosity=0)

    assert {role: granted(role) for role in Role} == ROLES
    assert list(Group.objects.get(name=Role.SUPPORT).user_set.all()) == [member]


def test_groups_of_the_operator_are_never_touched():
    own = Group.objects.create(name="Night shift")
    own.permissions.set(Permission.objects.filter(codename="erase_customer"))

    keep_roles_in_step()

    assert granted("Night shift") == {"targets.erase_customer"}


def test_nothing_is_written_where_the_roles_are_right():
    before = list(Group.permissions.through.objects.order_by("pk").values())

    with CaptureQueriesContext(connection) as queries:
        keep_roles_in_step()

    assert list(Group.permissions.through.objects.order_by("pk").values()) == before
    assert [each["sql"].split()[0] for each in queries] == [
        "SELECT",
        "SAVEPOINT",
        "INSERT",
        "SELECT",
        "SELECT",
        "RELEASE",
    ]


def test_before_the_permissions_are_there_the_roles_have_what_there_is():
    Permission.objects.filter(codename="cancel_leave").delete()
    Group.objects.all().delete()

    keep_roles_in_step()

    assert granted(Role.SUPPORT) == ROLES[Role.SUPPORT] - {"enrollments.cancel_leave"}


def test_role_that_was_deleted_is_made_anew_for_the_next_brand():
    Group.objects.all().delete()

    call_command("create_brand", "Ours", "--api-user", "till", stdout=StringIO())

    assert granted(Role.DEFAULT_ACCESS) == ROLES[Role.DEFAULT_ACCESS]
    assert list(access_group(Role.DEFAULT_ACCESS).user_set.values_list("username", flat=True)) == ["till"]


# The upgrade


def migration(app, name):
    return import_module(f"{app}.migrations.{name}")


def test_upgrade_renames_read_access_and_keeps_its_members():
    Group.objects.all().delete()
    reader = UserFactory()
    Group.objects.create(name="Read access").user_set.add(reader)

    migration("targets", "0019_staff_brands").name_groups(apps, None)
    keep_roles_in_step()

    assert not Group.objects.filter(name="Read access").exists()
    assert list(Group.objects.get(name=Role.READ_ONLY).user_set.all()) == [reader]
    assert granted(Role.READ_ONLY) == ROLES[Role.READ_ONLY]


def test_upgrade_sets_an_operators_group_of_the_same_name_aside():
    Group.objects.all().delete()
    own, member = Group.objects.create(name="Support"), UserFactory()
    own.user_set.add(member)
    own.permissions.set(Permission.objects.filter(codename="view_customer"))

    migration("targets", "0019_staff_brands").name_groups(apps, None)
    keep_roles_in_step()

    assert granted("Support (your own)") == {"targets.view_customer"}
    assert list(member.groups.values_list("name", flat=True)) == ["Support (your own)"]


def test_upgrade_after_going_back_finds_another_name_for_an_operators_group():
    Group.objects.all().delete()
    Group.objects.bulk_create(Group(name=name) for name in ("Support", "Support (your own)", "Support (your own 2)"))

    migration("targets", "0019_staff_brands").name_groups(apps, None)

    assert sorted(Group.objects.values_list("name", flat=True)) == [
        "Support (your own 2)",
        "Support (your own 3)",
        "Support (your own)",
    ]


def test_upgrade_gives_every_brand_to_those_who_were_staff():
    BrandFactory()
    staff, _, _ = UserFactory(is_staff=True), UserFactory(), UserFactory(is_staff=True, is_superuser=True)

    migration("targets", "0019_staff_brands").keep_what_staff_may_see(apps, None)

    assert list(StaffBrand.objects.values_list("user", "brand")) == [(staff.pk, None)]


def test_upgrade_divides_permissions_and_nobody_loses_what_he_could_do():
    Permission.objects.filter(codename__in=["cancel_leave", "bulk_unenroll", "freeze_targetgroup"]).delete()
    own, user = Group.objects.create(name="Night shift"), UserFactory()
    own.permissions.set(Permission.objects.filter(codename="unenroll"))
    user.user_permissions.set(Permission.objects.filter(codename="change_targetgroup"))

    migration("enrollments", "0014_permission_per_operation").divide_permissions(apps, None)

    assert granted("Night shift") == {"enrollments.unenroll", "enrollments.cancel_leave", "enrollments.bulk_unenroll"}
    assert user.get_user_permissions() == {
        "targets.change_targetgroup",
        "targets.freeze_targetgroup",
        "rewards.change_reward",
    }
