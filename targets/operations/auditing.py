"""Writing down who changed permissions and credentials, in the transaction of the change.

Django tells of each row that is saved, so no page and no command can forget it: `watch` says of which models.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.utils import timezone

from targets.callers import Caller, current_caller
from targets.enums import AuditAction
from targets.models import AuditEntry
from targets.operations.history import Change

SECRETS = frozenset(
    {"password", "secret_digest", "former_digest", "client_secret", "key"}
)  # that they were changed is told, never from what to what
NOT_TOLD = frozenset({"id", "last_login", "date_joined", "created_at", "updated_at", "clock_at"}) | {
    "last_used_at",  # what a second factor remembers of each code
    "last_t",
    "drift",
    "throttling_failure_timestamp",
    "throttling_failure_count",
}
LINKS_CHANGED = {"post_add": "added", "post_remove": "removed", "pre_clear": "removed"}
NAME_LENGTH = 250

# Failed sign-ins written down about one user, and about all names that nobody has. django-axes stops whoever tries from
# one address; this keeps the table small though somebody has many addresses, or makes up a name for each try.
MOST_FAILURES = 50
FAILURES_WITHIN = timedelta(hours=1)


def record(action: AuditAction, about: Model, changes: Sequence[Change] = ()) -> None:
    """Write down what was done to `about`, by whoever is calling, through the door he came by."""
    _record_about(
        action,
        current_caller(),
        kind=str(about._meta.verbose_name),
        number=str(about.pk),
        name=str(about),
        told=changes,
    )


def record_export(name: str, *, rows: int, query: str) -> None:
    """Write down that whoever is calling took a list along: how many rows of it, and which he had asked for."""
    told = [Change("rows", after=str(rows)), Change("search and filters", after=query)]
    _record_about(AuditAction.EXPORTED, current_caller(), kind="list", number="", name=name, told=told)


def _record_about(
    action: AuditAction, caller: Caller, *, kind: str, number: str, name: str, told: Sequence[Change] = ()
) -> None:
    AuditEntry.objects.create(
        **caller._asdict(),
        action=action,
        kind=kind,
        object_id=number,
        name=name[:NAME_LENGTH],
        changes=[asdict(change) for change in told],
    )


def watch(*models: type[Model]) -> None:
    """From now on each row of `models` that is added, changed or removed, and each of its links, is written down."""
    for model in models:
        name = model._meta.label
        pre_save.connect(_remember, sender=model, dispatch_uid=f"audit {name} pre_save")
        post_save.connect(_record_saved, sender=model, dispatch_uid=f"audit {name} post_save")
        post_delete.connect(_record_removed, sender=model, dispatch_uid=f"audit {name} post_delete")
        for field in model._meta.local_many_to_many:
            through = field.remote_field.through
            m2m_changed.connect(_record_links, sender=through, dispatch_uid=f"audit {name}.{field.name}")


def watch_sign_ins() -> None:
    user_logged_in.connect(_record_sign_in, dispatch_uid="audit sign-ins")
    user_login_failed.connect(_record_failed_sign_in, dispatch_uid="audit failed sign-ins")


def differences(before: Model | None, after: Model) -> list[Change]:
    """What of `after` is new, in words; a secret by its name only."""
    changes = []
    for field in after._meta.concrete_fields:
        if field.name in NOT_TOLD:
            continue
        old, new = getattr(before, field.attname, None), getattr(after, field.attname)
        what = str(field.verbose_name)
        if old == new or (before is None and new in ("", None)):
            continue
        if field.name in SECRETS:
            changes.append(Change(what if before is None else f"{what} changed"))
        else:
            changes.append(Change(what, None if before is None else _text(before, field), _text(after, field)))
    return changes


def _text(row: Model, field: Any) -> str:
    """As the admin shows it."""
    value = getattr(row, f"get_{field.name}_display", lambda: getattr(row, field.name))()
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _remember(sender: type[Model], instance: Any, raw: bool, **kwargs: Any) -> None:
    """What the row was, for `_record_saved`. Nothing is asked for the stamp of a sign-in."""
    is_told = not raw and set(kwargs.get("update_fields") or ["all"]) - NOT_TOLD
    instance._audited = is_told
    instance._before = sender._base_manager.filter(pk=instance.pk).first() if is_told and instance.pk else None


def _record_saved(sender: type[Model], instance: Any, created: bool, **kwargs: Any) -> None:
    if not instance._audited:
        return
    changes = differences(None if created else instance._before, instance)
    if changes:
        record(AuditAction.ADDED if created else AuditAction.CHANGED, instance, changes)


def _record_removed(sender: type[Model], instance: Model, **kwargs: Any) -> None:
    record(AuditAction.REMOVED, instance)


def _record_links(
    sender: type[Model], instance: Model, action: str, reverse: bool, model: type[Model], pk_set: Any, **kwargs: Any
) -> None:
    """A permission given or taken, a member of a group; told of the side from which it was done."""
    verb = LINKS_CHANGED.get(action)
    if verb is None:
        return
    field = _link(instance, sender)
    if pk_set is None:  # all of them, about to be cleared
        pk_set = set(getattr(instance, field).values_list("pk", flat=True))
    names = ", ".join(sorted(str(each) for each in model._base_manager.filter(pk__in=pk_set)))
    if names:
        what = model._meta.verbose_name_plural
        record(AuditAction.CHANGED, instance, [Change(f"{what} {verb}", None, names)])


def _link(instance: Model, through: type[Model]) -> str:
    """The name of the attribute of `instance` that holds its links in the table `through`."""
    for field in instance._meta.many_to_many:
        if field.remote_field.through is through:
            return field.name
    for relation in instance._meta.related_objects:
        if getattr(relation, "through", None) is through:
            return str(relation.get_accessor_name())
    raise LookupError(f"{instance._meta.label} has no links in {through._meta.label}.")


def _record_sign_in(sender: type[Model], user: Any, **kwargs: Any) -> None:
    record(AuditAction.SIGNED_IN, user)


def _record_failed_sign_in(sender: Any, credentials: dict[str, Any], request: Any = None, **kwargs: Any) -> None:
    """The name that was tried, and from where. Nothing of a try that was refused unseen: django-axes counts none."""
    if getattr(request, "axes_failures_since_start", None) is None:
        return
    name = str(credentials.get("username", ""))
    user = User.objects.filter(username=name).first()
    kind, number = str(User._meta.verbose_name), str(user.pk) if user else ""
    if not _failed_too_often(kind, number):
        nobody = current_caller()._replace(by="", credential="")
        _record_about(AuditAction.SIGN_IN_FAILED, nobody, kind=kind, number=number, name=name)


def _failed_too_often(kind: str, number: str) -> bool:
    """Whether enough is written down. Two at once may both find that it is not: a row or two more do no harm."""
    failures = AuditEntry.objects.filter(kind=kind, object_id=number, action=AuditAction.SIGN_IN_FAILED).order_by("-pk")
    oldest = failures.values_list("at", flat=True)[MOST_FAILURES - 1 : MOST_FAILURES]
    return any(at > timezone.now() - FAILURES_WITHIN for at in oldest)
