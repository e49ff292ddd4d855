from targets.operations.answers import (
    FirstAnswer,
    KeyedCall,
    answer_once,
    forget_answers,
    purge_answers,
)
from targets.operations.api_users import (
    SecretMade,
    add_api_user,
    keep_on_primary,
    revoke_former_secret,
    rotate_secret,
)
from targets.operations.auditing import record, record_export
from targets.operations.brands import BrandMade, create_brand
from targets.operations.clients import ClientMade, create_api_client, purge_tokens, revoke_api_client
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
from targets.operations.quota import Taken, take_units
from targets.operations.refused_calls import Count, Refused, count_refused_calls, purge_refused_calls
from targets.operations.second_factor import (
    Checked,
    begin_second_factor,
    check_second_factor,
    confirm_second_factor,
    remove_second_factor,
)

__all__ = [
    "MAX_LATE_DAYS",
    "MOST_CUSTOMERS",
    "REFUSAL_OF_CONSTRAINT",
    "Author",
    "BrandMade",
    "Change",
    "Checked",
    "ClientMade",
    "Count",
    "CustomerData",
    "FirstAnswer",
    "GroupData",
    "KeyedCall",
    "LevelData",
    "PeriodData",
    "Programme",
    "Refused",
    "SecretMade",
    "Taken",
    "TargetData",
    "add_api_user",
    "answer_once",
    "begin_second_factor",
    "check_second_factor",
    "confirm_second_factor",
    "count_refused_calls",
    "create_api_client",
    "create_brand",
    "create_target_group",
    "forget_answers",
    "keep_on_primary",
    "purge_answers",
    "purge_refused_calls",
    "purge_tokens",
    "put_customer",
    "put_customers",
    "record",
    "record_change",
    "record_export",
    "refuse_target_group",
    "regular_periods",
    "remove_second_factor",
    "revoke_api_client",
    "revoke_former_secret",
    "rotate_secret",
    "take_units",
    "unbound_periods",
]
