"""The access groups every installation has (api.md 2). Operators may make others in the admin."""

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ImproperlyConfigured

READING = (
    "enrollments.view_participation",
    "enrollments.view_receipt",
    "rewards.view_grant",
    "targets.view_customer",
    "targets.view_targetgroup",
)
CHANGING = (
    "enrollments.enroll",
    "enrollments.record_activity",
    "enrollments.set_clock",
    "enrollments.unenroll",
    "targets.add_customer",
    "targets.add_targetgroup",
    "targets.change_customer",
)


def ensure_default_access() -> Group:
    """The group `Default access`: every call of the API. Made, or given what it lacks; never loses anything.

    Raises `ImproperlyConfigured` before `migrate` has made the permissions.
    """
    return ensure_group("Default access", READING + CHANGING)


def ensure_read_access() -> Group:
    """The group `Read access`: every reading call of the API. Otherwise like `ensure_default_access`."""
    return ensure_group("Read access", READING)


def ensure_group(name: str, permission_names: tuple[str, ...]) -> Group:
    found = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type").filter(
            content_type__app_label__in=("enrollments", "rewards", "targets")
        )
    }
    if missing := [wanted for wanted in permission_names if wanted not in found]:
        raise ImproperlyConfigured(f"Run `manage.py migrate` first: no permission {', '.join(missing)}.")
    group, _ = Group.objects.get_or_create(name=name)
    group.permissions.add(*(found[wanted] for wanted in permission_names))
    return group
