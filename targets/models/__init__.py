from targets.models.brand import ApiUser, Brand
from targets.models.customer import Customer
from targets.models.history import FormerCycle, FormerValue, ProgrammeChange
from targets.models.programme import MAX_VALUE, Cycle, Inactivity, StreakLevel, Target, TargetGroup, TargetValue
from targets.models.staff import StaffBrand

__all__ = [
    "MAX_VALUE",
    "ApiUser",
    "Brand",
    "Customer",
    "Cycle",
    "FormerCycle",
    "FormerValue",
    "Inactivity",
    "ProgrammeChange",
    "StaffBrand",
    "StreakLevel",
    "Target",
    "TargetGroup",
    "TargetValue",
]
