from enrollments.operations.activity import ActivityData, Recorded, record_activity
from enrollments.operations.closing import Closed, CyclesNotClosed, Ended, close_cycles
from enrollments.operations.enrolling import enroll
from enrollments.operations.enrolling_newcomers import Newcomer, enroll_newcomers
from enrollments.operations.leaving import cancel_leave, unenroll

__all__ = [
    "ActivityData",
    "Closed",
    "CyclesNotClosed",
    "Ended",
    "Newcomer",
    "Recorded",
    "cancel_leave",
    "close_cycles",
    "enroll",
    "enroll_newcomers",
    "record_activity",
    "unenroll",
]
