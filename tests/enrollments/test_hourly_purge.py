"""What `close_cycles --follow` removes between its passes: answers, tokens, lists and counts that have expired."""

from datetime import timedelta
from functools import partial
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection
from django.utils import timezone
from oauth2_provider.models import AccessToken

from enrollments import closing_job
from enrollments.closing_job import ClosingJob, HourlyPurge
from enrollments.models import LeavePlan
from enrollments.operations import purge_plans
from targets.models import Brand, RefusedCalls, StoredAnswer
from targets.operations import Count, Refused, count_refused_calls, purge_answers, purge_refused_calls
from tests.config.standing_clock import Clock
from tests.enrollments.admin_scene import programme
from tests.enrollments.plan_scene import older, planned
from tests.factories import ApiUserFactory, BrandFactory

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def complaints():
    return []


@pytest.fixture
def purge(clock, complaints):
    return HourlyPurge(complaints.append, clock)


def expired_answers(number):
    api_user = ApiUserFactory()
    StoredAnswer.objects.bulk_create(
        StoredAnswer(
            api_user=api_user,
            key_digest=f"{each:064x}",
            fingerprint="0" * 64,
            status=200,
            body="{}",
            recorded_at=timezone.now() - 25 * HOUR,
        )
        for each in range(number)
    )


def left():
    return StoredAnswer.objects.count(), AccessToken.objects.count()


def test_expired_answers_and_tokens_are_removed_and_others_kept(purge):
    expired_answers(2)
    StoredAnswer.objects.filter(key_digest=f"{0:064x}").update(recorded_at=timezone.now() - 23 * HOUR)
    for token, expires in (("old", timezone.now() - HOUR), ("new", timezone.now() + HOUR)):
        AccessToken.objects.create(token=token, expires=expires, scope="read")

    purge.go_on(lambda: False)

    assert StoredAnswer.objects.get().key_digest == f"{0:064x}"
    assert AccessToken.objects.get().expires > timezone.now()


def test_it_is_done_once_an_hour(purge, clock):
    purge.go_on(lambda: False)
    expired_answers(1)
    clock.now += 3599

    purge.go_on(lambda: False)
    within_the_hour = left()
    clock.now += 1
    purge.go_on(lambda: False)

    assert (within_the_hour, left()) == ((1, 0), (0, 0))


def test_much_is_removed_a_little_after_each_pass(purge, monkeypatch):
    monkeypatch.setattr(closing_job, "BATCHES_AT_ONCE", 2)
    monkeypatch.setattr(closing_job, "purge_answers", partial(purge_answers, at_once=3))
    expired_answers(8)
    seen = []

    for _ in range(2):
        purge.go_on(lambda: False)
        seen.append(left())

    assert seen == [(2, 0), (0, 0)]


def test_worker_asked_to_stop_removes_nothing_more(purge):
    expired_answers(1)

    purge.go_on(lambda: True)

    assert left() == (1, 0)


def test_failure_is_told_and_tried_again_at_the_next_look(purge, complaints, monkeypatch):
    def refuse(**details):
        raise DatabaseError("canceling statement\ndue to lock timeout")

    expired_answers(1)
    with monkeypatch.context() as patched:
        patched.setattr(closing_job, "purge_answers", refuse)
        purge.go_on(lambda: False)
    before = left()
    purge.go_on(lambda: False)

    assert complaints == [
        "What has expired is not all removed, next try at the next look: canceling statement due to lock timeout"
    ]
    assert (before, left()) == ((1, 0), (0, 0))


def test_lost_connection_is_left_to_the_worker_to_mend(purge, complaints, monkeypatch):
    def lost(**details):
        raise OperationalError("gone")

    monkeypatch.setattr(closing_job, "purge_answers", lost)
    monkeypatch.setattr(connection, "is_usable", lambda: False)

    with pytest.raises(OperationalError):
        purge.go_on(lambda: False)

    assert complaints == []


def test_following_worker_closes_first_and_then_purges(monkeypatch):
    expired_answers(1)
    seen = []

    class StopAtTheFirstPause:
        is_asked = False

        def wait(self, seconds):
            self.is_asked = True

    monkeypatch.setattr(connection, "close", lambda: None)  # the test's own transaction goes on
    monkeypatch.setattr(ClosingJob, "run_once", lambda job, brands, is_to_stop: seen.append(left()))

    ClosingJob(say=print, complain=print).follow(Brand.objects.all(), 30, StopAtTheFirstPause())

    assert [*seen, left()] == [(1, 0), (0, 0)]


def test_old_lists_of_customers_are_removed_too(purge, settings):
    settings.BULK_DAYS = 1
    older(planned(programme(), 404), days=2)

    purge.go_on(lambda: False)

    assert LeavePlan.objects.count() == 0


def refused(*ages):
    """Counts of the days so many days ago; the code says how many."""
    now, brand = timezone.now(), BrandFactory()
    count_refused_calls(
        {
            Refused(brand.pk, now.date() - timedelta(days=age), "PUT /v3/clock", age): Count(1, now, "till", "r")
            for age in ages
        }
    )


def test_old_counts_of_refused_calls_are_removed_too(purge, settings):
    settings.REFUSED_CALLS_DAYS = 30
    refused(0, 30, 31, 400)

    purge.go_on(lambda: False)

    assert sorted(RefusedCalls.objects.values_list("code", flat=True)) == [0, 30]


def purge_of_answers():
    expired_answers(3)
    return purge_answers(before=timezone.now(), at_once=1)


def purge_of_refused_calls():
    refused(31, 32, 33)
    return purge_refused_calls(before=timezone.now().date(), at_once=1)


def purge_of_plans():
    target = programme()
    planned(target, 1, 2, 3)
    return purge_plans(before=timezone.now() + HOUR, at_once=1)


@pytest.mark.parametrize("purge_of", [purge_of_answers, purge_of_refused_calls, purge_of_plans])
def test_no_more_is_removed_at_once_than_was_asked_for_however_the_planner_joins(purge_of):
    purged = purge_of()
    with connection.cursor() as cursor:
        for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
            cursor.execute(f"SET LOCAL enable_{way} = off")

    assert next(purged) == 1


def test_command_removes_old_counts_of_refused_calls_oldest_first(settings):
    settings.REFUSED_CALLS_DAYS = 30
    refused(30, 31, 32, 33)
    first = next(purge_refused_calls(before=timezone.now().date(), at_once=1))
    left = sorted(RefusedCalls.objects.values_list("code", flat=True))
    out = StringIO()

    call_command("purge_refused_calls", stdout=out)

    assert (first, left, out.getvalue()) == (1, [30, 31, 32], "Counts of refused calls removed: 2.\n")
    assert RefusedCalls.objects.get().code == 30
