"""The archive: see operations/archiving.py.

Its tables are partitioned, which Django cannot say: the migration named `archive` makes them, with their indexes and
the views.
"""

from django.db import models

from enrollments.models.activity import ActivityFields, OutcomeFields


class ArchivedActivity(ActivityFields):
    """An activity with which nothing can happen any more. Partitioned by a hash of the event id."""

    id = models.BigIntegerField(primary_key=True)  # that it had

    class Meta:
        default_permissions = ()


class ArchivedOutcome(OutcomeFields):
    """Of an archived activity. Partitioned by a hash of the activity's id."""

    id = models.BigIntegerField(primary_key=True)
    activity = models.ForeignKey(ArchivedActivity, on_delete=models.PROTECT, related_name="outcomes")

    class Meta:
        default_permissions = ()


class EveryActivity(ActivityFields):
    """Activities, archived or not: a view, for all who only read."""

    class Meta:
        managed = False
        db_table = "enrollments_everyactivity"
        default_permissions = ()
        verbose_name = "activity"
        verbose_name_plural = "activities"


class EveryOutcome(OutcomeFields):
    """What activities did, archived or not: a view, for all who only read."""

    activity = models.ForeignKey(EveryActivity, on_delete=models.DO_NOTHING, related_name="outcomes")

    class Meta:
        managed = False
        db_table = "enrollments_everyoutcome"
        default_permissions = ()
        verbose_name = "activity outcome"
