"""Rows that a statement of our own selects are what the ORM makes of them."""

from datetime import datetime
from decimal import Decimal

import pytest
from django.db import connection

from enrollments.models import Participation, Progress, Receipt
from enrollments.operations import enroll
from targets.models import Brand, Customer, TargetGroup
from targets.rows import Row, columns_of, parse_array, unsaved
from tests.factories import START, CustomerFactory, make_programme


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
    names = ("id", "customer_id")

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


@pytest.mark.django_db
@pytest.mark.parametrize(
    "instant", ["2026-03-01T00:00:00+00:00", "2026-03-01T00:00:00.5+00:00", "2026-03-01T12:34:56.789012+00:00"]
)
def test_row_out_of_json_is_what_the_orm_would_have_made(instant):
    large = Decimal("123456789012345678901234567.890")
    enrolled()
    Progress.objects.update(value=large, adjustment=Decimal(-3), balance_at=datetime.fromisoformat(instant))
    progress = Progress.objects.get()  # also what is empty: achieved_at
    with connection.cursor() as cursor:
        columns = columns_of("each", Progress)
        cursor.execute(f"SELECT json_build_array({columns}, 7)::text FROM enrollments_progress each")
        row = Row(parse_array(cursor.fetchone()[0]), is_json=True)

    taken = row.take(Progress)

    assert values_of(taken) == values_of(progress)
    assert (str(taken.value), str(taken.adjustment)) == (str(large), "-3.000")
    assert list(row) == [7]


@pytest.mark.django_db
def test_unsaved_is_what_the_constructor_would_have_made(django_assert_num_queries):
    participation = enrolled()
    Progress.objects.all().delete()
    values = {"participation": participation, "run_number": 1, "cycle_number": 2, "value": Decimal(3)}

    made, constructed = unsaved(Progress, **values), Progress(**values)

    assert values_of(made) == values_of(constructed)
    assert (made._state.adding, made._state.db) == (True, None)
    with django_assert_num_queries(0):
        assert made.participation is participation
    made.save()
    assert Progress.objects.get().value == 3


def test_each_unsaved_row_has_lists_of_its_own():
    one, other = unsaved(Receipt), unsaved(Receipt)

    one.ignored_fields.append("name")

    assert other.ignored_fields == []


def test_unsaved_refuses_what_is_no_field():
    with pytest.raises(TypeError, match=r"Progress has not all of the fields run_number, nmber\."):
        unsaved(Progress, run_number=1, nmber=2)


def enrolled():
    target = make_programme()
    customer = CustomerFactory(brand=target.brand)
    enroll(customer=customer, target=target, at=START, by="test", source="API", initial_balance=Decimal(1))
    return Participation.objects.get()


def values_of(row):
    return {name: value for name, value in vars(row).items() if name != "_state"}
