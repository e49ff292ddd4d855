"""Each foreign key is looked up once for each row: what one over several columns says needs none of its own."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('enrollments', '0027_lock_named_leaving'),
        ('targets', '0034_enrolment_as_json'),
    ]

    operations = [
        migrations.AlterField(
            model_name='receipt',
            name='brand',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='targets.brand'),
        ),
        migrations.AlterField(
            model_name='receipt',
            name='participation',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='receipts', to='enrollments.participation'),
        ),
        migrations.AlterField(
            model_name='receipt',
            name='stay',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='receipts', to='enrollments.stay'),
        ),
        migrations.AlterField(
            model_name='stay',
            name='leave_receipt',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='enrollments.receipt'),
        ),
    ]
