"""Registering customers, one or many."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from targets.enums import RegisterOutcome
from targets.errors import CustomerErased, InvalidInput
from targets.models import Brand, Customer
from targets.pseudonyms import erased_digest
from targets.queries import LARGEST_ID, erased_on, find_erased

MOST_CUSTOMERS = 10_000
ROWS_AT_ONCE = 1_000

# Only a row that has just been inserted was never locked or updated by anybody: its xmax is 0.
UPSERT = """
INSERT INTO targets_customer (brand_id, customer_id, external_id, first_name, last_name, email, mobile, created_at)
SELECT %s, given.*, now()
  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) AS given
ON CONFLICT (brand_id, customer_id) DO UPDATE
   SET external_id = EXCLUDED.external_id, first_name = EXCLUDED.first_name, last_name = EXCLUDED.last_name,
       email = EXCLUDED.email, mobile = EXCLUDED.mobile
RETURNING customer_id, xmax = 0
"""


@dataclass(frozen=True)
class CustomerData:
    """What is known of a customer; what is not given is empty."""

    customer_id: int
    external_id: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    mobile: str = ""


def put_customer(*, brand: Brand, customer_id: int, **details: str) -> tuple[Customer, bool]:
    """Register the customer, or bring his details up to date; what is not given becomes empty. (customer, is new).

    Raises `InvalidInput` for an id out of range, `CustomerErased` for that of somebody who was erased.
    """
    if not 0 < customer_id <= LARGEST_ID:
        raise InvalidInput(f"customerId is an integer from 1 to {LARGEST_ID}.", field="customerId")
    with transaction.atomic():
        customer, is_new = Customer.objects.update_or_create(brand=brand, customer_id=customer_id, defaults=details)
        # Asked afterwards: the new row has waited, at the unique number, for an erasure that was under way.
        erased = find_erased(brand, customer_id) if is_new else None
        if erased is not None:
            raise CustomerErased(erased_on(customer_id, erased.erased_at), field="customerId")
        return customer, is_new


def put_customers(*, brand: Brand, customers: Sequence[CustomerData]) -> list[RegisterOutcome]:
    """Register the customers, or bring their details up to date; what became of each, in the order given.

    One transaction. Of several with the same id the first is taken. Raises `InvalidInput` for an id out of range,
    `CustomerErased` for that of somebody who was erased; then nothing is written.
    """
    first_places: dict[int, int] = {}
    for place, each in enumerate(customers):
        if not 0 < each.customer_id <= LARGEST_ID:
            raise InvalidInput(
                f"customerId is an integer from 1 to {LARGEST_ID}.", field=f"customers[{place}].customerId"
            )
        first_places.setdefault(each.customer_id, place)
    # In one order: two calls that name the same customers could else wait for each other.
    in_order = [customers[place] for _, place in sorted(first_places.items())]
    is_new: dict[int, bool] = {}
    with transaction.atomic(), connection.cursor() as cursor:
        for start in range(0, len(in_order), ROWS_AT_ONCE):
            chunk = in_order[start : start + ROWS_AT_ONCE]
            cursor.execute(
                UPSERT,
                [
                    brand.pk,
                    [each.customer_id for each in chunk],
                    [each.external_id for each in chunk],
                    [each.first_name for each in chunk],
                    [each.last_name for each in chunk],
                    [each.email for each in chunk],
                    [each.mobile for each in chunk],
                ],
            )
            is_new.update(cursor.fetchall())
        # Asked afterwards, as `put_customer` does: a new row has waited for an erasure that was under way.
        _refuse_erased(brand, [number for number, is_one in is_new.items() if is_one], first_places)
    return [
        RegisterOutcome.DUPLICATE_IN_REQUEST
        if first_places[each.customer_id] != place
        else RegisterOutcome.CREATED
        if is_new[each.customer_id]
        else RegisterOutcome.UPDATED
        for place, each in enumerate(customers)
    ]


def _refuse_erased(brand: Brand, numbers: Sequence[int], places: dict[int, int]) -> None:
    """Names the first of them in the order given."""
    number_of = {erased_digest(brand.pk, number): number for number in numbers}
    erased = dict(
        Customer.objects.filter(brand=brand, erased_digest__in=number_of).values_list("erased_digest", "erased_at")
    )
    for digest, erased_at in sorted(erased.items(), key=lambda each: places[number_of[each[0]]]):
        number = number_of[digest]
        raise CustomerErased(erased_on(number, erased_at), field=f"customers[{places[number]}].customerId")
