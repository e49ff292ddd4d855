"""Staff are limited to brands; the groups of the roles get their names."""

from itertools import chain, count

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

NEW_ROLES = ("Read only", "Support", "Support lead", "Programme manager")


def keep_what_staff_may_see(apps, schema_editor):
    """Those of before go on seeing every brand; whoever comes later sees those that he is given."""
    user = apps.get_model(settings.AUTH_USER_MODEL)
    given = apps.get_model("targets", "StaffBrand")
    staff = user.objects.filter(is_staff=True, is_superuser=False)
    given.objects.bulk_create(given(user=each, brand=None) for each in staff)


def name_groups(apps, schema_editor):
    """An operator's own group that happens to bear the name of a role keeps what it may do, under another name."""
    group = apps.get_model("auth", "Group")
    for each in group.objects.filter(name__in=NEW_ROLES):
        names = (f"{each.name} (your own{place and f' {place}'})" for place in chain([""], count(2)))
        each.name = next(name for name in names if not group.objects.filter(name=name).exists())  # gone back before?
        each.save()
    group.objects.filter(name="Read access").update(name="Read only")


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("targets", "0018_audit"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="targetgroup",
            options={
                "verbose_name": "target group",
                "permissions": [("freeze_targetgroup", "Can freeze target groups and let them run again")],
            },
        ),
        migrations.CreateModel(
            name="StaffBrand",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "brand",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: every brand, also those to come.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="targets.brand",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="staff_brands",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "brand of staff",
                "verbose_name_plural": "brands of staff",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "brand"),
                        name="staff_brand_once",
                        nulls_distinct=False,
                        violation_error_message="The user has this brand already.",
                    )
                ],
            },
        ),
        migrations.RunPython(keep_what_staff_may_see, migrations.RunPython.noop),
        migrations.RunPython(name_groups, migrations.RunPython.noop),
    ]
