from django.db import models

from targets.enums import Source as Source  # a word of receipts too


class Effective(models.TextChoices):
    NOW = "now", "Now"
    END_OF_CYCLE = "endOfCycle", "At the end of the running cycle"


class LeaveOutcome(models.TextChoices):
    """What became of one customer when many were to be unenrolled (api.md 3)."""

    UNENROLLED = "unenrolled", "Unenrolled"
    SCHEDULED = "scheduled", "Leaves at the end of the running cycle"
    ALREADY_LEFT = "already_left", "Had left already"
    NEVER_ENROLLED = "never_enrolled", "Was never enrolled"
    UNKNOWN_CUSTOMER = "unknown_customer", "The brand has no such customer"
    INACTIVE = "inactive", "The programme is inactive"
    PERIOD_OVER = "period_over", "The programme is over"
    DUPLICATE_IN_REQUEST = "duplicate_in_request", "Was named before"
    CHANGED = "changed", "Changed since the preview or plan"  # where there was one
    TRY_AGAIN = "try_again", "Somebody else was changing it"


class PlanState(models.TextChoices):
    """How far an uploaded list has come."""

    PLANNING = "PLANNING", "Being looked at"
    PLANNED = "PLANNED", "Planned"
    RUNNING = "RUNNING", "Being carried out"
    DONE = "DONE", "Done"
    WITHDRAWN = "WITHDRAWN", "Withdrawn"


class UndoOutcome(models.TextChoices):
    """What became of one receipt when the leaves of a batch were to be taken back (domain.md 5)."""

    UNDONE = "undone", "Unenrolment undone"
    CANCELLED = "cancelled", "Scheduled leave cancelled"
    ALREADY_UNDONE = "already_undone", "Had been taken back already"
    CHANGED_SINCE = "changed_since", "The enrolment has changed since"
    TOO_LATE = "too_late", "Too late: enrol again"
    INACTIVE = "inactive", "The programme is inactive"
    ERASED = "erased", "The customer was erased"
    TRY_AGAIN = "try_again", "Somebody else was changing it"


class EnrollOutcome(models.TextChoices):
    """What became of one customer when many were to be enrolled (api.md 3)."""

    ENROLLED = "enrolled", "Enrolled"
    REENROLLED = "reenrolled", "Enrolled again"
    ALREADY_ENROLLED = "already_enrolled", "Was enrolled already"
    UNKNOWN_CUSTOMER = "unknown_customer", "The brand has no such customer"
    PERIOD_NOT_FOUND = "period_not_found", "The period is unknown or over, or none is left"
    INVALID_BALANCE = "invalid_balance", "The balance cannot be set"
    DUPLICATE_IN_REQUEST = "duplicate_in_request", "Was named before"
    TRY_AGAIN = "try_again", "Somebody else was changing it"


class ReceiptKind(models.TextChoices):
    ENROLLED = "ENROLLED", "Enrolled"
    REENROLLED = "REENROLLED", "Re-enrolled"
    UNENROLLED = "UNENROLLED", "Unenrolled"
    LEAVE_SCHEDULED = "LEAVE_SCHEDULED", "Leave scheduled"
    LEAVE_CANCELLED = "LEAVE_CANCELLED", "Leave cancelled"
    UNENROLMENT_UNDONE = "UNENROLMENT_UNDONE", "Unenrolment undone"


class Verdict(models.TextChoices):
    """What an enrolment change means for one cycle (domain.md 5)."""

    KEPT = "kept", "Kept"
    LEFT_REWARD_KEPT = "left_reward_kept", "Left, reward kept"
    LEFT_REWARD_FORFEITED = "left_reward_forfeited", "Left, reward forfeited"
    LEFT = "left", "Left"
    NOT_MEMBER = "not_member", "Not a member"
    MEMBER = "member", "Member"


class LevelVerdict(models.TextChoices):
    KEPT = "kept", "Kept"
    NOT_REACHED = "not_reached", "Not reached"


class CycleStatus(models.TextChoices):
    """What a cycle is to a customer now, at a glance."""

    ACHIEVED = "achieved", "Achieved"
    REACHED = "reached", "Reached"
    NOT_ACHIEVED = "not_achieved", "Not achieved"
    RUNNING = "running", "Running"
    TO_COME = "to_come", "To come"
    FORFEITED = "forfeited", "Reward forfeited"
    LEFT = "left", "Left"
    NOT_MEMBER = "not_member", "Not a member"


class NotCounted(models.TextChoices):
    """Why an activity did not count (domain.md 6)."""

    NO_TARGET = "no_target", "No target of the brand matches it"
    NO_CYCLE = "no_cycle", "No cycle contains the instant it occurred"
    TARGET_INACTIVE = "target_inactive", "The target or its group is inactive"
    NOT_ENROLLED = "not_enrolled", "The customer is not a member of that cycle"
    CYCLE_NOT_BEGUN = "cycle_not_begun", "The cycle has not begun"
    CYCLE_CLOSED = "cycle_closed", "The cycle is closed"
    IN_FUTURE = "in_future", "It lies more than 5 minutes ahead"
    WHILE_AWAY = "while_away", "It lies between a leave and the next enrolment"
    BEFORE_ENROLMENT = "before_enrolment", "It lies before the enrolment"
    NO_NUMBER = "no_number", "The attribute to add up is missing or no number"
    DUPLICATE = "duplicate", "The same event was sent before"
    EVENT_ID_CONFLICT = "event_id_conflict", "The event id was used for another content"
    UNKNOWN_CUSTOMER = "unknown_customer", "The brand has no such customer"
