"""Undoing: who may, and which activities did not count because of which leave. What did not before is not counted."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("enrollments", "0017_store_leave"),
        ('targets', '0026_no_doubled_indexes'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='participation',
            options={'permissions': [('enroll', 'Can enrol customers'), ('unenroll', 'Can unenrol customers'), ('bulk_unenroll', 'Can unenrol many customers at once'), ('cancel_leave', 'Can cancel scheduled leaves'), ('undo_unenrolment', 'Can undo unenrolments'), ('bulk_undo_unenrolment', 'Can undo unenrolments, many at once'), ('record_activity', 'Can record activities'), ('set_clock', 'Can set the clock of a sandbox brand')], 'verbose_name': 'enrolment'},
        ),
        migrations.RemoveIndex(
            model_name='receipt',
            name='receipt_by_batch',
        ),
        migrations.AddField(
            model_name='activityoutcome',
            name='left_by',
            field=models.ForeignKey(blank=True, db_index=False, help_text='The leave but for which he had been a member: undoing it counts the activity.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='enrollments.receipt'),
        ),
        migrations.AddIndex(
            model_name='activityoutcome',
            index=models.Index(condition=models.Q(('left_by__isnull', False)), fields=['left_by', 'id'], name='outcome_left_by'),
        ),
        migrations.AddIndex(
            model_name='receipt',
            index=models.Index(condition=models.Q(('batch_id__isnull', False)), fields=['batch_id', 'id'], name='receipt_of_batch'),
        ),
    ]
