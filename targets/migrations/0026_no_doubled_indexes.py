"""Foreign keys lose their own index where another one begins with their column: each write keeps all of them."""


import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('targets', '0025_reads_primary_until'),
    ]

    operations = [
        migrations.AlterField(
            model_name='customer',
            name='brand',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='customers', to='targets.brand'),
        ),
        migrations.AlterField(
            model_name='storedanswer',
            name='api_user',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='targets.apiuser'),
        ),
    ]
