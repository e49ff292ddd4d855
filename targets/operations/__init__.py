from targets.operations.api_users import SecretMade, add_api_user, revoke_former_secret, rotate_secret
from targets.operations.brands import BrandMade, create_brand
from targets.operations.customers import MOST_CUSTOMERS, CustomerData, put_customer, put_customers
from targets.operations.foreseeing import refuse_target_group
from targets.operations.history import Author, Change, record_change
from targets.operations.programmes import (
    MAX_LATE_DAYS,
    REFUSAL_OF_CONSTRAINT,
    GroupData,
    LevelData,
    PeriodData,
    Programme,
    TargetData,
    create_target_group,
    regular_periods,
    unbound_periods,
)

__all__ = [
    "MAX_LATE_DAYS",
    "MOST_CUSTOMERS",
    "REFUSAL_OF_CONSTRAINT",
    "Author",
    "BrandMade",
    "Change",
    "CustomerData",
    "GroupData",
    "LevelData",
    "PeriodData",
    "Programme",
    "SecretMade",
    "TargetData",
    "add_api_user",
    "create_brand",
    "create_target_group",
    "put_customer",
    "put_customers",
    "record_change",
    "refuse_target_group",
    "regular_periods",
    "revoke_former_secret",
    "rotate_secret",
    "unbound_periods",
]
