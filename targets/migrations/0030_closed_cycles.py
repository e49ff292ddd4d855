"""A leave finds the closed cycles of its programme without reading those to come."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('targets', '0029_columns_of_enrolment'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='cycle',
            index=models.Index(condition=models.Q(('closed_at__isnull', False)), fields=['target_group', 'number'], name='cycle_closed'),
        ),
    ]
