"""Rows that a statement of our own selects are what the ORM makes of them."""

import pytest
from django.db import connection

from targets.models import Brand, Customer, TargetGroup
from targets.rows import Row, all_columns_but, columns_of
from tests.factories import CustomerFactory, make_programme


def selected(statement: str) -> Row:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return Row(cursor.fetchone())


@pytest.mark.django_db
def test_row_is_what_the_orm_would_have_made(django_assert_num_queries):
    group = TargetGroup.objects.get(pk=make_programme().target_group_id)  # with JSON, texts, dates and NULLs

    taken = selected(f"SELECT {columns_of('each', TargetGroup)} FROM targets_targetgroup each").take(TargetGroup)

    with django_assert_num_queries(0):
        assert type(taken) is TargetGroup
        assert {name: value for name, value in vars(taken).items() if name != "_state"} == {
            name: value for name, value in vars(group).items() if name != "_state"
        }
        assert (taken._state.db, taken._state.adding) == ("default", False)


@pytest.mark.django_db
def test_row_knows_the_rows_that_it_was_given(django_assert_num_queries):
    customer = CustomerFactory()
    brand = Brand.objects.get(pk=customer.brand_id)

    taken = selected(f"SELECT {columns_of('each', Customer)} FROM targets_customer each").take(Customer, brand=brand)

    with django_assert_num_queries(0):
        assert taken.brand is brand
    taken.first_name = "Noor"
    taken.save()
    assert Customer.objects.get().first_name == "Noor"


@pytest.mark.django_db
def test_columns_left_out_are_fetched_when_they_are_asked_for(django_assert_num_queries):
    customer = CustomerFactory(first_name="Noor")
    names = all_columns_but(Customer, "first_name")

    taken = selected(f"SELECT {columns_of('each', Customer, names)} FROM targets_customer each").take(Customer, names)

    with django_assert_num_queries(0):
        assert taken.customer_id == customer.customer_id
    with django_assert_num_queries(1):
        assert taken.first_name == "Noor"


@pytest.mark.django_db
def test_row_of_nothing_is_none():
    row = selected(f"SELECT {columns_of('each', Brand)}, 7 FROM (VALUES (NULL::targets_brand)) missing (each)")

    assert row.take(Brand) is None
    assert list(row) == [7]
