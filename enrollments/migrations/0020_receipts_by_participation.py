"""Receipts are found by their participation, never by their stay: one index less to write, and to be misled by."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('enrollments', '0019_room_for_changes'),
    ]

    operations = [
        migrations.AlterField(
            model_name='receipt',
            name='stay',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='receipts', to='enrollments.stay'),
        ),
    ]
