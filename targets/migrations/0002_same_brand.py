"""Composite foreign keys: what belongs to a target group is of its brand (domain.md 9.6)."""

from django.db import migrations

ADD = """
ALTER TABLE targets_target ADD CONSTRAINT target_in_brand_of_group
  FOREIGN KEY (brand_id, target_group_id) REFERENCES targets_targetgroup (brand_id, id);
ALTER TABLE targets_streaklevel ADD CONSTRAINT level_in_brand_of_group
  FOREIGN KEY (brand_id, target_group_id) REFERENCES targets_targetgroup (brand_id, id);
"""
DROP = """
ALTER TABLE targets_target DROP CONSTRAINT target_in_brand_of_group;
ALTER TABLE targets_streaklevel DROP CONSTRAINT level_in_brand_of_group;
"""


class Migration(migrations.Migration):
    dependencies = [("targets", "0001_initial")]
    operations = [migrations.RunSQL(ADD, DROP)]
