
import django.db.models.functions.comparison
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('targets', '0031_exported'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='customer',
            index=models.Index(models.F('brand'), models.Func(models.F('mobile'), models.Value('^[^0-9]*00|[^0-9]'), models.Value(''), models.Value('g'), function='regexp_replace'), condition=models.Q(('mobile', ''), _negated=True), name='customer_by_mobile'),
        ),
        migrations.AddIndex(
            model_name='customer',
            index=models.Index(models.F('brand'), django.db.models.functions.comparison.Collate(django.db.models.functions.text.Lower(django.db.models.functions.text.Concat('first_name', models.Value(' '), 'last_name')), 'C'), condition=models.Q(('first_name', ''), _negated=True), name='customer_by_name'),
        ),
        migrations.AddIndex(
            model_name='customer',
            index=models.Index(models.F('brand'), django.db.models.functions.comparison.Collate(django.db.models.functions.text.Lower(django.db.models.functions.text.Concat('last_name', models.Value(' '), 'first_name')), 'C'), condition=models.Q(('last_name', ''), _negated=True), name='customer_by_last_name'),
        ),
    ]
