"""Erasing a customer while something new is written about him: it is in and erased with him, or it is refused."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count

from django.db import connection
from django.test import Client
from django.utils import timezone

from enrollments.models import Activity
from enrollments.operations import ActivityData, erase_customer, unenroll
from targets.enums import Allocation
from targets.models import Customer, Target
from targets.operations import put_customer
from tests.concurrency.racing import FEWER_ROUNDS, ROW_LOCK, UNGUARDED_ROUNDS, Guard, Race
from tests.concurrency.scenes import (
    ACT,
    BEFORE_COUNTING_FIRST,
    BEFORE_JOINING,
    BEFORE_LEAVING,
    BEFORE_PAYING,
    JUST_BEFORE_END,
    Outcome,
    at_door,
    buys,
    closes,
    counted,
    customer_of,
    enrolled,
    joins,
    leaves,
    outcome,
    running_programme,
    sandbox_at,
)
from tests.factories import START, UserFactory

BEFORE_ERASING = 'UPDATE "targets_customer" SET "customer_id" = NULL'
BEFORE_EDITING = 'UPDATE "targets_customer" SET "brand_id"'
BEFORE_ENROLLING = 'INSERT INTO "enrollments_participation"'
BEFORE_STORING = 'INSERT INTO "enrollments_activity"'
BEFORE_FILING = 'UPDATE "enrollments_activity"'
BEFORE_REGISTERING = 'INSERT INTO "targets_customer"'

KEEPING = Guard(re.compile(" FOR KEY SHARE"), "")
CUSTOMER_LOCK = Guard(re.compile(r" FOR UPDATE( OF \S+)?"), "")
LOOKING_BACK = Guard(
    re.compile(r'"targets_customer"."erased_digest" = %s'), '"targets_customer"."erased_digest" = %s AND false'
)

JOINED = ("ENROLLED", "member", 0)
LEFT = ("UNENROLLED", "left", 0)

_numbers = count(1)


def erases(customer: Customer, opened_at: datetime | None = None) -> Callable[[], object]:
    def erase(at: datetime) -> str:
        return "repeated" if erase_customer(customer=customer, at=at, **ACT).is_repeated else "erased"

    return lambda: at_door(customer.brand, erase, opened_at)


@contextmanager
def without_trigger(name: str, table: str) -> Iterator[None]:
    """Afterwards the table is emptied, with all that refers to it."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {table} CASCADE")
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {name}")


def test_first_enrolment_is_ended_by_the_erasure_or_refused(race: Race) -> None:
    """Two guards: the lock answers, and behind it the database lets nobody enrol who is erased."""
    target = running_programme()

    def one_round() -> Outcome:
        customer = customer_of(target)
        return outcome(customer, race.run(joins(customer, target), erases(customer)))

    with race.without(KEEPING):
        unlocked = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_ENROLLING, ""), ahead=0)
    with (
        without_trigger("check_customer", "enrollments_participation"),
        without_trigger("check_customer_who_joins", "enrollments_stay"),
        race.without(KEEPING),
    ):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_ENROLLING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_ENROLLING, BEFORE_ERASING))

    assert unlocked == {Outcome(("participation_of_known_customer", "erased"), (), ())}
    assert unguarded == {Outcome(("ENROLLED", "erased"), ((1, None),), (JOINED,))}
    assert guarded == {
        Outcome(("ENROLLED", "erased"), ((1, 1),), (JOINED, LEFT)),
        Outcome((310011, "erased"), (), ()),
    }


def test_enrolment_again_that_is_rewarded_at_once_is_ended_by_the_erasure_or_refused(race: Race) -> None:
    """It locks participation and customer, as the erasure does, and in the same order: nobody waits in a ring."""
    target = running_programme()

    def one_round() -> Outcome:
        customer = enrolled(target)
        unenroll(customer=customer, target=target, at=timezone.now(), **ACT)
        return outcome(customer, race.run(joins(customer, target, initial_balance=Decimal(3)), erases(customer)))

    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_JOINING, BEFORE_ERASING))

    assert guarded == {
        Outcome(
            ("REENROLLED", "erased"),
            ((1, 1), (1, 1)),
            (JOINED, LEFT, ("REENROLLED", "member", 3), ("UNENROLLED", "left_reward_kept", 3)),
            ((1, Decimal(3)),),
            (1,),
        ),
        Outcome((310011, "erased"), ((1, 1),), (JOINED, LEFT)),
    }


