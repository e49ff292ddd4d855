"""One permission per operation: who could do what one permission allowed before may do the same with several."""

from django.db import migrations

# What was one permission -> what it is divided into: app, model, codename and name.
DIVIDED = {
    "unenroll": [
        ("enrollments", "participation", "bulk_unenroll", "Can unenrol many customers at once"),
        ("enrollments", "participation", "cancel_leave", "Can cancel scheduled leaves"),
    ],
    "change_targetgroup": [
        ("targets", "targetgroup", "freeze_targetgroup", "Can freeze target groups and let them run again"),
        ("rewards", "reward", "change_reward", "Can change reward"),
    ],
}


def divide_permissions(apps, schema_editor):
    """In a new database there are no permissions yet, and nobody has any."""
    permission = apps.get_model("auth", "Permission")
    content_type = apps.get_model("contenttypes", "ContentType")
    olds = permission.objects.filter(
        codename__in=DIVIDED, content_type__app_label__in=("targets", "rewards", "enrollments")
    )
    for old in olds:
        for app_label, model, codename, name in DIVIDED[old.codename]:
            of_model, _ = content_type.objects.get_or_create(app_label=app_label, model=model)
            new, _ = permission.objects.get_or_create(
                content_type=of_model, codename=codename, defaults={"name": name}
            )
            for group in old.group_set.all():
                group.permissions.add(new)
            for user in old.user_set.all():
                user.user_permissions.add(new)


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("rewards", "0007_own_calendars"),
        ("targets", "0019_staff_brands"),
        ("enrollments", "0013_caller_of_receipts"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="participation",
            options={
                "verbose_name": "enrolment",
                "permissions": [
                    ("enroll", "Can enrol customers"),
                    ("unenroll", "Can unenrol customers"),
                    ("bulk_unenroll", "Can unenrol many customers at once"),
                    ("cancel_leave", "Can cancel scheduled leaves"),
                    ("record_activity", "Can record activities"),
                    ("set_clock", "Can set the clock of a sandbox brand"),
                ],
            },
        ),
        migrations.RunPython(divide_permissions, migrations.RunPython.noop),
    ]
