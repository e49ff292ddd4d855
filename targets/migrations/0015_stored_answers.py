"""The first answers to calls with an Idempotency-Key."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('targets', '0014_api_clients'),
    ]

    operations = [
        migrations.CreateModel(
            name='StoredAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key_digest', models.CharField(max_length=64)),
                ('fingerprint', models.CharField(help_text='Digest of method, path, query and body.', max_length=64)),
                ('status', models.PositiveSmallIntegerField(help_text='The HTTP status.', null=True)),
                ('body', models.TextField(blank=True, default='')),
                ('customer_ids', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, help_text="The brand's numbers of the customers it speaks of.", size=None)),
                ('recorded_at', models.DateTimeField(help_text='By the real clock, also in a sandbox.')),
                ('api_user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='targets.apiuser')),
            ],
            options={
                'indexes': [models.Index(fields=['recorded_at'], name='stored_answer_by_age'), django.contrib.postgres.indexes.GinIndex(fields=['customer_ids'], name='stored_answer_by_customer')],
                'constraints': [models.UniqueConstraint(fields=('api_user', 'key_digest'), name='stored_answer_once'), models.CheckConstraint(condition=models.Q(('fingerprint__regex', '^[0-9a-f]{64}$'), ('key_digest__regex', '^[0-9a-f]{64}$')), name='stored_answer_has_digests', violation_error_message='Only digests of the key and the request are stored.')],
            },
        ),
    ]
