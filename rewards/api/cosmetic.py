"""Published fields that change nothing here: kept as they were sent, and echoed (api.md 6)."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from targets.fields import IntegerField


def kept() -> Any:
    return IntegerField(
        required=False,
        allow_null=True,
        min_value=-(2**63),
        max_value=2**63 - 1,
        help_text="Kept and echoed.",
        example=4711,
    )


class CosmeticFields(serializers.Serializer[Any]):
    """To be inherited: by what takes a group or a target, and by what answers it."""

    emfRuleSetId = kept()
    emfUnrolledRulesetId = kept()


def cosmetic_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Those that were sent."""
    return {name: body[name] for name in CosmeticFields().get_fields() if name in body}
