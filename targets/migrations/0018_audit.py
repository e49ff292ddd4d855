import django.db.models.functions.datetime
import targets.exact_json
from django.db import migrations, models

ADD = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON targets_auditentry
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_history();
"""
DROP = "DROP TRIGGER append_only ON targets_auditentry;"


class Migration(migrations.Migration):
    dependencies = [
        ("targets", "0017_rotating_secrets"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ("by", models.CharField(max_length=150)),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("ADDED", "Added"),
                            ("CHANGED", "Changed"),
                            ("REMOVED", "Removed"),
                            ("SIGNED_IN", "Signed in"),
                        ],
                        max_length=16,
                    ),
                ),
                ("kind", models.CharField(help_text="What it is about: user, group, brand ...", max_length=64)),
                ("object_id", models.CharField(help_text="Its number.", max_length=64)),
                ("name", models.CharField(help_text="What it was called then.", max_length=250)),
                (
                    "changes",
                    targets.exact_json.ExactJSONField(
                        default=list, help_text="What was changed, each with before and after; never a secret."
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        choices=[("API", "API"), ("ADMIN", "Admin"), ("COMMAND", "Command")], max_length=8
                    ),
                ),
                ("address", models.CharField(blank=True, max_length=45)),
                ("credential", models.CharField(max_length=220)),
                ("request_id", models.CharField(blank=True, max_length=64)),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit entries",
                "default_permissions": (),
            },
        ),
        migrations.AddField(
            model_name="programmechange",
            name="address",
            field=models.CharField(blank=True, db_default="", help_text="From where it came.", max_length=45),
        ),
        migrations.AddField(
            model_name="programmechange",
            name="credential",
            field=models.CharField(blank=True, db_default="", help_text="What proved who it was.", max_length=220),
        ),
        migrations.AddIndex(
            model_name="programmechange",
            index=models.Index(fields=["by", "id"], name="change_by_who"),
        ),
        migrations.AddIndex(
            model_name="programmechange",
            index=models.Index(fields=["at"], name="change_by_time"),
        ),
        migrations.AddIndex(
            model_name="programmechange",
            index=models.Index(
                condition=models.Q(("request_id", ""), _negated=True), fields=["request_id"], name="change_by_request"
            ),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["by", "id"], name="audit_by_who"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["kind", "object_id", "id"], name="audit_by_object"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["name", "id"], name="audit_by_name"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["at"], name="audit_by_time"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(
                condition=models.Q(("request_id", ""), _negated=True), fields=["request_id"], name="audit_by_request"
            ),
        ),
        migrations.RunSQL(ADD, DROP),
    ]
