from targets.models.audit import AuditEntry
from targets.models.brand import ApiUser, Brand
from targets.models.customer import Customer
from targets.models.history import FormerCycle, FormerValue, ProgrammeChange
from targets.models.programme import MAX_VALUE, Cycle, Inactivity, StreakLevel, Target, TargetGroup, TargetValue

__all__ = [
    "MAX_VALUE",
    "ApiUser",
    "AuditEntry",
    "Brand",
    "Customer",
    "Cycle",
    "FormerCycle",
    "FormerValue",
    "Inactivity",
    "ProgrammeChange",
    "StreakLevel",
    "Target",
    "TargetGroup",
    "TargetValue",
]
