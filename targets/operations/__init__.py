from targets.operations.brands import BrandMade, create_brand
from targets.operations.customers import MOST_CUSTOMERS, CustomerData, put_customer, put_customers
from targets.operations.foreseeing import refuse_target_group
from targets.operations.programmes import (
    GroupData,
    LevelData,
    PeriodData,
    Programme,
    TargetData,
    create_target_group,
    regular_periods,
)

__all__ = [
    "MOST_CUSTOMERS",
    "BrandMade",
    "CustomerData",
    "GroupData",
    "LevelData",
    "PeriodData",
    "Programme",
    "TargetData",
    "create_brand",
    "create_target_group",
    "put_customer",
    "put_customers",
    "refuse_target_group",
    "regular_periods",
]
