"""The building blocks of serializers, one by one."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from rest_framework import serializers

from targets.errors import InvalidInput
from targets.fields import (
    AmountField,
    CustomerIdField,
    InstantField,
    ReasonField,
    StrictSerializer,
    TextField,
    path_id,
)


@pytest.mark.parametrize(
    ("given", "taken"), [(1, 1), ("1", 1), ("007", 7), (0, 0), (-1, -1), ("-1", -1), (2**63, 2**63)]
)
def test_customer_id_takes_integers_even_out_of_range(given, taken):
    assert CustomerIdField().run_validation(given) == taken


@pytest.mark.parametrize("given", [True, 1.0, Decimal(1), "1.0", "", " 1", "1_0", "\u0661", "one", [], {}, "9" * 101])
def test_customer_id_refuses_all_else(given):
    with pytest.raises(serializers.ValidationError, match="A customer id is an integer or a string of digits"):
        CustomerIdField().run_validation(given)


def test_path_id_takes_integers():
    assert [path_id(text, "targetId") for text in ("7", "-7", str(2**64))] == [7, -7, 2**64]


@pytest.mark.parametrize("text", ["", "x", "1.5", "\u0661", "1 ", "\0"])
def test_path_id_refuses_what_is_no_integer(text):
    with pytest.raises(InvalidInput, match="targetId must be an integer") as caught:
        path_id(text, "targetId")

    assert caught.value.field == "targetId"


@pytest.mark.parametrize(
    "text",
    ["2026-03-01T06:30:00Z", "2026-03-01T12:00:00+05:30", "2026-03-01T06:30:00.000+0000"],
)
def test_instant_is_taken_in_utc(text):
    value = InstantField().run_validation(text)

    assert (value, value.tzinfo) == (datetime(2026, 3, 1, 6, 30, tzinfo=UTC), UTC)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("2026-03-01T12:00:00", "add one, such as Z"),
        ("2026-03-01", "add one, such as Z"),
        ("0001-01-01T00:00:00+14:00", "too close to the end"),
        ("9999-12-31T23:59:59-12:00", "too close to the end"),
        ("soon", "ISO 8601"),
        ("2026-02-30T00:00:00Z", "ISO 8601"),
        (1767225600, "ISO 8601"),
        (None, "may not be null"),
    ],
)
def test_instant_refuses_what_is_not_one(given, message):
    with pytest.raises(serializers.ValidationError, match=message):
        InstantField().run_validation(given)


def test_instant_is_answered_with_its_offset():
    kolkata = timezone(timedelta(hours=5, minutes=30))

    answers = [InstantField().to_representation(datetime(2026, 3, 1, 12, tzinfo=zone)) for zone in (UTC, kolkata)]

    assert answers == ["2026-03-01T12:00:00+00:00", "2026-03-01T12:00:00+05:30"]


@pytest.mark.parametrize("given", [1, "1", Decimal("1.000"), Decimal("1E+0"), "1.0", Decimal("1.0000"), "1.00000"])
def test_amount_takes_numbers_and_strings(given):
    assert AmountField().run_validation(given) == Decimal(1)


@pytest.mark.parametrize(
    "given",
    [True, "1.0001", Decimal("1E-4"), 10**15, "NaN", Decimal("NaN"), Decimal("Infinity"), "1_0", "", [], "\u0661"],
)
def test_amount_refuses_what_is_not_one(given):
    with pytest.raises(serializers.ValidationError):
        AmountField().run_validation(given)


def test_amount_is_answered_with_three_places():
    answers = [str(AmountField().to_representation(value)) for value in (0, Decimal("1.5"), Decimal("1E+14"))]

    assert answers == ["0.000", "1.500", "100000000000000.000"]


@pytest.mark.parametrize("given", ["a\0b", "\x1b[31m", "\x7f", "x" * 501, 7, True, None, []])
def test_reason_refuses_what_is_no_text(given):
    with pytest.raises(serializers.ValidationError):
        ReasonField().run_validation(given)


@pytest.mark.parametrize(
    "given", ["", "moved away", "on the phone:\nmoved\taway", "x" * 500, "d\u00e9m\u00e9nag\u00e9 \U0001f600"]
)
def test_reason_takes_text(given):
    assert ReasonField().run_validation(given) == given


def test_unknown_field_of_a_nested_record_is_named():
    class Reward(StrictSerializer):
        name = TextField()

    class Target(StrictSerializer):
        reward = Reward()

    serializer = Target(data={"reward": {"name": "x", "colour": 1}, "size": 2})

    assert not serializer.is_valid()
    message = "This field is not known here."
    assert serializer.errors == {"reward": {"colour": [message]}, "size": [message]}
