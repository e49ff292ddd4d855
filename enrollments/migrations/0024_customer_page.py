"""What the page of a customer asks: what he did, newest first, and what of it did not count; archived or not."""

from django.db import migrations, models

# Each partition gets its own. The first takes the place of one that was of the customer only.
ADD = """
CREATE INDEX archived_activity_of_customer ON enrollments_archivedactivity (customer_id, occurred_at DESC);
DROP INDEX archived_activity_by_customer;
CREATE INDEX archived_outcome_not_counted ON enrollments_archivedoutcome (participation_id, id DESC) WHERE reason <> '';
"""
DROP = """
DROP INDEX archived_outcome_not_counted;
CREATE INDEX archived_activity_by_customer ON enrollments_archivedactivity (customer_id);
DROP INDEX archived_activity_of_customer;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('enrollments', '0023_tally'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='activityoutcome',
            index=models.Index(condition=models.Q(('reason', ''), _negated=True), fields=['participation', '-id'], name='outcome_not_counted'),
        ),
        migrations.RunSQL(ADD, DROP),
    ]
