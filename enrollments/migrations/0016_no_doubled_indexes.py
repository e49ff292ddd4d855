"""Foreign keys lose their own index where another one begins with their column: each write keeps all of them."""


import django.db.models.deletion
from django.db import migrations, models

DROP = "DROP INDEX enrollments_stay_participation_id_9c52245f"
CREATE = "CREATE INDEX enrollments_stay_participation_id_9c52245f ON enrollments_stay (participation_id)"


class Migration(migrations.Migration):

    dependencies = [
        ('enrollments', '0015_lock_leaving'),
        ('targets', '0026_no_doubled_indexes'),
    ]

    operations = [
        migrations.AlterField(
            model_name='activity',
            name='brand',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='targets.brand'),
        ),
        migrations.AlterField(
            model_name='activity',
            name='customer',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='activities', to='targets.customer'),
        ),
        migrations.AlterField(
            model_name='activityoutcome',
            name='activity',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='outcomes', to='enrollments.activity'),
        ),
        migrations.AlterField(
            model_name='participation',
            name='brand',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='targets.brand'),
        ),
        migrations.AlterField(
            model_name='participation',
            name='customer',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='participations', to='targets.customer'),
        ),
        migrations.AlterField(
            model_name='progress',
            name='participation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='progress', to='enrollments.participation'),
        ),
        migrations.AlterField(
            model_name='receipt',
            name='brand',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='targets.brand'),
        ),
        migrations.AlterField(
            model_name='receipt',
            name='participation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='receipts', to='enrollments.participation'),
        ),
        migrations.AlterField(
            model_name='run',
            name='participation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='runs', to='enrollments.participation'),
        ),
        # By its name: Django would drop every index of just this column, `stay_one_open` too, which is a constraint.
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(DROP, CREATE)],
            [
                migrations.AlterField(
                    model_name='stay',
                    name='participation',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='stays', to='enrollments.participation'),
                ),
            ],
        ),
    ]