def test_activity_counts_and_loses_its_attributes_or_is_not_stored(race: Race) -> None:
    """An enrolment would also tell by its last change; of one who never enrolled only the database knows."""
    target = running_programme(target_value=1)

    def one_round(who: Callable[[Target], Customer]) -> tuple[Outcome, tuple[str, ...]]:
        customer = who(target)
        bought = ActivityData(
            f"coffee {next(_numbers)}",
            "purchase",
            customer.customer_id or 0,
            timezone.now(),
            attributes={"name": "Ann"},
        )
        seen = outcome(customer, race.run(buys(customer, bought), erases(customer)))
        stored = Activity.objects.filter(customer=customer).values_list("attributes", flat=True)
        return seen, tuple(str(each) for each in stored)

    with without_trigger("check_customer", "enrollments_activity"):
        unguarded = race.rounds(UNGUARDED_ROUNDS, partial(one_round, customer_of), stops=(BEFORE_STORING, ""), ahead=0)
    stranger = race.rounds(FEWER_ROUNDS, partial(one_round, customer_of), stops=(BEFORE_FILING, BEFORE_ERASING))
    member = race.rounds(FEWER_ROUNDS, partial(one_round, enrolled), stops=(BEFORE_COUNTING_FIRST, BEFORE_ERASING))

    nothing = Outcome(("unknown_customer", "erased"), ((1, 1),), (JOINED, LEFT))
    rewarded = Outcome(
        ("counted", "erased"),
        ((1, 1),),
        (JOINED, ("UNENROLLED", "left_reward_kept", 1)),
        ((1, Decimal(1)),),
        (1,),
    )
    not_enrolled = Outcome(("not_enrolled", "erased"), (), ())
    assert unguarded == {(not_enrolled, ("{'name': 'Ann'}",))}
    assert stranger == {(not_enrolled, ("{}",)), (nothing._replace(stays=(), receipts=()), ())}
    assert member == {(rewarded, ("{}",)), (nothing, ())}


def test_leave_and_erasure_end_an_enrolment_once(race: Race) -> None:
    target = running_programme()

    def one_round() -> Outcome:
        customer = enrolled(target)
        return outcome(customer, race.run(leaves(customer, target), erases(customer)))

    with race.without(ROW_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_LEAVING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_LEAVING, BEFORE_LEAVING))

    once = Outcome(("UNENROLLED", "erased"), ((1, 1),), (JOINED, LEFT))
    assert {each.receipts for each in unguarded} == {(JOINED, LEFT, LEFT)}
    assert guarded == {once, once._replace(answers=(310126, "erased"))}


def test_registering_is_before_the_erasure_and_erased_or_refused(race: Race) -> None:
    """What holds it: whoever makes a new row has waited for the erasure, and then looks whether there was one."""
    target = running_programme()

    def one_round() -> tuple[tuple[object, object], tuple[str, ...]]:
        customer = customer_of(target)
        number = customer.customer_id or 0

        def registers() -> object:
            _, is_new = put_customer(brand=target.brand, customer_id=number, first_name="Ann")
            return "registered" if is_new else "updated"

        answers = outcome(customer, race.run(registers, erases(customer))).answers
        named = Customer.objects.filter(brand=target.brand).exclude(first_name="")
        return answers, tuple(named.filter(customer_id=number).values_list("first_name", flat=True))

    with race.without(LOOKING_BACK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=("", BEFORE_ERASING), ahead=1)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_REGISTERING, BEFORE_ERASING))

    assert unguarded == {(("registered", "erased"), ("Ann",))}
    assert guarded == {(("updated", "erased"), ()), ((300012, "erased"), ())}


def test_edit_in_the_admin_is_before_the_erasure_and_erased_or_refused(race: Race) -> None:
    """It writes all fields as it read them. Two guards: the lock answers, and behind it an erased row never changes."""
    target = running_programme()
    staff = Client()
    staff.force_login(UserFactory(is_staff=True, is_superuser=True))

    def one_round() -> tuple[tuple[object, object], bool, str]:
        customer = customer_of(target)

        def edits() -> int:
            return staff.post(f"/admin/targets/customer/{customer.pk}/change/", {"first_name": "Ann"}).status_code

        answers = outcome(customer, race.run(edits, erases(customer))).answers
        customer.refresh_from_db()
        return answers, customer.erased_at is not None, customer.first_name

    with race.without(CUSTOMER_LOCK):
        unlocked = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(BEFORE_EDITING, ""), ahead=0)
    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_EDITING, BEFORE_ERASING))

    assert unlocked == {(("erased_customer_stays_erased", "erased"), True, "")}
    assert guarded == {((302, "erased"), True, ""), ((403, "erased"), True, "")}


def test_two_erasures_one_erases_and_the_other_says_so(race: Race) -> None:
    target = running_programme()

    def one_round() -> Outcome:
        customer = enrolled(target)
        return outcome(customer, race.run(erases(customer), erases(customer)))

    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_ERASING, BEFORE_ERASING))

    once = Outcome(("erased", "repeated"), ((1, 1),), (JOINED, LEFT))
    assert guarded == {once, once._replace(answers=("repeated", "erased"))}


def test_close_of_a_finished_cycle_pays_the_customer_or_his_pseudonym(race: Race) -> None:
    length = timedelta(days=30)

    def one_round() -> Outcome:
        brand = sandbox_at(START + length + timedelta(days=1))
        target: Target = running_programme(
            brand=brand, starts_at=START, target_value=1, allocation=Allocation.PERIOD_END
        )
        customer = enrolled(target, at=START)
        counted(customer, JUST_BEFORE_END)
        return outcome(customer, race.run(closes(brand, brand.clock_at), erases(customer)))

    guarded = race.rounds(FEWER_ROUNDS, one_round, stops=(BEFORE_PAYING, BEFORE_ERASING))

    assert guarded == {
        Outcome((1, "erased"), ((1, 2),), (JOINED, LEFT), ((1, Decimal(1)),), (1,)),
    }
