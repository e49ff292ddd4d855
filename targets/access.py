"""Who may do what: the operations, and the roles that every installation has as groups (docs/access.md).

What stands here is the truth: each `migrate` makes the groups of the roles what this list says. Groups of other names
are the operator's.
"""

from enum import StrEnum
from typing import Any, NamedTuple

from django.apps import apps as global_apps
from django.contrib.auth.models import Group
from django.db import DEFAULT_DB_ALIAS, transaction


class Role(StrEnum):
    DEFAULT_ACCESS = "Default access"
    READ_ONLY = "Read only"
    SUPPORT = "Support"
    SUPPORT_LEAD = "Support lead"
    PROGRAMME_MANAGER = "Programme manager"


class Operation(NamedTuple):
    """What one permission lets somebody do; `api` and `admin`: where it is offered."""

    name: str
    api: bool = True
    admin: bool = True


OPERATIONS = {
    "enrollments.enroll": Operation("Enrol customers, one or many; in the admin one, again"),
    "enrollments.unenroll": Operation("Unenrol one customer"),
    "enrollments.bulk_unenroll": Operation("Unenrol one customer or many at once"),
    "enrollments.approve_bulk": Operation("Approve an unenrolment of many that somebody else has uploaded", api=False),
    "enrollments.cancel_leave": Operation("Cancel a scheduled leave"),
    "enrollments.undo_unenrolment": Operation("Undo an unenrolment, or cancel a scheduled leave, by its receipt"),
    "enrollments.bulk_undo_unenrolment": Operation("Undo the unenrolments of a batch", admin=False),
    "enrollments.record_activity": Operation("Record activity", admin=False),
    "enrollments.set_clock": Operation("Read and set the clock of a sandbox", admin=False),
    "targets.change_customer": Operation("Register customers, and change what is known of them"),
    "targets.erase_customer": Operation("Erase a customer", api=False),
    "targets.add_targetgroup": Operation("Define a programme"),
    "targets.change_targetgroup": Operation("Edit a programme", api=False),
    "rewards.change_reward": Operation("Change what a programme gives", api=False),
    "targets.freeze_targetgroup": Operation("Freeze a programme, and let it run again", api=False),
    "targets.change_brand": Operation("Change a brand: its name, its time zone, whether it is active", api=False),
}
READING = {
    "targets.view_customer": Operation("See customers"),
    "targets.view_targetgroup": Operation("See programmes"),
    "targets.view_target": Operation("See targets", api=False),
    "targets.view_cycle": Operation("See cycles", api=False),
    "targets.view_targetvalue": Operation("See the values of targets", api=False),
    "targets.view_streaklevel": Operation("See streak levels", api=False),
    "targets.view_inactivity": Operation("See when a programme was frozen", api=False),
    "targets.view_programmechange": Operation("See changes of programmes", api=False),
    "targets.view_formercycle": Operation("See cycles as they were before an edit", api=False),
    "targets.view_formervalue": Operation("See values as they were before an edit", api=False),
    "targets.view_brand": Operation("See brands", api=False),
    "rewards.view_reward": Operation("See rewards", api=False),
    "rewards.view_grant": Operation("See what was given"),
    "enrollments.view_participation": Operation("See enrolments and standings"),
    "enrollments.view_receipt": Operation("See receipts, and preview an unenrolment over the API"),
    "enrollments.view_leaveplan": Operation("See uploaded unenrolments of many", api=False),
    "enrollments.view_activity": Operation("See activities", api=False),
    "enrollments.view_activityoutcome": Operation("See what activities have counted for", api=False),
    "enrollments.view_stay": Operation("See stays", api=False),
    "enrollments.view_run": Operation("See runs of streaks", api=False),
    "enrollments.view_progress": Operation("See progress", api=False),
    "targets.view_refusedcalls": Operation("See which calls of the API were refused", api=False),
    "targets.view_apiuser": Operation("See API users", api=False),
    "targets.view_apiclient": Operation("See clients of OAuth", api=False),
}
ALL_OPERATIONS = OPERATIONS | READING

EVERYTHING_TO_READ = frozenset(READING) - {"targets.view_apiuser", "targets.view_apiclient"}
SUPPORTING = EVERYTHING_TO_READ | {
    "enrollments.unenroll",
    "enrollments.cancel_leave",
    "targets.change_customer",
}
ROLES: dict[Role, frozenset[str]] = {
    Role.DEFAULT_ACCESS: frozenset(name for name, operation in ALL_OPERATIONS.items() if operation.api),
    Role.READ_ONLY: EVERYTHING_TO_READ,
    Role.SUPPORT: SUPPORTING,
    Role.SUPPORT_LEAD: SUPPORTING
    | {
        "enrollments.enroll",
        "enrollments.bulk_unenroll",
        "enrollments.approve_bulk",
        "enrollments.undo_unenrolment",
        "targets.erase_customer",
    },
    Role.PROGRAMME_MANAGER: EVERYTHING_TO_READ
    | {
        "targets.add_targetgroup",
        "targets.change_targetgroup",
        "rewards.change_reward",
        "targets.freeze_targetgroup",
    },
}


def access_group(role: Role) -> Group:
    """The group of the role, made anew where somebody has deleted it."""
    keep_roles_in_step()
    return Group.objects.get(name=role)


def keep_roles_in_step(*, using: str = DEFAULT_DB_ALIAS, apps: Any = global_apps, **_: Any) -> None:
    """Make the groups of the roles what the code says, with just these permissions; members stay. Safe to repeat.

    Called after each `migrate`, with the models as they are then: a permission that its migration has yet to bring
    comes with it.
    """
    try:
        groups, permissions = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    except LookupError:  # migrated back to before there were any
        return
    names = {
        f"{app_label}.{codename}": pk
        for app_label, codename, pk in permissions.objects.using(using).values_list(
            "content_type__app_label", "codename", "pk"
        )
    }
    holding = groups.permissions.through
    with transaction.atomic(using=using):
        groups.objects.using(using).bulk_create([groups(name=role) for role in Role], ignore_conflicts=True)
        ids = dict(groups.objects.using(using).filter(name__in=list(Role)).values_list("name", "pk"))
        wanted = {(ids[role], names[each]) for role, granted in ROLES.items() for each in granted if each in names}
        held = {
            (group, permission): pk
            for group, permission, pk in holding.objects.using(using)
            .filter(group__in=ids.values())
            .values_list("group_id", "permission_id", "pk")
        }
        if extra := [pk for pair, pk in held.items() if pair not in wanted]:
            holding.objects.using(using).filter(pk__in=extra).delete()
        holding.objects.using(using).bulk_create(
            [holding(group_id=group, permission_id=each) for group, each in sorted(wanted - held.keys())],
            ignore_conflicts=True,  # somebody else may be at it too
        )
