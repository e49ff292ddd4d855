from django.contrib import admin

from rewards.models import Grant, Reward
from targets.admin.lists import CustomerSearch, ReadOnlyAdmin
from targets.admin.typed_filters import TargetGroupFilter


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin, CustomerSearch):
    """The ledger. A row is only ever added, by the operation that gives the reward."""

    list_display = (
        "reward_name",
        "customer",
        "target",
        "cycle_number",
        "level",
        "run_number",
        "reward_kind",
        "reward_value",
        "granted_at",
    )
    list_filter = ("reward_kind", "allocation", "brand", TargetGroupFilter)
    list_select_related = ("customer", "target", "level")
    exclude = ("transaction_id",)


@admin.register(Reward)
class RewardAdmin(ReadOnlyAdmin):
    """Never edited once it paid: a new definition retires the old one."""

    brand_path = "target__brand"
    list_display = ("name", "target", "level", "cycle", "kind", "value", "created_at", "retired_at")
    list_filter = ("kind", "target__brand", TargetGroupFilter)
    list_select_related = ("target", "level", "cycle")
    search_fields = ("name",)
    search_help_text = "A part of the name."
