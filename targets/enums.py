from django.db import models


class TrackingType(models.TextChoices):
    DEFAULT = "DEFAULT", "Milestone"
    STREAKS = "STREAKS", "Streak"
    NON_CONTINUOUS_STREAKS = "NON_CONTINUOUS_STREAKS", "Non-continuous streak"


class EvaluationType(models.TextChoices):
    """Whose calendar the cycles are of (domain.md 10)."""

    FIXED_CALENDAR_WINDOW = "FIXED_CALENDAR_WINDOW", "The same calendar for everybody"
    CYCLIC_WINDOW = "CYCLIC_WINDOW", "Each customer's own calendar, from his first activity"
    PERIOD_AGNOSTIC_WINDOW = "PERIOD_AGNOSTIC_WINDOW", "A cycle ends when it is achieved"


class FrequencyType(models.TextChoices):
    DAILY = "DAILY", "Daily"
    WEEKLY = "WEEKLY", "Weekly"
    MONTHLY = "MONTHLY", "Monthly"
    QUARTERLY = "QUARTERLY", "Quarterly"
    HALF_YEARLY = "HALF_YEARLY", "Half-yearly"
    YEARLY = "YEARLY", "Yearly"
    CUSTOM = "CUSTOM", "Custom"


class Kpi(models.TextChoices):
    """What a cycle adds up (domain.md 6); on the wire `targetType`."""

    COUNT = "COUNT", "Number of activities"
    SALES = "SALES", "Sum of amounts"
    GROSS_SALES = "GROSS_SALES", "Sum of gross amounts"
    QUANTITY = "QUANTITY", "Sum of quantities"
    VISIT = "VISIT", "Number of days with an activity"
    EVENT_ATTRIBUTE = "EVENT_ATTRIBUTE", "Sum of one attribute"


class Entity(models.TextChoices):
    """What an activity stands for; on the wire `targetEntity`."""

    TRANSACTION = "TRANSACTION", "Transaction"
    LINEITEM = "LINEITEM", "Line item"
    EVENT = "EVENT", "Event"
    CUSTOMER = "CUSTOMER", "Customer"


# What can be measured of each: only what is sold has an amount and a quantity, only an event has attributes to add up.
KPIS_OF_ENTITY = {
    Entity.TRANSACTION: (Kpi.COUNT, Kpi.SALES, Kpi.GROSS_SALES, Kpi.QUANTITY, Kpi.VISIT),
    Entity.LINEITEM: (Kpi.COUNT, Kpi.SALES, Kpi.GROSS_SALES, Kpi.QUANTITY, Kpi.VISIT),
    Entity.EVENT: (Kpi.COUNT, Kpi.VISIT, Kpi.EVENT_ATTRIBUTE),
    Entity.CUSTOMER: (Kpi.COUNT, Kpi.VISIT),
}


class Allocation(models.TextChoices):
    IMMEDIATE = "IMMEDIATE", "As soon as the target is reached"
    PERIOD_END = "PERIOD_END", "When the cycle closes"


class SecretForm(models.TextChoices):
    """What an API user sends as Basic password."""

    PLAIN = "PLAIN", "The secret itself"
    MD5_HEX = "MD5_HEX", "Lower-case hex MD5 of the secret (published clients)"
    PASSWORD = "PASSWORD", "The person's own password"


class RegisterOutcome(models.TextChoices):
    """What became of one customer when many were registered."""

    CREATED = "created", "Created"
    UPDATED = "updated", "Updated"
    DUPLICATE_IN_REQUEST = "duplicate_in_request", "Was named before"


class Source(models.TextChoices):
    """Through which door a change came."""

    API = "API", "API"
    ADMIN = "ADMIN", "Admin"
    COMMAND = "COMMAND", "Command"


class AuditAction(models.TextChoices):
    """What was done to a user, a group, a brand or a credential; or that a list was taken along."""

    ADDED = "ADDED", "Added"
    CHANGED = "CHANGED", "Changed"
    REMOVED = "REMOVED", "Removed"
    SIGNED_IN = "SIGNED_IN", "Signed in"
    SIGN_IN_FAILED = "SIGN_IN_FAILED", "Failed to sign in"
    EXPORTED = "EXPORTED", "Exported"
