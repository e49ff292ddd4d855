"""The field `match` of a target: what it takes, and which attributes fit it (api.md 6)."""

from decimal import Decimal

import pytest

from targets.errors import InvalidInput
from targets.matching import amount_of, matches, refuse_wrong_match

BERLIN = {"store": {"equals": "Berlin"}}


@pytest.mark.parametrize(
    ("match", "attributes", "fits"),
    [
        ({}, {}, True),
        ({}, {"store": "Berlin"}, True),
        (BERLIN, {"store": "Berlin", "items": 3}, True),
        (BERLIN, {"store": "berlin"}, False),
        (BERLIN, {"store": None}, False),
        (BERLIN, {"store": ["Berlin"]}, False),
        (BERLIN, {}, False),
        ({"items": {"equals": 2}}, {"items": Decimal("2.000")}, True),
        ({"items": {"equals": 2}}, {"items": "2"}, False),
        ({"items": {"equals": 1}}, {"items": True}, False),
        ({"isGift": {"equals": False}}, {"isGift": False}, True),
        ({"isGift": {"equals": False}}, {"isGift": 0}, False),
        ({"store": {"in": ["Berlin", "Pune"]}}, {"store": "Pune"}, True),
        ({"store": {"in": ["Berlin", "Pune"]}}, {"store": "Paris"}, False),
        ({"items": {"in": [1, True]}}, {"items": True}, True),
        ({"items": {"atLeast": Decimal("1.5")}}, {"items": Decimal("1.5")}, True),
        ({"items": {"atLeast": Decimal("1.5")}}, {"items": Decimal("1.4999")}, False),
        ({"items": {"atLeast": 0}}, {"items": "7"}, False),
        ({"items": {"atLeast": 0}}, {"items": True}, False),
        ({"items": {"atLeast": 0}}, {}, False),
        ({"items": {"atMost": 10}}, {"items": 10}, True),
        ({"items": {"atMost": 10}}, {"items": Decimal("10.001")}, False),
        ({"items": {"atMost": 10}}, {"items": -(10**90)}, True),
        ({"items": {"atLeast": 2, "atMost": 10}}, {"items": 11}, False),
        (BERLIN | {"items": {"atLeast": 2}}, {"store": "Berlin", "items": 2}, True),
        (BERLIN | {"items": {"atLeast": 2}}, {"store": "Berlin", "items": 1}, False),
    ],
)
def test_attributes_fit_when_every_condition_holds(match, attributes, fits):
    assert matches(match, attributes) is fits


@pytest.mark.parametrize(
    ("match", "path"),
    [
        ([], "match"),
        ("store = Berlin", "match"),
        ({f"a{index}": {"equals": 1} for index in range(21)}, "match"),
        ({"": {"equals": 1}}, "match"),
        ({"x" * 101: {"equals": 1}}, "match"),
        ({"store": "Berlin"}, "match.store"),
        ({"store": {}}, "match.store"),
        ({"store": {"equals": "Berlin", "like": "B%"}}, "match.store.like"),
        ({"store": {"equals": None}}, "match.store.equals"),
        ({"store": {"equals": {}}}, "match.store.equals"),
        ({"store": {"equals": "x" * 201}}, "match.store.equals"),
        ({"store": {"in": "Berlin"}}, "match.store.in"),
        ({"store": {"in": []}}, "match.store.in"),
        ({"store": {"in": ["Berlin"] * 101}}, "match.store.in"),
        ({"store": {"in": ["Berlin", ["Pune"]]}}, "match.store.in[1]"),
        ({"items": {"atLeast": "2"}}, "match.items.atLeast"),
        ({"items": {"atLeast": True}}, "match.items.atLeast"),
        ({"items": {"atMost": None}}, "match.items.atMost"),
        ({"items": {"atMost": Decimal("0.0001")}}, "match.items.atMost"),
        ({"items": {"atMost": 10**15}}, "match.items.atMost"),
        ({"items": {"atLeast": 3, "atMost": 2}}, "match.items"),
        (BERLIN | {"items": {"equals": Decimal("0.0001")}}, "match.items.equals"),
    ],
)
def test_what_is_no_condition_is_refused_by_its_path(match, path):
    with pytest.raises(InvalidInput) as refused:
        refuse_wrong_match(match, "match")

    assert refused.value.field == path


def test_every_kind_of_condition_is_taken():
    match = {
        "store": {"in": ["Berlin", 2, True, Decimal("0.125")]},
        "items": {"atLeast": -(10**15) + 1, "atMost": Decimal("999999999999999.999")},
        "isGift": {"equals": False},
        "x" * 100: {"equals": "x" * 200},
    }

    refuse_wrong_match(match, "match")

    assert matches(match, {"store": 2, "items": 0, "isGift": False, "x" * 100: "x" * 200})


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (3, Decimal(3)),
        (Decimal("-0.125"), Decimal("-0.125")),
        (Decimal("1.5000"), Decimal("1.5")),
        (Decimal("1E+2"), Decimal(100)),
        (Decimal("999999999999999.999"), Decimal("999999999999999.999")),
        (Decimal(10**15), None),
        (-(10**90), None),
        (Decimal("0.1234"), None),
        ("3", None),
        (True, None),
        (None, None),
        ([3], None),
    ],
)
def test_only_a_number_that_an_amount_could_be_is_one(value, amount):
    assert amount_of(value) == amount
