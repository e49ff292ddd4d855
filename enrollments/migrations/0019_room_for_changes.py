"""Pages keep room for new versions of the rows that each leave changes, where they are written."""

from django.db import migrations

# With room in its page a participation gets its new `changed_at` without a new entry in any of its indexes: `unEnroll`
# touches 7 buffers for it and no longer 25. A stay changes what is indexed, but need not look for another page.
# Pages that are full already stay so until the table is written anew: docs/scaling.md.
ROOM = """
ALTER TABLE enrollments_participation SET (fillfactor = 90);
ALTER TABLE enrollments_stay SET (fillfactor = 90);
"""
NO_ROOM = """
ALTER TABLE enrollments_participation RESET (fillfactor);
ALTER TABLE enrollments_stay RESET (fillfactor);
"""


class Migration(migrations.Migration):
    dependencies = [("enrollments", "0018_undo")]

    operations = [migrations.RunSQL(ROOM, NO_ROOM)]
