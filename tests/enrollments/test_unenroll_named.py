"""Unenrolling what a call names: looked up, locked and loaded by one statement."""

import pytest
from django.db import connection, transaction
from django.forms import model_to_dict

from enrollments.enums import Effective
from enrollments.models import Receipt, Stay
from enrollments.operations import enroll, set_group_active, set_target_active, unenroll, unenroll_named
from targets.enums import EvaluationType
from targets.errors import CustomerNotFound, NotEnrolled, TargetGroupNotFound, TargetNotFound
from targets.queries import Named
from tests.factories import START, BrandFactory, CustomerFactory, make_programme

pytestmark = pytest.mark.django_db(transaction=True)

ADVISORY_LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
LAST_NUMBER = "SELECT last_value FROM enrollments_receipt_id_seq"


def enrolled(target, **details):
    customer = CustomerFactory(brand=target.brand, **details)
    enroll(customer=customer, target=target, at=START, by="test", source="API")
    return customer


def named(target, customer, **other):
    names = {
        "brand": target.brand,
        "target_group_id": target.target_group_id,
        "target_id": target.pk,
        "customer_id": customer.customer_id,
    }
    return Named(**names | other)


def leaves(asked, **details):
    return unenroll_named(named=asked, at=START, by="test", source="API", **details)


def selected(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


@pytest.mark.parametrize("evaluation", EvaluationType)
@pytest.mark.parametrize("effective", Effective)
def test_receipt_and_stay_are_those_of_who_was_looked_up_before(effective, evaluation):
    target = make_programme(window=evaluation)
    one, other = enrolled(target), enrolled(target)

    by_name = leaves(named(target, one), effective=effective, reason="asked")
    by_object = unenroll(
        customer=other, target=target, at=START, by="test", source="API", effective=effective, reason="asked"
    )

    numbers = ("id", "participation", "stay", "transaction_id", "leave_receipt")
    stored = [Receipt.objects.get(pk=each.pk) for each in (by_name, by_object)]
    assert model_to_dict(stored[0], exclude=numbers) == model_to_dict(stored[1], exclude=numbers)
    assert model_to_dict(by_name) == model_to_dict(stored[0])
    assert (by_name.transaction_id, by_name.snapshot) == (stored[0].transaction_id, stored[0].snapshot)
    stays = [Stay.objects.get(participation__customer=each) for each in (one, other)]
    assert [each.leave_receipt_id for each in stays] == [by_name.pk, by_object.pk]
    assert model_to_dict(stays[0], exclude=numbers) == model_to_dict(stays[1], exclude=numbers)


def test_preview_gives_no_number_and_writes_nothing():
    target = make_programme()
    customer, before = enrolled(target), selected(LAST_NUMBER)

    preview = leaves(named(target, customer), dry_run=True)

    assert (preview.pk, selected(LAST_NUMBER), Receipt.objects.count()) == (None, before, 1)
    assert Stay.objects.get().end_cycle is None


@pytest.mark.parametrize(
    ("what", "error"), [("group", TargetGroupNotFound), ("target", TargetNotFound), ("customer", CustomerNotFound)]
)
def test_what_is_not_there_or_inactive_is_refused_without_a_lock_or_a_number(what, error):
    target, foreign = make_programme(), make_programme(brand=BrandFactory())
    customer, before = enrolled(target), selected(LAST_NUMBER)
    if what == "group":
        set_group_active(target_group=target.target_group, is_active=False, at=START, by="test")
    if what == "target":
        set_target_active(target=target, is_active=False, at=START, by="test")
    others = {"group": {"target_group_id": foreign.target_group_id}, "target": {"target_id": foreign.pk}}
    asked = [
        named(target, customer, **({"customer_id": 4711} if what == "customer" else {})),
        named(target, customer, **others.get(what, {"customer_id": 2**70})),
    ]

    with transaction.atomic():
        for each in asked:
            with pytest.raises(error):
                leaves(each)
        locks = selected(ADVISORY_LOCKS)

    assert (locks, selected(LAST_NUMBER), Receipt.objects.count()) == (0, before, 1)


def test_who_never_enrolled_is_refused_without_a_number():
    target = make_programme()
    customer, before = CustomerFactory(brand=target.brand), selected(LAST_NUMBER)

    with pytest.raises(NotEnrolled, match="he never was"):
        leaves(named(target, customer))

    assert selected(LAST_NUMBER) == before
