"""Two bulk calls that enrol the same customers, named in opposite orders (domain.md 8)."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.utils import timezone

from enrollments import joining
from enrollments.enums import Source
from enrollments.joining import JoinBatch, JoinRecord, join_all
from enrollments.models import Stay
from enrollments.operations import unenroll
from targets.models import Customer, Target
from tests.concurrency.racing import FEWER_ROUNDS, UNGUARDED_ROUNDS, Race
from tests.concurrency.scenes import ACT, BEFORE_JOINING, customer_of, enrolled, running_programme

Outcomes = tuple[str, ...]


def join(target: Target, customers: list[Customer]) -> Callable[[], Outcomes]:
    """Answers the outcomes in the order of the customers' ids."""
    batch = JoinBatch(brand=target.brand, target=target, by="test", source=Source.API, batch_id=uuid4())
    records = [JoinRecord(each.customer_id) for each in customers]

    def act() -> Outcomes:
        joined = sorted(join_all(batch, records), key=lambda each: each.customer_id)
        return tuple(each.outcome.value for each in joined)

    return act


def one_round(race: Race, target: Target, customers: list[Customer]) -> tuple[object, object, int]:
    """What each call answered, and how many of the customers are in the target now, once."""
    answers = race.run(join(target, customers), join(target, customers[::-1]))
    open_stays = Stay.objects.filter(participation__customer__in=customers, end_cycle=None)
    return (*answers, open_stays.count())


def two_who_have_left(target: Target) -> list[Customer]:
    customers = [enrolled(target) for _ in range(2)]
    for each in customers:
        unenroll(customer=each, target=target, at=timezone.now(), **ACT)
    return customers


def test_bulk_calls_of_the_same_members_never_wait_in_a_ring(race: Race, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard is the order. Without it each holds one and waits for the other, till the database ends it."""
    target = running_programme()

    def as_sent(batch: JoinBatch, customer_ids: list[int]) -> tuple[list[Customer], list[Customer]]:
        customers = Customer.objects.filter(brand=batch.brand, customer_id__in=customer_ids)
        found = {each.customer_id: each for each in customers}
        return [found[each] for each in customer_ids], []

    def round_of_members() -> tuple[object, object, int]:
        return one_round(race, target, two_who_have_left(target))

    with monkeypatch.context() as patch:
        patch.setattr(joining, "_in_order_of_locks", as_sent)
        unguarded = race.rounds(UNGUARDED_ROUNDS, round_of_members, stops=(BEFORE_JOINING, BEFORE_JOINING))
    guarded = race.rounds(FEWER_ROUNDS, round_of_members, stops=(BEFORE_JOINING, BEFORE_JOINING))

    both, neither = ("reenrolled",) * 2, ("already_enrolled",) * 2
    assert all("try_again" in [*first, *second] for first, second, _ in unguarded)
    assert guarded == {(both, neither, 2), (neither, both, 2)}


def test_bulk_calls_of_the_same_newcomers_enrol_each_once(race: Race) -> None:
    target = running_programme()

    guarded = race.rounds(
        FEWER_ROUNDS,
        lambda: one_round(race, target, [customer_of(target) for _ in range(3)]),
        stops=(BEFORE_JOINING, BEFORE_JOINING),
    )

    all_three, none = ("enrolled",) * 3, ("already_enrolled",) * 3
    assert guarded == {(all_three, none, 3), (none, all_three, 3)}
