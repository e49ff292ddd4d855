"""The tables of the heart.

Every table here grows without bound, so a foreign key has no index of its own (`db_index=False`) where another index
begins with it: tests/plans/test_indexes.py.
"""

from enrollments.models.activity import Activity, ActivityFields, ActivityOutcome, OutcomeFields
from enrollments.models.archive import ArchivedActivity, ArchivedOutcome, EveryActivity, EveryOutcome
from enrollments.models.counting import CountedTarget, DailyChanges, TallyPosition
from enrollments.models.leave_plan import LeavePlan, PlannedLeave
from enrollments.models.participation import Participation, Progress, Run, Stay
from enrollments.models.receipt import Receipt

__all__ = [
    "Activity",
    "ActivityFields",
    "ActivityOutcome",
    "ArchivedActivity",
    "ArchivedOutcome",
    "CountedTarget",
    "DailyChanges",
    "EveryActivity",
    "EveryOutcome",
    "LeavePlan",
    "OutcomeFields",
    "Participation",
    "PlannedLeave",
    "Progress",
    "Receipt",
    "Run",
    "Stay",
    "TallyPosition",
]
