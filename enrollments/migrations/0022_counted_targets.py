import django.db.models.deletion
import targets.exact_json
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('enrollments', '0021_archive'),
        ('targets', '0031_exported'),
    ]

    operations = [
        migrations.CreateModel(
            name='CountedTarget',
            fields=[
                ('target', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='targets.target')),
                ('counted_at', models.DateTimeField()),
                ('counts', targets.exact_json.ExactJSONField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
    ]
