from enrollments.operations.activity import ActivityData, Recorded, record_activity
from enrollments.operations.closing import Closed, close_cycles
from enrollments.operations.enrolling import enroll
from enrollments.operations.erasing import Erasure, erase_customer
from enrollments.operations.leaving import cancel_leave, unenroll

__all__ = [
    "ActivityData",
    "Closed",
    "Erasure",
    "Recorded",
    "cancel_leave",
    "close_cycles",
    "enroll",
    "erase_customer",
    "record_activity",
    "unenroll",
]
