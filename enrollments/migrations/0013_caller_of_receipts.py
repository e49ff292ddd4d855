import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("enrollments", "0012_own_calendars"),
        ("targets", "0018_audit"),
    ]

    operations = [
        migrations.AddField(
            model_name="receipt",
            name="address",
            field=models.CharField(blank=True, db_default="", help_text="From where it came.", max_length=45),
        ),
        migrations.AddField(
            model_name="receipt",
            name="credential",
            field=models.CharField(blank=True, db_default="", help_text="What proved who it was.", max_length=220),
        ),
        migrations.AddIndex(
            model_name="receipt",
            index=models.Index(fields=["actor", "id"], name="receipt_by_who"),
        ),
        migrations.AddIndex(
            model_name="receipt",
            index=django.contrib.postgres.indexes.BrinIndex(fields=["recorded_at"], name="receipt_by_time"),
        ),
        migrations.AddIndex(
            model_name="receipt",
            index=models.Index(
                condition=models.Q(("request_id", ""), _negated=True), fields=["request_id"], name="receipt_by_request"
            ),
        ),
    ]
