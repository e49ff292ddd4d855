"""What the calls of enrolling and unenrolling take."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from enrollments.enums import Effective
from targets.fields import (
    AmountField,
    ChoiceField,
    CustomerIdField,
    FlagField,
    InstantField,
    ObjectField,
    ReasonField,
    StrictSerializer,
    TextField,
)


class HowToLeave(serializers.Serializer[Any]):
    """What is said beside who is to be unenrolled, one or many."""

    reason = ReasonField(required=False, allow_null=True, default="", help_text="Why; kept on the receipt.")
    effective = ChoiceField(
        choices=Effective.choices,
        required=False,
        allow_null=True,
        default=Effective.NOW,
        help_text="At once, or at the end of the running cycle.",
    )


class LeaveSerializer(HowToLeave):
    """A published record: other fields change nothing and are passed over."""

    customerId = CustomerIdField(help_text="The customer to unenrol.")


class CancelSerializer(StrictSerializer):
    customerId = CustomerIdField(help_text="The customer whose scheduled leave is taken back.")
    reason = ReasonField(required=False, default="", help_text="Why; kept on the receipt.")


class EnrollSerializer(serializers.Serializer[Any]):
    customerId = CustomerIdField(help_text="The customer to enrol.")
    periodName = TextField(
        required=False,
        allow_null=True,
        allow_blank=True,
        default=None,
        max_length=100,
        help_text="The name of the period to join; else the running.",
        example="Cycle_2",
    )
    initialBalance = AmountField(
        required=False, allow_null=True, default=None, min_value=0, help_text="The milestone's value at this instant."
    )
    resetStreakStatus = FlagField(
        required=False, allow_null=True, default=False, help_text="Open the next run of a streak.", example=False
    )


class ActivitySerializer(StrictSerializer):
    # Not trimmed: an id is what was sent, and two that differ in a blank are two.
    eventId = TextField(
        max_length=200, trim_whitespace=False, help_text="Your id, unique in the brand.", example="till-7-4711"
    )
    eventName = TextField(
        max_length=100, trim_whitespace=False, help_text="Which targets count it.", example="purchase"
    )
    customerId = CustomerIdField()
    occurredAt = InstantField(help_text="When it happened; not more than 5 minutes ahead.")
    amount = AmountField(
        required=False, allow_null=True, default=None, help_text="What was paid; SALES and GROSS_SALES add it up."
    )
    quantity = AmountField(
        required=False, allow_null=True, default=None, help_text="How many; QUANTITY adds it up.", example=3
    )
    attributes = ObjectField(
        required=False,
        default=dict,
        help_text="Anything else; `match` and EVENT_ATTRIBUTE of targets look at it.",
        example={"store": "Pune"},
    )


class ClockSerializer(StrictSerializer):
    now = InstantField(help_text="The instant the sandbox is to take for now.")


def single_record(data: Any) -> Any:
    """The one record of a published body: an array of exactly one, or the bare object."""
    if isinstance(data, Mapping):
        return data
    if not isinstance(data, list) or len(data) != 1 or not isinstance(data[0], Mapping):
        raise serializers.ValidationError('Send an array of exactly one record, such as [{"customerId": 1}].')
    return data[0]
