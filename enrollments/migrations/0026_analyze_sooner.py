"""Statistics of what has many rows for few brands and programmes are made anew after 1 % of changes, not after 10 %.

Of a brand or programme that they do not know the planner expects one row, and looks a customer up by the index of all
that is of the programme: as long as they do not know it, each look-up reads everything that it has.
"""

from django.db import migrations

TABLES = ("targets_customer", "enrollments_participation", "rewards_grant")


class Migration(migrations.Migration):
    dependencies = [
        ("enrollments", "0025_leave_plans"),
        ("rewards", "0007_own_calendars"),
        ("targets", "0032_find_customers"),
    ]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} SET (autovacuum_analyze_scale_factor = 0.01)",
            f"ALTER TABLE {table} RESET (autovacuum_analyze_scale_factor)",
        )
        for table in TABLES
    ]
