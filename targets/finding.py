"""Whom somebody means who types what he knows of a customer: exact by number, address or phone, else by name."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import CharField, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Collate, Lower

from targets.models import Customer
from targets.models.customer import FULL_NAME, NAME_REVERSED
from targets.queries import all_brands, exact_look_ups

MOST_FOUND = 25
LONGEST_TERM = 254  # an e-mail address
LAST_LETTER = "\U0010ffff"  # comes after every other, byte by byte


@dataclass
class Found:
    """A customer with his brand, and by what he was found."""

    customer: Customer
    known_by: list[str] = field(default_factory=list)


def find_customers(text: str, brands: Sequence[int] | None = None) -> list[Found]:
    """At most 26 of these brands or all: the 26th tells that there are more. Each index is looked into once.

    Numbers, addresses and phones exactly, names by how they begin, with the first name first or the last name. Who is
    found exactly comes first.
    """
    term = " ".join(text.split())[:LONGEST_TERM]
    if not term or "\x00" in term:
        return []
    wanted = all_brands() if brands is None else brands
    look_ups = exact_look_ups(term, wanted) | _by_name(term, wanted)
    first, *others = (_at_most(rows, by) for by, rows in look_ups.items())
    ways: dict[int, list[str]] = {}
    for pk, by in first.union(*others, all=True):
        ways.setdefault(pk, []).append(by)
    order = {by: place for place, by in enumerate(look_ups)}
    nearest = sorted(ways, key=lambda pk: min(order[by] for by in ways[pk]))[: MOST_FOUND + 1]
    customers = Customer.objects.select_related("brand").in_bulk(nearest)
    return [Found(customers[pk], sorted(set(ways[pk]), key=order.__getitem__)) for pk in nearest if pk in customers]


def _at_most(rows: QuerySet[Customer], by: str) -> Any:
    """Keys, each beside `by`."""
    known_by = Value(by, output_field=CharField())
    return rows.annotate(known_by=known_by).values_list("pk", "known_by")[: MOST_FOUND + 1]


def _by_name(term: str, brands: Sequence[int]) -> dict[str, QuerySet[Customer]]:
    """Whose whole name begins so. A comma is how people set a last name apart that comes first."""
    name = " ".join(term.replace(",", " ").split())
    if not any(each.isalpha() for each in name) or "@" in name:
        return {}
    customers = Customer.objects.filter(brand__in=brands)
    return {
        "last name": _beginning(customers, NAME_REVERSED, name).exclude(last_name=""),
        "first name": _beginning(customers, FULL_NAME, name).exclude(first_name=""),
    }


def _beginning(customers: QuerySet[Customer], column: Combinable, name: str) -> QuerySet[Customer]:
    """In the order of the index, so that the first few are all that is read."""
    first, after = (Collate(Lower(Value(each)), "C") for each in (name, name + LAST_LETTER))
    return customers.alias(whole=column).filter(whole__gte=first, whole__lt=after).order_by("brand", column)
