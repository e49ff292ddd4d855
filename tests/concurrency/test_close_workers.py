"""`close_cycles --follow` as real processes: shared work, kill -9, SIGTERM, a lost connection (domain.md 3, 8)."""

import signal
from datetime import timedelta

import pytest
from django.db import connection

from enrollments.enums import Source
from enrollments.operations import unenroll
from rewards.models import Grant
from targets.models import Cycle, Target
from tests.concurrency.workers import Worker, backend_that_waits, due_programme, kept_waiting
from tests.factories import START, BrandFactory

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db(transaction=True)


def paid(target: Target) -> list[int]:
    return sorted(Grant.objects.filter(target=target, cycle_number=1).values_list("customer", flat=True))


def is_paid(target: Target) -> bool:
    return Cycle.objects.get(target_group=target.target_group_id, number=1).paid_at is not None


def closed(target: Target, rewards: int, *, how: str = "closed") -> str:
    return f"{target.brand}: {target.target_group}, c1 {how}, rewards given: {rewards}"


def test_workers_share_the_work_and_what_one_killed_left_is_paid_once_by_the_next():
    """Days late. Who left in the first cycle is not paid, who left in the second is."""
    brand = BrandFactory(sandbox=True, clock_at=START + 40 * DAY)
    older, members = due_programme(brand, 6, starts_at=START - DAY)
    newer, others = due_programme(brand, 5)
    for who, at in ((members[0], START + DAY), (members[5], START + 35 * DAY)):
        unenroll(customer=who, target=older, at=at, by="test", source=Source.API)

    with kept_waiting(older, members[2]), Worker("--interval=3600") as killed, Worker("--interval=3600") as other:
        backend_that_waits()
        said_by_other = other.says()
        killed.process.send_signal(signal.SIGKILL)
        killed.process.wait()
        other.process.send_signal(signal.SIGTERM)
        end_of_other = other.end()
    paid_before = (paid(older), is_paid(older), paid(newer), is_paid(newer))
    with Worker("--interval=0.05") as third:
        said_by_third = third.says()
        third.process.send_signal(signal.SIGINT)
        end_of_third = third.end()

    assert said_by_other == closed(newer, 5)
    assert end_of_other == end_of_third == (0, "Stopped.\n")
    assert paid_before == ([members[1].pk], False, [each.pk for each in others], True)
    assert said_by_third == closed(older, 4)
    assert paid(older) == [each.pk for each in members[1:]]
    assert is_paid(older)


def test_worker_asked_to_stop_ends_the_chunk_it_is_at():
    target, members = due_programme(BrandFactory(sandbox=True, clock_at=START + 40 * DAY), 5)

    with kept_waiting(target, members[2]):
        worker = Worker()
        backend_that_waits()
        worker.process.send_signal(signal.SIGTERM)
    code, said = worker.end()

    assert (code, said.splitlines()[1:]) == (0, [closed(target, 4, how="paid in part"), "Stopped."])
    assert paid(target) == [each.pk for each in members[:4]]
    assert not is_paid(target)


def test_worker_that_loses_the_database_connects_anew_and_goes_on():
    target, members = due_programme(BrandFactory(sandbox=True, clock_at=START + 40 * DAY), 5)

    with kept_waiting(target, members[2]):
        worker = Worker("--interval=0.05")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [backend_that_waits()])
        complaint = worker.complains()
    with worker:
        said = worker.says()

    assert complaint.startswith(f"{target.brand}: {target.target_group}, c1 not closed: ")
    assert said == closed(target, 3)
    assert paid(target) == [each.pk for each in members]
    assert is_paid(target)
