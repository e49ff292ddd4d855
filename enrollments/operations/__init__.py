from enrollments.operations.activity import ActivityData, Recorded, record_activity
from enrollments.operations.archiving import Moved, archive_activities, restore_activities
from enrollments.operations.closing import Closed, CyclesNotClosed, Ended, close_cycles
from enrollments.operations.closing_own import OwnClosed, close_own_cycles
from enrollments.operations.counting_figures import count_figures
from enrollments.operations.editing import Edited, edit_programme, preview_edit, programme_state
from enrollments.operations.enrolling import enroll
from enrollments.operations.enrolling_newcomers import Newcomer, enroll_newcomers
from enrollments.operations.erasing import Erasure, erase_customer
from enrollments.operations.freezing import set_group_active, set_target_active
from enrollments.operations.leaving import cancel_leave, unenroll, unenroll_named
from enrollments.operations.leaving_together import LeftTogether, unenroll_together
from enrollments.operations.partitioning import ReceiptsInUse, partition_receipts, parts_of_receipts
from enrollments.operations.planning import (
    PlanRefused,
    approve_plan,
    purge_plans,
    start_plan,
    upload_plan,
    withdraw_plan,
)
from enrollments.operations.recording_together import record_activities
from enrollments.operations.rewarding import change_reward, preview_reward, promised
from enrollments.operations.tallying import tally_changes
from enrollments.operations.undoing import Undone, undo_leave
from enrollments.operations.undoing_together import undo_together

__all__ = [
    "ActivityData",
    "Closed",
    "CyclesNotClosed",
    "Edited",
    "Ended",
    "Erasure",
    "LeftTogether",
    "Moved",
    "Newcomer",
    "OwnClosed",
    "PlanRefused",
    "ReceiptsInUse",
    "Recorded",
    "Undone",
    "approve_plan",
    "archive_activities",
    "cancel_leave",
    "change_reward",
    "close_cycles",
    "close_own_cycles",
    "count_figures",
    "edit_programme",
    "enroll",
    "enroll_newcomers",
    "erase_customer",
    "partition_receipts",
    "parts_of_receipts",
    "preview_edit",
    "preview_reward",
    "programme_state",
    "promised",
    "purge_plans",
    "record_activities",
    "record_activity",
    "restore_activities",
    "set_group_active",
    "set_target_active",
    "start_plan",
    "tally_changes",
    "undo_leave",
    "undo_together",
    "unenroll",
    "unenroll_named",
    "unenroll_together",
    "upload_plan",
    "withdraw_plan",
]
