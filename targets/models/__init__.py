from targets.models.audit import AuditEntry
from targets.models.brand import ApiUser, Brand
from targets.models.client import ApiClient
from targets.models.customer import Customer
from targets.models.history import FormerCycle, FormerValue, ProgrammeChange
from targets.models.programme import MAX_VALUE, Cycle, Inactivity, StreakLevel, Target, TargetGroup, TargetValue
from targets.models.quota import QuotaUse
from targets.models.refused import RefusedCalls
from targets.models.requests import StoredAnswer
from targets.models.staff import StaffBrand

__all__ = [
    "MAX_VALUE",
    "ApiClient",
    "ApiUser",
    "AuditEntry",
    "Brand",
    "Customer",
    "Cycle",
    "FormerCycle",
    "FormerValue",
    "Inactivity",
    "ProgrammeChange",
    "QuotaUse",
    "RefusedCalls",
    "StaffBrand",
    "StoredAnswer",
    "StreakLevel",
    "Target",
    "TargetGroup",
    "TargetValue",
]
