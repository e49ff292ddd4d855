from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('targets', '0030_closed_cycles'),
    ]

    operations = [
        migrations.AlterField(
            model_name='auditentry',
            name='action',
            field=models.CharField(choices=[('ADDED', 'Added'), ('CHANGED', 'Changed'), ('REMOVED', 'Removed'), ('SIGNED_IN', 'Signed in'), ('SIGN_IN_FAILED', 'Failed to sign in'), ('EXPORTED', 'Exported')], max_length=16),
        ),
    ]
