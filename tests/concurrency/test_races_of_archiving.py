"""An event sent again, an erasure, and a second job, while an activity goes into the archive or comes back."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from enrollments.models import ArchivedActivity, EveryActivity, Progress
from enrollments.operations import ActivityData, archive_activities, record_activity, restore_activities
from enrollments.recording import record_each
from targets.models import Brand, Customer, Target
from tests.concurrency.racing import FEWER_ROUNDS, UNGUARDED_ROUNDS, Act, Guard, Race
from tests.concurrency.scenes import BEFORE_OUTCOME, a_purchase, answer, buys, customer_of, joins, running_programme
from tests.concurrency.test_races_of_erasing import erases, without_trigger
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db(transaction=True)

SOME_ROUNDS = max(FEWER_ROUNDS // 3, 3)  # each hits the critical moment; together they are to take a few seconds

MOVED = "SELECT 'moved'"  # all is done, and nothing committed
BEFORE_STORING = 'INSERT INTO "enrollments_activity"'
BEFORE_STORING_TOGETHER = "INSERT INTO enrollments_activity "
BEFORE_EMPTYING_THE_ARCHIVE = 'UPDATE "enrollments_archivedactivity"'  # he who erases has emptied what is not archived

MOVING_LOCK = Guard(re.compile(r" FOR UPDATE SKIP LOCKED"), "")


def moves(job: Callable[..., object], brand: Brand, **details: object) -> Act:
    """Answers how many activities it moved."""

    def move() -> int:
        with transaction.atomic():
            moved = sum(each.moved for each in job(brand=brand, **details))
            with connection.cursor() as cursor:
                cursor.execute(MOVED)
        return moved

    return move


def archives(brand: Brand) -> Act:
    return moves(archive_activities, brand, before=timezone.now() + timedelta(days=1))


def bought_too_early(target: Target) -> tuple[Customer, ActivityData]:
    """Before he enrolled; so it did not count. Were it not known it would count now."""
    customer = customer_of(target)
    purchase = a_purchase(customer, timezone.now())
    assert answer(record_activity(brand=target.brand, activity=purchase, at=timezone.now())) == "not_enrolled"
    joins(customer, target)()
    return customer, purchase


def buys_together(customer: Customer, purchase: ActivityData) -> Act:
    another = CustomerFactory(brand=customer.brand)
    batch = [a_purchase(another, timezone.now()), purchase]
    return lambda: answer(record_each(customer.brand, batch)[1])


@pytest.mark.parametrize(
    ("delivers", "stop"), [(buys, BEFORE_STORING), (buys_together, BEFORE_STORING_TOGETHER)], ids=["single", "together"]
)
def test_event_sent_again_while_it_is_archived_is_a_duplicate(race: Race, delivers, stop: str) -> None:
    target = running_programme()

    def one_round() -> tuple[object, ...]:
        customer, purchase = bought_too_early(target)
        delivered = delivers(customer, purchase)
        moved, delivery = race.run(archives(target.brand), delivered)
        kept = EveryActivity.objects.filter(event_id=purchase.event_id).count()
        return moved, answer(delivery), kept, Progress.objects.filter(participation__customer=customer).exists()

    with without_trigger("check_event", "enrollments_activity"):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(MOVED, stop), ahead=0)
    guarded = race.rounds(SOME_ROUNDS, one_round, stops=(MOVED, stop))

    assert {each[1:] for each in unguarded} == {("counted", 2, True)}
    assert {each[1:] for each in guarded} == {("duplicate", 1, False)}


def test_event_sent_again_while_it_comes_back_is_a_duplicate(race: Race) -> None:
    target = running_programme()

    def one_round() -> tuple[object, ...]:
        customer, purchase = bought_too_early(target)
        archives(target.brand)()
        _, delivery = race.run(moves(restore_activities, target.brand), buys(customer, purchase))
        kept = EveryActivity.objects.filter(event_id=purchase.event_id).count()
        archives(target.brand)()
        return answer(delivery), kept, Progress.objects.filter(participation__customer=customer).exists()

    with without_trigger("check_event", "enrollments_activity"):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=("", BEFORE_OUTCOME), ahead=1)
    guarded = race.rounds(SOME_ROUNDS, one_round, stops=(MOVED, BEFORE_STORING))

    assert unguarded == {("counted", 2, True)}
    assert guarded == {("duplicate", 1, False)}


def test_erasing_empties_what_is_being_archived(race: Race) -> None:
    target = running_programme()

    def one_round() -> tuple[object, ...]:
        customer = customer_of(target)
        bought = ActivityData(
            f"coffee of {customer.pk}", "coffee", customer.customer_id or 0, timezone.now(), attributes={"name": "Ann"}
        )
        record_activity(brand=target.brand, activity=bought, at=timezone.now())
        moved, erased = race.run(archives(target.brand), erases(customer))
        (attributes,) = EveryActivity.objects.filter(event_id=bought.event_id).values_list("attributes", flat=True)
        archives(target.brand)()
        return moved, erased, str(attributes)

    stops = (MOVED, BEFORE_EMPTYING_THE_ARCHIVE)
    with race.without(MOVING_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=stops, ahead=1)
    guarded = race.rounds(SOME_ROUNDS, one_round, stops=stops)

    assert unguarded == {(1, "erased", "{'name': 'Ann'}")}
    assert guarded == {(1, "erased", "{}"), (0, "erased", "{}")}


def test_two_jobs_at_once_move_each_activity_once(race: Race) -> None:
    target = running_programme()

    def one_round() -> tuple[object, ...]:
        _, purchase = bought_too_early(target)
        told = race.run(archives(target.brand), archives(target.brand))
        return {answer(each) for each in told} == {0, 1}, ArchivedActivity.objects.filter(
            event_id=purchase.event_id
        ).count()

    with race.without(MOVING_LOCK):
        unguarded = race.rounds(UNGUARDED_ROUNDS, one_round, stops=(MOVED, MOVED), ahead=0)
    guarded = race.rounds(SOME_ROUNDS, one_round, stops=(MOVED, MOVED))

    assert unguarded == {(False, 1)}
    assert guarded == {(True, 1)}
