"""What is read without a serializer is read as the serializer reads it."""

from dataclasses import asdict
from decimal import Decimal

import pytest
import simplejson
from hypothesis import example, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from enrollments.api.plain_activities import NotPlain, plain_activity
from enrollments.api.serializers import ActivitySerializer
from targets.strict_json import parse_json

PLAIN = {
    "eventId": "till-7-4711",
    "eventName": "purchase",
    "customerId": 423789336,
    "occurredAt": "2026-01-15T09:00:00+05:30",
    "amount": Decimal("49.95"),
    "quantity": 3,
    "attributes": {"store": "Pune", "gift": None},
}
TEXTS = ("a", " a ", "", " ", "x" * 100, "x" * 101, "x" * 201, "\u00e4", "a\tb", 5, None)
AMOUNTS = (
    *(
        0,
        1,
        -7,
        10**15 - 1,
        10**15,
        -(10**15),
        True,
        None,
        "12",
        "1.500",
        "1.5000",
        "1.5001",
        "x",
        "",
        "1e3",
        "-0",
        [1],
    ),
    *(Decimal(text) for text in ("0.0", "-0.0", "1.50", "1.5000", "1.0001", "999999999999999.999", "1E+3", "1E-4")),
)
VALUES = {
    "eventId": TEXTS,
    "eventName": TEXTS,
    "customerId": (1, -1, 2**70, "12", "0012", "12 ", "x", True, Decimal("1.0"), None),
    "occurredAt": (
        *("2026-01-15T09:00:00Z", "2026-01-15T09:00:00", "2026-01-15", "20260115T090000+0000", "0001-01-01T00:00:00Z"),
        *("9999-12-31T23:59:59-12:00", "2026-01-15T09:00:00.123456789Z", "2026-02-30T09:00:00Z", "noon", "", 5, None),
    ),
    "amount": AMOUNTS,
    "quantity": AMOUNTS,
    "attributes": ({}, {"a": {"b": [Decimal("1.10")]}}, {"": ""}, [], "x", None),
    "colour": ("blue",),
}


@given(
    changes=st.fixed_dictionaries({}, optional={name: st.sampled_from(each) for name, each in VALUES.items()}),
    missing=st.sets(st.sampled_from(sorted(PLAIN)), max_size=2),
)
@run_settings(max_examples=300, deadline=None, derandomize=True)
@example({}, set())
def test_plain_activity_is_what_the_serializer_makes_of_it(changes, missing):
    item = parsed({name: value for name, value in (PLAIN | changes).items() if name not in missing})
    serializer = ActivitySerializer(data=item)
    serializer.is_valid()

    try:
        plain = asdict(plain_activity(item))
    except NotPlain:
        assert changes or missing
        return

    read = serializer.validated_data
    assert {name: (type(value), str(value)) for name, value in plain.items()} == {
        name: (type(read[key]), str(read[key])) for name, key in zip(plain, PLAIN, strict=True)
    }


@pytest.mark.parametrize("item", [[], "x", 5, None])
def test_what_is_no_object_is_not_plain(item):
    with pytest.raises(NotPlain):
        plain_activity(item)


def parsed(item):
    return parse_json(simplejson.dumps(item, use_decimal=True).encode())
